"""Whatever is sent to the issuer, it answers with what was wrong, and never breaks."""

import string
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from yarl import URL

from support.issuing import CALLBACK, CHALLENGE, Place, issuing

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODIES: tuple[tuple[str, dict[str, str], bytes, int], ...] = (
    ("/oauth/token", FORM, b"", 401),
    ("/oauth/token", FORM, b"client_id=x", 401),
    ("/oauth/token", FORM, b"client_id=x&client_id=y", 400),
    ("/oauth/token", FORM, b"\xff\xfe", 400),
    ("/oauth/token", FORM, b"a=%ff", 400),
    ("/oauth/token", FORM, b"&" * 5000, 400),
    ("/oauth/token", FORM, b"a" * 20000, 413),
    ("/oauth/token", FORM, b"&".join(b"a%d=" % number for number in range(200)), 400),
    ("/oauth/token", {"Content-Type": "application/json"}, b"{}", 415),
    ("/oauth/token", {**FORM, "Authorization": "Basic \xff"}, b"", 401),
    ("/oauth/revoke", FORM, b"client_id=https://client.example/a", 400),
    ("/oauth/revoke", FORM, b"client_id=https://client.example/a&token=a.b.c", 200),
    ("/oauth/revoke", FORM, b"client_id=https://client.example/a&token=%00", 200),
    ("/oauth/register", FORM, b"{}", 415),
    ("/oauth/register", {"Content-Type": "application/json"}, b"", 400),
    ("/oauth/register", {"Content-Type": "application/json"}, b"[" * 10000, 400),
    ("/oauth/register", {"Content-Type": "application/json"}, b'{"redirect_uris":[1]}', 400),
    ("/oauth/register", {"Content-Type": "application/json"}, b'{"redirect_uris":["https://[/"]}', 400),
    (
        "/oauth/register",
        {"Content-Type": "application/json"},
        b'{"redirect_uris":["http://a.example/"]}',
        400,
    ),
    ("/oauth/authorize", FORM, b"step=give", 400),
)


@pytest.mark.parametrize(("path", "headers", "body", "status"), BODIES)
async def test_a_body_that_is_wrong_is_told_so(
    path: str, headers: dict[str, str], body: bytes, status: int, tmp_path: Path
) -> None:
    async with (
        issuing(tmp_path) as place,
        place.browser.post(place.origin + path, data=body, headers=headers) as answer,
    ):
        assert answer.status == status, await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
async def test_another_method_is_not_allowed(method: str, tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        for path in ("/oauth/authorize", "/oauth/token", "/oauth/jwks.json"):
            async with place.browser.request(method, place.origin + path) as answer:
                assert answer.status == 405


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/register", "/oauth/jwks.json"])
async def test_any_web_page_may_ask_what_programs_ask(path: str, tmp_path: Path) -> None:
    asks = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    async with (
        issuing(tmp_path) as place,
        place.browser.options(place.origin + path, headers=asks) as answer,
    ):
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
        assert "DPoP" in answer.headers["Access-Control-Allow-Headers"]
        assert "DPoP-Nonce" in answer.headers["Access-Control-Expose-Headers"]


async def test_no_web_page_may_ask_what_people_are_asked(tmp_path: Path) -> None:
    asks = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    async with (
        issuing(tmp_path) as place,
        place.browser.options(f"{place.origin}/oauth/authorize", headers=asks) as answer,
    ):
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


NAMES = st.sampled_from(
    ["client_id", "redirect_uri", "response_type", "scope", "state", "resource", "code_challenge", "prompt"]
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["code", "S256", CHALLENGE, CALLBACK, "https://client.example/a", "wand:read", "\0", "%"]
    ),
)


def queries(count: int) -> list[list[tuple[str, str]]]:
    """Some queries, always the same."""
    made: list[list[tuple[str, str]]] = []
    given_ = st.lists(st.tuples(NAMES, VALUES), max_size=8)

    @hypothesis.settings(max_examples=count, database=None, derandomize=True, deadline=None)
    @hypothesis.given(given_)
    def collect(one: list[tuple[str, str]]) -> None:
        made.append([(name, value.encode("utf-8", "replace").decode()) for name, value in one])

    collect()
    return made


async def visit(place: Place, pairs: list[tuple[str, str]]) -> int:
    async with place.browser.get(
        f"{place.origin}/oauth/authorize", params=pairs, allow_redirects=False
    ) as answer:
        return answer.status


async def test_no_query_breaks_the_page(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client: Any = (await place.register())["client_id"]
        for pairs in queries(150):
            assert await visit(place, pairs) < 500
            whole = {"client_id": client, "redirect_uri": CALLBACK, **dict(pairs)}
            assert await visit(place, list(whole.items())) < 500


async def test_bytes_that_are_no_text_are_no_query(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        for raw in (
            "%ff",
            "client_id=%00",
            "client_id=%F0%9F%98",
            "a" * 8000,
            string.punctuation.replace("#", ""),
        ):
            url = URL(f"{place.origin}/oauth/authorize?{raw}", encoded=True)
            async with place.browser.get(url, allow_redirects=False) as answer:
                assert answer.status == 400
