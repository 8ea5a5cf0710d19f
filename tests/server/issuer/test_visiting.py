"""What a browser meets: pages that nobody can frame or forge, and people who sign in slowly or elsewhere."""

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.issuing import ANN, PASSWORD, Place, issuing
from wand_server.issuer.peers import Peers
from wand_server.issuer.service import Options

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


async def client(place: Place, **more: Any) -> str:
    return str((await place.register(**more))["client_id"])


async def test_every_page_is_under_a_strict_policy(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        query = place.query(await client(place))
        pages = [await place.get("client_id=nobody"), await place.get(query), await place.sign_in(query)]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert "<script" not in page.text
        assert " on" + "click" not in page.text
    assert "form-action 'self' http://127.0.0.1:1;" in pages[2].headers["Content-Security-Policy"]


async def test_what_a_client_says_of_itself_is_text_and_set_apart(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        name = '<b onload="x">Wand</b> & "Sons"'
        page = await place.sign_in(place.query(await client(place, client_name=name)))
        assert "<b onload" not in page.text
        assert "&lt;b onload=&quot;x&quot;&gt;" in page.text
        assert "nobody: it registered itself" in page.text
        assert "a program on this computer" in page.text
        assert "run commands" in page.text


async def test_the_cookie_is_for_this_host_and_http_alone(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        query = place.query(await client(place))
        page = await place.get(query)
        before = page.headers["Set-Cookie"]
        assert all(word in before for word in ("HttpOnly", "SameSite=Lax", "Path=/"))
        answer = await place.post(query, proof=page.proof, step="sign-in", name=ANN, password=PASSWORD)
        assert answer.headers["Set-Cookie"].split(";")[0] != before.split(";")[0]


async def test_with_tls_no_other_host_can_set_the_cookie(tmp_path: Path) -> None:
    def behind_tls(options: Options) -> Options:
        return replace(options, url="https://wand.example", resource="https://wand.example/mcp")

    async with issuing(tmp_path, behind_tls) as place:
        headers = {"Host": "wand.example", "Content-Type": "application/json"}
        told = {"redirect_uris": ["http://127.0.0.1:1/callback"], "token_endpoint_auth_method": "none"}
        async with place.browser.post(f"{place.origin}/oauth/register", json=told, headers=headers) as answer:
            client_id = (await answer.json())["client_id"]
        query = place.query(client_id, resource="https://wand.example/mcp")
        async with place.browser.get(f"{place.origin}/oauth/authorize?{query}", headers=headers) as answer:
            given = answer.headers["Set-Cookie"]
    assert given.startswith("__Host-wand=")
    assert "Secure" in given
    assert "Domain" not in given


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_from_another_page_is_not_taken(headers: dict[str, str], tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        query = place.query(await client(place))
        page = await place.sign_in(query)
        answer = await place.post(query, headers, proof=page.proof, step="give", scope=page.scopes)
        assert (answer.status, "Location" in answer.headers) == (403, False)


async def test_a_proof_is_for_one_request_one_person_and_one_browser(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = await client(place)
        one, other = place.query(client_id), place.query(client_id, scope="wand:read")
        before = (await place.get(one)).proof
        page = await place.sign_in(one)
        for proof in ("", "0" * 64, before, (await place.get(other)).proof):
            answer = await place.post(one, proof=proof, step="give", scope=page.scopes)
            assert answer.status == 403
        place.browser.cookie_jar.clear()
        assert (await place.post(one, proof=page.proof, step="give", scope=page.scopes)).status == 403


async def test_somebody_else_can_sign_in_at_the_same_browser(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        query = place.query(await client(place))
        page = await place.sign_in(query)
        cookie = next(iter(place.browser.cookie_jar)).value
        assert (await place.post(query, proof=page.proof, step="leave")).status == 303
        assert 'type="password"' in (await place.get(query)).text
        place.browser.cookie_jar.update_cookies({"wand": cookie})
        assert 'type="password"' in (await place.get(query)).text


@pytest.mark.parametrize(
    ("name", "told"), [(ANN, "a wrong password for ann"), ("eve", "nobody has that name")]
)
async def test_a_wrong_password_is_told_slowed_and_forgiven(name: str, told: str, tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        query = place.query(await client(place))
        answers = [await place.sign_in(query, name, "wrong" * 3) for _ in range(6)]
        assert [one.status for one in answers] == [403] * 4 + [429] * 2
        assert int(answers[5].headers["Retry-After"]) >= 1
        assert len({one.text.split("</h1>")[1].split("<p>")[0] for one in answers[:4]}) == 1
        assert place.refused == [("127.0.0.1", told)] * 4
        assert "wrongwrong" not in repr(place.refused)


async def test_a_try_that_nobody_had_time_for_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with issuing(tmp_path) as place:
        query = place.query(await client(place))
        with monkeypatch.context() as crowded:
            crowded.setattr("wand_server.issuer.passwords._MOST_WAITING", 0)
            for _ in range(30):
                assert (await place.sign_in(query)).status == 429

        assert "Let Probe in?" in (await place.sign_in(query)).text


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"scope": "wand:everything"}, "invalid_scope"),
        ({"request": "x"}, "request_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
    ],
)
async def test_a_program_on_this_computer_is_told_what_is_wrong(
    more: dict[str, str | None], error: str, tmp_path: Path
) -> None:
    async with issuing(tmp_path) as place:
        told = (await place.get(place.query(await client(place), **more))).told
        assert (told["error"], told["state"], told["iss"]) == (error, "s 1", place.origin)


async def test_nobody_is_sent_elsewhere_without_being_asked(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        far = "https://evil.example/callback"
        client_id = await client(place, redirect_uris=[far])
        page = await place.get(place.query(client_id, redirect_uri=far, response_type="token"))
        assert page.status == 400
        assert 'href="https://evil.example/callback?error=unsupported_response_type' in page.text


@pytest.mark.parametrize(
    "more",
    [
        {"client_id": "wcl_nobody"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1:1/other"},
        {"redirect_uri": "http://localhost:1/callback"},
    ],
)
async def test_a_stranger_is_answered_nowhere(more: dict[str, str], tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        page = await place.get(place.query(**{"client_id": await client(place), **more}))
        assert (page.status, "Location" in page.headers) == (400, False)
        assert "evil" not in page.text


async def test_a_port_on_loopback_is_free_and_the_code_goes_with_it(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = await client(place)
        uri = "http://127.0.0.1:50505/callback"
        code = (await place.consent(place.query(client_id, redirect_uri=uri))).told["code"]
        assert (await place.redeem(client_id, code))[1]["error"] == "invalid_grant"
        code = (await place.consent(place.query(client_id, redirect_uri=uri))).told["code"]
        assert (await place.redeem(client_id, code, redirect_uri=uri))[0] == 200


@pytest.mark.parametrize("more", [{"code_verifier": "w" * 43}, {}, {"resource": "https://x.example"}])
async def test_a_code_is_for_who_asked_for_it(more: dict[str, str], tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = await client(place)
        code = await place.code(client_id)
        who = client_id if more else await client(place)
        status, told = await place.redeem(who, code, **more)
        assert (status, "access_token" in told) == (400, False)


async def test_another_name_of_this_server_is_misdirected(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        for path in ("/oauth/authorize", "/.well-known/oauth-authorization-server"):
            async with place.browser.get(place.origin + path, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 421


def through_a_proxy(trusted: tuple[Any, ...]) -> Any:
    peers = Peers(trusted=trusted, user_header="X-Forwarded-User", groups_header="X-Forwarded-Groups")
    return lambda options: replace(options, peers=peers)


@pytest.mark.parametrize(
    ("trusted", "headers", "status"),
    [
        (LOOPBACK, {"X-Forwarded-User": "bob", "X-Forwarded-Groups": "ops, dev"}, 200),
        (LOOPBACK, {"X-Forwarded-User": ""}, 403),
        (LOOPBACK, {"X-Forwarded-User": "bob smith"}, 403),
        (LOOPBACK, {}, 403),
        ((ipaddress.ip_network("192.0.2.0/24"),), {"X-Forwarded-User": "bob"}, 403),
    ],
)
async def test_a_trusted_proxy_signs_people_in_and_nobody_else_does(
    trusted: tuple[Any, ...], headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    async with issuing(tmp_path, through_a_proxy(trusted)) as place:
        place.browser.headers.update(headers)
        client_id = await client(place)
        page = await place.get(place.query(client_id))
        assert page.status == status
        if status == 200:
            query = place.query(client_id)
            code = (await place.post(query, proof=page.proof, step="give", scope=page.scopes)).told["code"]
            _, tokens = await place.redeem(client_id, code)
            assert place.sub_and_groups(tokens) == ("bob", ["ops", "dev"])


async def test_a_proxy_tells_from_where_a_sign_in_comes(tmp_path: Path) -> None:
    async with issuing(tmp_path, lambda options: replace(options, peers=Peers(trusted=LOOPBACK))) as place:
        place.browser.headers["X-Forwarded-For"] = "10.9.9.9, 192.0.2.7, 127.0.0.5"
        await place.sign_in(place.query(await client(place)), ANN, "wrong" * 3)
        assert [address for address, _ in place.refused] == ["192.0.2.7"]
