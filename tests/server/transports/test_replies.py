"""An answer in one piece is the answer that aiohttp would send, byte for byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from wand_server.transports import replies, routes
from wand_server.transports.replies import JSON_TYPE, Whole

BODY = '{"text":"é"}'.encode()
MORE = {"Mcp-Session-Id": "7d6f"}


async def whole(_: web.BaseRequest) -> web.StreamResponse:
    return Whole(BODY, MORE)


async def apart(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=BODY, content_type=JSON_TYPE, headers=MORE)


async def refuse(_: web.BaseRequest) -> web.Response:
    raise AssertionError("nobody signs in here")


@contextlib.asynccontextmanager
async def listening(always: dict[str, str]) -> AsyncIterator[int]:
    table = {"/whole": {"POST": routes.Open(whole)}, "/apart": {"POST": routes.Open(apart)}}
    server = routes.server(table, refuse, lambda _: True, always)  # type: ignore[arg-type]
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await server.shutdown(1)


async def ask(port: int, path: str, kind: str, answers: int) -> bytes:
    """Everything that comes back to that request, and to another where it is not the last, until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for head in (kind.format(path), f"POST {path} HTTP/1.1\r\nConnection: close\r\n")[:answers]:
        writer.write(f"{head}Host: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    back = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return back


@pytest.mark.parametrize("always", [{}, {"Strict-Transport-Security": "max-age=1"}])
@pytest.mark.parametrize(("kind", "answers"), [
    ("POST {} HTTP/1.1\r\n", 2),
    ("POST {} HTTP/1.1\r\nConnection: close\r\n", 1),
    ("POST {} HTTP/1.1\r\nOrigin: http://localhost:3000\r\n", 2),
    ("POST {} HTTP/1.0\r\n", 1),
    ("POST {} HTTP/1.0\r\nConnection: keep-alive\r\n", 2),
])  # fmt: skip
async def test_in_one_piece_it_is_the_same_answer(
    kind: str, answers: int, always: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = "Thu, 26 Nov 2026 08:00:00 GMT"
    monkeypatch.setattr("aiohttp.web_response.rfc822_formatted_time", lambda: now)
    monkeypatch.setattr(replies, "_date", lambda _: now)
    async with listening(always) as port:
        back = await ask(port, "/whole", kind, answers)
        assert back == await ask(port, "/apart", kind, answers)

    assert back.count(BODY) == back.count(b"200 OK") == answers


def test_the_date_is_written_as_http_wants_it() -> None:
    assert replies._date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
