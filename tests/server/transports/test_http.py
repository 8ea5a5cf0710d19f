"""What HTTP itself refuses, and how: always as JSON-RPC."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.edge import Edge, edge
from support.waiting import until
from wand_server.transports.speaking import Speaker

BODIES = {
    b"": -32700,
    b"{": -32700,
    b"\xff\xfe": -32700,
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":NaN}}': -32700,
    b'{"a":' * 150 + b"1" + b"}" * 150: -32700,
    b"[" * 100_000: -32700,
    b"[]": -32600,
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]': -32600,
    b"3": -32600,
    b'{"jsonrpc":"1.0","id":1,"method":"ping"}': -32600,
    b'{"jsonrpc":"2.0","id":1}': -32600,
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}': -32600,
    b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}': -32600,
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}': -32600,
    b'{"jsonrpc":"2.0","id":1,"method":7}': -32600,
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}': -32600,
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:40].decode("latin-1"))
async def test_a_body_that_is_no_message_is_refused(server: Edge, body: bytes) -> None:
    status, answer = await server.ask(data=body, headers=server.headers())

    assert (status, answer["error"]["code"]) == (400, BODIES[body])
    assert answer["jsonrpc"] == "2.0"


async def test_a_message_that_cannot_be_read_is_answered_under_its_id(server: Edge) -> None:
    _, answer = await server.ask(data=b'{"jsonrpc":"2.0","id":"a7","method":7}', headers=server.headers())

    assert answer["id"] == "a7"
    assert "method" in answer["error"]["message"]


HEADERS: dict[str, tuple[dict[str, str | None], int]] = {
    "no key": ({"Authorization": None}, 401),
    "a wrong key": ({"Authorization": "Bearer wand_wrong"}, 401),
    "another scheme": ({"Authorization": "Basic d2FuZA=="}, 401),
    "a key that is no text": ({"Authorization": "Bearer w\udcff"}, 401),
    "a foreign host": ({"Host": "evil.example"}, 421),
    "a host that only begins like ours": ({"Host": "localhost.evil.example"}, 421),
    "a foreign origin": ({"Origin": "https://evil.example"}, 403),
    "no origin at all": ({"Origin": "null"}, 403),
    "text": ({"Content-Type": "text/plain"}, 415),
    "compressed": ({"Content-Encoding": "gzip"}, 415),
    "compressed as nobody here can read": ({"Content-Encoding": "br"}, 415),
    "only JSON": ({"Accept": "application/json"}, 406),
    "only HTML": ({"Accept": "text/html"}, 406),
}


@pytest.mark.parametrize("case", HEADERS)
async def test_a_request_that_is_not_for_us_is_refused(server: Edge, case: str) -> None:
    headers, wanted = HEADERS[case]
    request = server.call("echo", None, **headers)
    request["data"] = json.dumps(request.pop("json")).encode()

    async with server.client.post(server.url, **request) as response:
        body = await response.json()

    assert response.status == wanted
    assert (body["jsonrpc"], body["id"]) == ("2.0", None)
    assert ("WWW-Authenticate" in response.headers) == (wanted == 401)
    assert server.tools.calls == []


async def test_a_key_in_the_address_opens_nothing(server: Edge) -> None:
    request = server.call("echo", None, Authorization=None)
    request["params"] = {"access_token": server.key, "key": server.key}
    async with server.client.post(server.url, **request) as response:
        assert response.status == 401


async def test_who_is_not_let_in_is_told_of(server: Edge) -> None:
    heard: list[tuple[str, str]] = []
    server.transport.refused = lambda *told: heard.append(told)
    for more in ({"Authorization": "Bearer wand_wrong"}, {}):
        async with server.client.post(server.url, **server.call("echo", None, **more)) as response:
            await response.read()
    assert heard == [("127.0.0.1", "the API key is not known here")]


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"])
async def test_a_page_on_this_machine_may_ask(server: Edge, origin: str) -> None:
    status, _ = await server.ask(**server.call("echo", None, Origin=origin))

    assert status == 200


async def test_a_body_that_is_too_large_is_refused(server: Edge) -> None:
    async with server.client.post(
        server.url, data=io.BytesIO(b" " * (4 * 1024 * 1024 + 1)), headers=server.headers()
    ) as response:
        body = await response.json()

    assert response.status == 413
    assert "4194304" in body["error"]["message"]


async def test_a_body_that_never_ends_is_given_up(server: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.bodies.BODY_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
    head = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Length: 100",
        *(f"{name}: {value}" for name, value in server.headers().items()),
    ]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n{")

    answer = await asyncio.wait_for(reader.readuntil(b"}}"), 20)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive" in answer
    writer.close()
    await writer.wait_closed()


async def test_there_are_only_so_many_large_requests_at_once(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.room.LARGE_CEILING", 0)
    large = server.call("echo", {"text": "x" * 70_000})

    assert [(await server.ask(**one))[0] for one in (large, server.call("echo"))] == [429, 200]


async def test_there_are_only_so_many_requests_at_once(server: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.room.REQUESTS_CEILING", 1)
    running = asyncio.create_task(server.ask(**server.call("slow")))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    async with server.client.post(server.url, **server.call("echo")) as response:
        body = await response.json()

    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert "at once" in body["error"]["message"]
    server.tools.slow_may_end.set()
    assert (await running)[0] == 200


ELSEWHERE = {("GET", "/"): 404, ("POST", "/sse"): 404, ("PUT", "/mcp"): 405, ("POST", "/health"): 405}


@pytest.mark.parametrize("place", ELSEWHERE)
async def test_what_is_not_there_is_refused_as_json(server: Edge, place: tuple[str, str]) -> None:
    async with server.client.request(place[0], server.origin + place[1]) as response:
        body = await response.json()

    assert response.status == ELSEWHERE[place]
    assert body["error"]["code"] == -32600
    assert ("MCP is served at /mcp" in body["error"]["message"]) == (response.status == 404)


@pytest.mark.parametrize(("hostagent", "status", "word"), [("up", 200, "ok"), ("down", 503, "degraded")])
async def test_health_tells_whether_calls_can_reach_the_host(
    server: Edge, hostagent: str, status: int, word: str
) -> None:
    server.health[0] = hostagent == "up"

    async with server.client.get(f"{server.origin}/health") as response:
        assert response.status == status
        body = await response.json()

    assert body == {"status": word, "version": "1.2.3", "hostagent": hostagent}


async def test_a_stream_is_only_for_who_can_read_it(server: Edge) -> None:
    async with server.client.get(server.url, headers=server.headers(Accept="application/json")) as response:
        assert response.status == 406


async def test_a_defect_of_ours_is_told_by_an_id_only(server: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("the secret is 1234")

    monkeypatch.setattr("wand_server.protocol.messages.read", breaks)

    status, body = await server.ask(**server.call("echo"))

    assert (status, body["error"]["code"]) == (500, -32603)
    assert "1234" not in str(body)


def is_idle(connection: object) -> bool:
    return isinstance(connection, Speaker) and connection.is_idle


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST /mcp HTTP/1.1\r\nHost: ",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    ],
)
async def test_over_the_ceiling_a_connection_that_asks_for_nothing_makes_room(
    server: Edge, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("wand_server.transports.http.CONNECTIONS_CEILING", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
    writer.write(said)
    if said.endswith(b"\r\n\r\n"):
        await asyncio.wait_for(reader.readuntil(b"}"), 20)  # the answer
    await until(lambda: any(map(is_idle, server.transport._server.connections)))

    status, _ = await server.ask(**server.call("echo"))

    assert status == 200
    await asyncio.wait_for(reader.read(), 20)  # to its end
    writer.close()
    await writer.wait_closed()


async def test_there_are_only_so_many_connections_that_ask(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.http.CONNECTIONS_CEILING", 1)
    running = asyncio.create_task(server.ask(**server.call("slow")))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    second = await asyncio.open_connection("127.0.0.1", server.transport.port)

    assert await asyncio.wait_for(second[0].read(), 20) == b""
    server.tools.slow_may_end.set()
    assert (await running)[0] == 200
    second[1].close()
    await second[1].wait_closed()


async def test_a_connection_that_never_asks_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.http.IDLE_SECONDS", 0.05)
    async with edge(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: ")

        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        await writer.wait_closed()


async def test_a_body_with_broken_framing_is_refused(server: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
    head = ["POST /mcp HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"]
    head += [f"{name}: {value}" for name, value in server.headers().items()]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\nzz\r\n")

    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)

    assert b" 400 " in answer
    writer.close()
    await writer.wait_closed()
