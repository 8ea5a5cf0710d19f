"""A server behind HAProxy, nginx and Caddy, each with the example of the page about proxies."""

import asyncio
import ipaddress
import json
import shutil
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from support.edge import edge, legacy
from support.proxies import NAME, PROXIES, Proxied, proxied
from support.tools import FakeTools
from support.waiting import until
from wand_server.auth.origins import Origins
from wand_server.model import Call, ToolResult
from wand_server.protocol.messages import BYTES_CEILING
from wand_server.transports.limits import Rate, Rates

TIGHT = Rate(per_second=0.001, burst=2)


class Telling(FakeTools):
    """Before it waits, `slow` tells that it has begun."""

    async def _slow(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        assert call.progress is not None
        await call.progress(1, 2, "begun")
        return await super()._slow(arguments, call)


@pytest.fixture(params=PROXIES)
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proxied]:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param}: apt-get install {request.param}")
    async with edge(tmp_path, Telling()) as behind:
        behind.transport.guard.admit(Origins.of((NAME,), ()))
        behind.transport.proxies = (ipaddress.ip_network("127.0.0.1"),)
        async with proxied(request.param, behind, tmp_path) as before:
            yield before


async def event(stream: Any) -> dict[str, Any]:
    """The next message of an event stream."""
    async with asyncio.timeout(60):
        while line := await stream.readline():
            if line.startswith(b"data: {"):
                return dict(json.loads(line.removeprefix(b"data: ")))
    raise AssertionError("the stream ended")


async def test_both_eras_are_answered(served: Proxied) -> None:
    status, body = await served.ask(**served.call("echo", {"text": "x"}))
    assert (status, body["result"]["structuredContent"]["text"]) == (200, "x")

    headers = await served.initialize()
    asked = legacy("tools/call", {"name": "echo", "arguments": {"text": "y"}})
    status, body = await served.ask(json=asked, headers=headers)
    assert (status, body["result"]["structuredContent"]["text"]) == (200, "y")


async def test_an_event_arrives_before_its_call_is_over(served: Proxied) -> None:
    params = {"name": "slow", "arguments": {}, "_meta": {"progressToken": 7}}
    async with served.client.post(served.url, **served.modern("tools/call", params)) as answer:
        first = await event(answer.content)
        served.tools.slow_may_end.set()
        last = await event(answer.content)

    assert (first["params"]["progressToken"], last["result"]["content"][0]["text"]) == (7, "done")


async def test_the_stream_of_a_session_begins_before_there_is_anything_to_tell(served: Proxied) -> None:
    headers = await served.initialize()
    async with asyncio.timeout(60), served.client.get(served.url, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")


async def test_a_call_ends_when_its_client_hangs_up(served: Proxied) -> None:
    params = {"name": "slow", "arguments": {}, "_meta": {"progressToken": 7}}
    async with served.client.post(served.url, **served.modern("tools/call", params)) as answer:
        await event(answer.content)
        assert answer.connection is not None
        assert answer.connection.transport is not None
        answer.connection.transport.abort()

    await until(served.tools.slow_cancelled.is_set)


async def test_a_websocket_is_let_through(served: Proxied) -> None:
    headers = {"Authorization": f"Bearer {served.key}"}
    call = served.call("echo", {"text": "x"})["json"]
    async with served.client.ws_connect(served.url, protocols=("mcp",), headers=headers) as socket:
        await socket.send_json(call)
        told = await socket.receive_json(timeout=90)

    assert told["result"]["structuredContent"]["text"] == "x"


async def test_clients_are_told_apart_by_their_addresses_whatever_they_say(served: Proxied) -> None:
    served.transport.limits.change(Rates(address=TIGHT))
    refused: list[str] = []
    served.transport.refused = lambda address, _: refused.append(address)
    for address in ("127.0.0.2", "127.0.0.3"):
        async with served.come_from(address) as client:
            call = client.call("echo", Authorization="Bearer wand_wrong", X_Forwarded_For="203.0.113.9")
            assert [(await client.ask(**call))[0] for _ in range(3)] == [401, 401, 429]

    assert refused == ["127.0.0.2"] * 2 + ["127.0.0.3"] * 2


async def test_what_is_large_comes_through_and_what_is_too_large_wand_itself_refuses(served: Proxied) -> None:
    status, body = await served.ask(**served.call("big"))
    assert (status, len(body["result"]["content"][0]["text"])) == (200, 1_000_000)

    for length, expected in ((BYTES_CEILING - 4096, 200), (BYTES_CEILING + 4096, 413)):
        call = served.call("echo", {"text": "x" * length})
        whole = BytesIO(json.dumps(call.pop("json")).encode())
        status, body = await served.ask(data=whole, **call)
        assert (status, body["jsonrpc"]) == (expected, "2.0")


async def test_a_long_header_comes_through(served: Proxied) -> None:
    status, body = await served.ask(**served.call("echo", Authorization=f"Bearer wand_{'x' * 7500}"))
    assert (status, body["jsonrpc"]) == (401, "2.0")


async def test_a_browser_is_told_to_ask_by_https_alone(served: Proxied) -> None:
    async with served.client.get(f"{served.origin}/health") as answer:
        assert answer.headers.getall("Strict-Transport-Security") == ["max-age=31536000"]
