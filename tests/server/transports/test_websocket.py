"""JSON-RPC in text frames over a real WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSCloseCode

from support.edge import ENVELOPE, LEGACY, Edge, edge, legacy
from support.waiting import turns
from wand_server.auth import keyfile
from wand_server.protocol import messages
from wand_server.protocol.failures import BUSY, PARSE_ERROR
from wand_server.transports import websocket
from wand_server.transports.limits import Rate, Rates


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


@asynccontextmanager
async def connected(served: Edge, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client that has been upgraded."""
    sent = {"Authorization": f"Bearer {served.key}", **headers}
    async with served.client.ws_connect(served.url, protocols=("mcp",), headers=sent) as socket:
        yield socket


async def refused(served: Edge, *, protocols: tuple[str, ...] = ("mcp",), **headers: str) -> int:
    """The status under which an upgrade is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as why:
        await served.client.ws_connect(served.url, protocols=protocols, headers=headers)
    return why.value.status


def modern(method: str, message_id: int = 1, **params: Any) -> dict[str, Any]:
    return legacy(method, {**params, "_meta": {**ENVELOPE, **params.get("_meta", {})}}, message_id)


def call(
    tool: str, message_id: int = 1, arguments: dict[str, Any] | None = None, **meta: Any
) -> dict[str, Any]:
    return modern("tools/call", message_id, name=tool, arguments=arguments or {}, _meta=meta)


async def ask(socket: aiohttp.ClientWebSocketResponse, message: dict[str, Any]) -> Any:
    await socket.send_json(message)
    return await socket.receive_json(timeout=5)


async def ended(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code under which the server ends the connection."""
    while (await socket.receive(timeout=5)).type not in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}:
        pass
    return socket.close_code


async def test_both_eras_are_answered(served: Edge) -> None:
    about = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "p", "version": "1"}}
    async with connected(served) as old, connected(served) as new:
        assert old.protocol == "mcp"
        assert (await ask(old, legacy("initialize", about)))["result"]["protocolVersion"] == LEGACY
        await old.send_json({"jsonrpc": "2.0", "method": "notifications/initialized"})
        said = {"name": "echo", "arguments": {"text": "old"}}
        answers = [
            await ask(old, legacy("tools/call", said, 2)),
            await ask(new, call("echo", arguments={"text": "new"})),
        ]

    assert [answer["result"]["content"][0]["text"] for answer in answers] == ["old", "new"]
    assert {one.principal.name for _, _, one in served.tools.calls} == {"probe"}


async def test_progress_comes_before_the_answer(served: Edge) -> None:
    async with connected(served) as socket:
        await socket.send_json(call("count", progressToken="p"))
        got = [await socket.receive_json(timeout=5) for _ in range(4)]

    assert [one["params"]["progress"] for one in got[:3]] == [1, 2, 3]
    assert got[3]["result"]["isError"] is False


async def test_a_cancelled_call_ends_and_the_connection_goes_on(served: Edge) -> None:
    async with connected(served) as socket:
        await socket.send_json(call("slow", 5))
        await asyncio.wait_for(served.tools.slow_began.wait(), 20)
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
        await socket.send_json(cancel)

        await asyncio.wait_for(served.tools.slow_cancelled.wait(), 20)
        assert (await ask(socket, modern("tools/list", 6)))["id"] == 6


async def test_a_client_that_goes_away_takes_its_calls_along(served: Edge) -> None:
    async with connected(served) as socket:
        await socket.send_json(call("slow"))
        await asyncio.wait_for(served.tools.slow_began.wait(), 20)

    await asyncio.wait_for(served.tools.slow_cancelled.wait(), 20)


@pytest.mark.parametrize(
    ("headers", "protocols", "status"),
    [
        ({}, ("mcp",), 401),
        ({"Authorization": "Bearer wand_nobody"}, ("mcp",), 401),
        ({"Authorization": "KEY", "Host": "elsewhere.example"}, ("mcp",), 421),
        ({"Authorization": "KEY", "Origin": "https://elsewhere.example"}, ("mcp",), 403),
        ({"Authorization": "KEY"}, ("graphql-ws",), 400),
        ({"Authorization": "KEY"}, (), 400),
    ],
)
async def test_what_may_not_come_in_is_not_upgraded(
    served: Edge, headers: dict[str, str], protocols: tuple[str, ...], status: int
) -> None:
    filled = {name: f"Bearer {served.key}" if text == "KEY" else text for name, text in headers.items()}
    assert await refused(served, protocols=protocols, **filled) == status


async def test_what_is_no_message_is_answered_and_the_next_is_read(served: Edge) -> None:
    async with connected(served) as socket:
        for text, code in (("{", -32700), ("[]", -32600), ('{"jsonrpc":"2.0","id":1}', -32600)):
            await socket.send_str(text)
            assert (await socket.receive_json(timeout=5))["error"]["code"] == code
        assert "result" in await ask(socket, call("echo"))


