"""What is fetched from an issuer, from a server on loopback that misbehaves."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from wand_proto.errors import Invalid, Unavailable
from wand_server.auth import fetching
from wand_server.auth.fetching import Fetcher, check_url

ANSWERS: dict[str, dict[str, Any]] = {
    "/object": {"text": '{"a":1}'},
    "/list": {"text": "[]"},
    "/text": {"text": "hello"},
    "/deep": {"text": "[" * 100_000},
    "/large": {"body": b" " * (fetching.BYTES_CEILING + 1)},
    "/moved": {"status": 302, "headers": {"Location": "/object"}},
    "/broken": {"status": 500},
    "/bytes": {"body": b"\xff\xfe{}"},
}


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(**ANSWERS[request.path])

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_object_comes_back(origin: str) -> None:
    async with Fetcher() as fetcher:
        assert await fetcher.get(f"{origin}/object") == {"a": 1}
        assert await fetcher.post(f"{origin}/object", {"token": "x"}, ("me", "secret")) == {"a": 1}


@pytest.mark.parametrize("path", sorted(ANSWERS.keys() - {"/object"}))
async def test_anything_else_is_as_if_nothing_came(origin: str, path: str) -> None:
    async with Fetcher() as fetcher:
        with pytest.raises(Unavailable):
            await fetcher.get(origin + path)


async def test_who_does_not_answer_in_time_or_at_all_is_away(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Fetcher() as fetcher:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await fetcher.get("http://127.0.0.1:1/x")


@pytest.mark.parametrize(
    "url",
    ["http://login.example/", "ftp://x", "file:///etc/passwd", "https://u:p@x/", "https:///x", "https://[x/",
     "http://127.0.0.1.evil.example/", "http://0x7f000001/", "https://x/#a", "https://x:99999/", ""],
)  # fmt: skip
def test_only_https_and_loopback_are_fetched_from(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url)


@pytest.mark.parametrize("url", ["https://x/", "http://127.0.0.1:8/x", "http://[::1]/", "http://localhost/"])
def test_these_are_permitted(url: str) -> None:
    assert check_url(url) == url
