"""The table of paths and methods, over a real socket."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.edge import MODERN, Edge, edge
from wand_server.transports.routes import Guarded, Open


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


async def said(server: Edge, *lines: str, body: bytes = b"", after: bytes = b"\r\n\r\n") -> bytes:
    """What comes back to these lines, until what is awaited; then the body is sent, and the rest read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
    writer.write("\r\n".join((*lines, "Host: localhost", "", "")).encode())
    try:
        answer = await asyncio.wait_for(reader.readuntil(after), 20)
        if body:
            writer.write(body)
            answer += await asyncio.wait_for(reader.readuntil(b"}}"), 20)
        return answer
    finally:
        writer.close()
        await writer.wait_closed()


def post(server: Edge, **more: str) -> list[str]:
    headers = {**server.headers(**more)}
    return ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]


async def test_a_client_that_waits_to_be_told_sends_its_body_then(server: Edge) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    more = {"Expect": "100-continue", "Content-Length": str(len(body)), "Mcp-Session-Id": "none"}

    answer = await said(server, *post(server, **more), body=body)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert b"HTTP/1.1 404 " in answer
    assert b"no such session" in answer


SECRET = "wand_for-my-eyes"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {SECRET}\x01",
        f"Authorization Bearer {SECRET}",
        f"Authorization: Bearer {SECRET}{'x' * 9000}",
        f"Transfer-Encoding: chunked\r\n\r\nZZ {SECRET}",
    ],
)
async def test_what_is_no_http_is_repeated_to_nobody(
    server: Edge, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await said(server, "POST /mcp HTTP/1.1", line, after=b"}}")

    assert b" 400 Bad Request" in answer
    assert b'"jsonrpc":"2.0"' in answer
    assert SECRET not in answer.decode() + caplog.text
    assert "request unreadable" in caplog.text


@pytest.mark.parametrize(
    "lines",
    [
        ["GET /health HTTP/1.1"],
        ["GET /nowhere HTTP/1.1"],
        ["OPTIONS /mcp HTTP/1.1", "Origin: http://localhost", "Access-Control-Request-Method: POST"],
        ["POST /mcp HTTP/1.1", "Origin: http://localhost"],
        ["POST /mcp HTTP/1.1", "no header"],
        ["no request"],
    ],
)
async def test_no_answer_tells_what_the_server_is_made_with(server: Edge, lines: list[str]) -> None:
    answer = await said(server, *lines)

    assert re.findall(rb"\r\nServer: (.*)\r\n", answer) == [b"wand"]


async def test_an_upgrade_tells_no_more_of_the_server(server: Edge) -> None:
    answer = await said(
        server,
        "GET /mcp HTTP/1.1",
        f"Authorization: Bearer {server.key}",
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: mcp"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
    )

    assert b" 101 " in answer
    assert re.findall(rb"\r\nServer: (.*)\r\n", answer) == [b"wand"]


@pytest.mark.parametrize(
    ("version", "coding", "status"),
    [
        ("HTTP/1.1", "chunked", 202),
        ("HTTP/1.1", "Chunked", 202),
        ("HTTP/1.1", "gzip, chunked", 501),
        ("HTTP/1.0", "chunked", 501),
        ("HTTP/2.0", "chunked", 505),
    ],
)
async def test_a_body_is_read_only_as_it_is_coded(
    server: Edge, version: str, coding: str, status: int
) -> None:
    body = '{"jsonrpc":"2.0","method":"notifications/cancelled"}'
    _, *lines = post(server, **{"MCP-Protocol-Version": MODERN, "Transfer-Encoding": coding})
    chunk = f"{len(body):x}\r\n{body}\r\n0"

    answer = await said(server, f"POST /mcp {version}", *lines, "Host: localhost", "", chunk)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"\r\nConnection: close\r\n" in answer) == (status > 500)


async def test_another_version_of_http_is_not_spoken(server: Edge) -> None:
    answer = await said(server, "GET /livez HTTP/2.0", after=b"}}")

    assert answer.startswith(b"HTTP/1.1 505 ")


async def test_another_expectation_is_refused(server: Edge) -> None:
    answer = await said(server, *post(server, Expect="a miracle", **{"Content-Length": "0"}), after=b"}}")

    assert answer.startswith(b"HTTP/1.1 417 ")
    assert b"Expect: must be 100-continue" in answer


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PUT", "/mcp", 405, "DELETE,GET,POST"),
        ("HEAD", "/health", 405, "GET"),
        ("GET", "/mcp/", 404, None),
        ("GET", "/health?verbose=1", 200, None),
        ("GET", "/messages", 404, None),
    ],
)
async def test_a_path_and_a_method_are_found_or_told_what_is_permitted(
    server: Edge, method: str, path: str, status: int, allow: str | None
) -> None:
    async with server.client.request(method, server.origin + path) as response:
        assert (response.status, response.headers.get("Allow")) == (status, allow)


async def test_every_route_that_is_guarded_asks_who_it_is_and_no_other_does(tmp_path: Path) -> None:
    async with edge(tmp_path, legacy_sse=True) as server:
        for path, methods in server.transport.routes().items():
            for method, route in methods.items():
                async with server.client.request(method, server.origin + path) as response:
                    is_refused = response.status == 401 and "WWW-Authenticate" in response.headers
                    assert is_refused == isinstance(route, Guarded), (method, path, response.status)


def test_strangers_learn_how_the_server_fares_and_no_more(server: Edge) -> None:
    table = server.transport.routes()
    answered = {path for path, methods in table.items() for one in methods.values() if isinstance(one, Open)}

    assert answered == {"/health", "/livez", "/readyz"}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost/health", 200),
        ("http://localhost:1/health", 421),
        ("http://evil.example/health", 421),
        ("http://localhost@evil.example/health", 421),
        ("http:/health", 400),
        ("http://[/health", 400),
    ],
)
async def test_a_target_that_names_a_host_names_the_one_in_host(
    server: Edge, target: str, status: int
) -> None:
    answer = await said(server, f"GET {target} HTTP/1.1")

    assert f" {status} ".encode() in answer.partition(b"\r\n")[0]


async def test_a_body_that_is_said_to_be_too_large_is_not_waited_for(server: Edge) -> None:
    answer = await said(server, *post(server, **{"Content-Length": str(4 * 1024 * 1024 + 1)}))

    assert answer.startswith(b"HTTP/1.1 413 ")