async def test_a_frame_that_is_not_masked_ends_the_connection(served: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.transport.port)
    wanted = [
        *("GET /mcp HTTP/1.1", "Host: localhost", f"Authorization: Bearer {served.key}"),
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: mcp"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""),
    ]
    said = messages.write(call("echo"))
    writer.write("\r\n".join(wanted).encode() + bytes([0x81, 126]) + len(said).to_bytes(2) + said)
    try:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        answer = await asyncio.wait_for(reader.readexactly(4), 60)
    finally:
        writer.close()

    assert answer[:1] == b"\x88"  # a close
    assert int.from_bytes(answer[2:]) == WSCloseCode.PROTOCOL_ERROR
    assert served.tools.calls == []


async def test_a_binary_frame_ends_the_connection(served: Edge) -> None:
    async with connected(served) as socket:
        await socket.send_bytes(b"{}")
        assert await ended(socket) == aiohttp.WSCloseCode.UNSUPPORTED_DATA


async def test_a_message_that_is_too_large_ends_the_connection(
    served: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "BYTES_CEILING", 1000)
    async with connected(served) as socket:
        await socket.send_str("x" * 1001)
        assert await ended(socket) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_connection_ends_with_its_key(
    served: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.auth.keys._LOOK_AGAIN_SECONDS", 0.0)
    async with connected(served) as socket:
        assert "result" in await ask(socket, call("echo"))
        keyfile.remove(tmp_path / "keys.toml", "probe")

        await socket.send_json(call("echo", 2))

        assert await ended(socket) == aiohttp.WSCloseCode.POLICY_VIOLATION
    assert len(served.tools.calls) == 1


async def test_more_requests_than_may_run_are_refused_by_their_id(
    served: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.unanswered.CEILING", 1)
    async with connected(served) as socket:
        await socket.send_json(call("slow", 1))
        refusal = await ask(socket, call("echo", 2))
        served.tools.slow_may_end.set()
        answer = await socket.receive_json(timeout=5)

    assert (refusal["id"], refusal["error"]["code"], answer["id"]) == (2, -31429, 1)


async def test_more_connections_than_may_be_are_refused(
    served: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CONNECTIONS_CEILING", 1)
    async with connected(served):
        assert await refused(served, Authorization=f"Bearer {served.key}") == 503
    async with connected(served) as socket:
        assert "result" in await ask(socket, call("echo"))


async def test_one_principal_leaves_room_for_others(served: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "OF_ONE_CEILING", 1)
    async with connected(served):
        assert await refused(served, Authorization=f"Bearer {served.key}") == 503
        headers = {"Authorization": f"Bearer {served.other_key}"}
        async with served.client.ws_connect(served.url, protocols=("mcp",), headers=headers) as other:
            assert "result" in await ask(other, call("echo"))


async def test_a_client_that_reads_nothing_is_cut_off(served: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "WRITE_SECONDS", 0.2)
    async with connected(served) as socket:
        reading = socket._conn.transport  # type: ignore[union-attr]
        reading.pause_reading()  # type: ignore[union-attr]
        for number in range(64):
            await socket.send_json(call("flood", number, progressToken=number))
        await asyncio.wait_for(gone(served), 10)


async def gone(served: Edge) -> None:
    while served.transport.websockets._open:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)


async def test_a_server_that_stops_tells_its_clients_to_come_back(tmp_path: Path) -> None:
    async with edge(tmp_path) as served:
        socket = await served.client.ws_connect(
            served.url, protocols=("mcp",), headers={"Authorization": f"Bearer {served.key}"}
        )
        stopped = asyncio.create_task(served.transport.websockets.close())
        assert await ended(socket) == aiohttp.WSCloseCode.GOING_AWAY
        await stopped


@pytest.mark.parametrize("kind", ["unreadable", "ping"])
async def test_between_two_frames_everybody_else_has_a_turn(served: Edge, kind: str) -> None:
    async with connected(served) as socket, turns() as had:
        for _ in range(500):
            await (socket.ping() if kind == "ping" else socket.send_str("x"))
        await socket.send_json(call("echo", 7))
        while (await socket.receive_json(timeout=20))["id"] != 7:
            pass

    assert had[0] >= 500


async def test_what_cannot_be_read_is_counted_too(served: Edge) -> None:
    async with connected(served) as socket:
        served.transport.limits.change(Rates(principal=Rate(per_second=0.001, burst=2)))
        for text in ("x", "x", "x"):
            await socket.send_str(text)
        codes = [(await socket.receive_json(timeout=5))["error"]["code"] for _ in range(3)]
        last = await ask(socket, call("echo", 9))

    assert codes == [PARSE_ERROR, PARSE_ERROR, BUSY]
    assert (last["id"], last["error"]["code"]) == (9, BUSY)
