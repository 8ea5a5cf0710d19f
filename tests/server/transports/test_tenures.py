"""What a sign-in has opened ends with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from support.edge import Edge, edge, legacy
from support.signins import Passwords
from wand_server.model import Principal
from wand_server.scopes import EVERYDAY
from wand_server.transports.tenures import Tenures

WAYS = Passwords({})


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    WAYS.granted, WAYS.over = {"ann": EVERYDAY, "ben": EVERYDAY}, set()
    async with edge(tmp_path, ways=[WAYS], legacy_sse=True) as running:
        yield running


async def test_a_session_and_its_stream_end_and_nobody_else_s(server: Edge) -> None:
    ann, ben = await server.initialize(key="ann"), await server.initialize(key="ben")
    async with server.client.get(server.url, headers=ann) as stream:
        WAYS.over.add("ann")
        await server.transport.end_over()
        await asyncio.wait_for(drained(stream), 20)
        WAYS.over.clear()

    async with server.client.post(server.url, json=legacy("ping"), headers=ann) as response:
        assert response.status == 404
    async with server.client.post(server.url, json=legacy("ping"), headers=ben) as response:
        assert response.status == 200


async def drained(stream: aiohttp.ClientResponse) -> None:
    try:
        await stream.read()
    except aiohttp.ClientPayloadError:
        return


async def test_a_call_that_runs_is_cancelled_and_says_why(server: Edge) -> None:
    asking = asyncio.create_task(server.ask(**server.call("slow", Authorization="Bearer ann")))
    await server.tools.slow_began.wait()
    WAYS.over.add("ann")

    await server.transport.end_over()

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 20)
    status, body = await asyncio.wait_for(asking, 20)
    assert (status, body["id"]) == (401, 1)
    assert "was taken back while the call ran" in body["error"]["message"]


async def test_an_answer_that_has_begun_breaks_off(server: Edge) -> None:
    params = {"name": "flood", "arguments": {}, "_meta": {"progressToken": "t"}}
    request = server.modern("tools/call", params, Authorization="Bearer ann")
    async with server.client.post(server.url, **request) as response:
        await response.content.readline()
        WAYS.over.add("ann")
        await server.transport.end_over()
        await asyncio.wait_for(drained(response), 20)

    assert response.status == 200


async def test_a_call_ends_with_its_sign_in_while_its_session_goes_on_with_the_next(server: Edge) -> None:
    WAYS.granted = {"ann/1": EVERYDAY, "ann/2": EVERYDAY}
    first = await server.initialize(key="ann/1")
    second = {**first, "Authorization": "Bearer ann/2"}
    asked = legacy("tools/call", {"name": "slow", "arguments": {}})
    asking = asyncio.create_task(server.ask(json=asked, headers=first))
    await server.tools.slow_began.wait()
    assert (await server.ask(json=legacy("ping", message_id=2), headers=second))[0] == 200
    WAYS.over.add("ann/1")

    await server.transport.end_over()

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 20)
    await asyncio.gather(asking, return_exceptions=True)
    assert (await server.ask(json=legacy("ping", message_id=3), headers=second))[0] == 200


async def test_a_silent_websocket_is_told_why(server: Edge) -> None:
    headers = {"Authorization": "Bearer ann"}
    async with server.client.ws_connect(server.url, headers=headers, protocols=["mcp"]) as ws:
        WAYS.over.add("ann")
        await server.transport.end_over()
        last = await ws.receive(5)

    assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)


async def never(_: Principal) -> bool:
    return False


async def test_a_stream_ends_with_its_token_and_a_call_goes_on() -> None:
    ended: list[str] = []
    tenures = Tenures(never)
    late = Principal(name="ann", means="token", expires=time.time() - 1)
    early = Principal(name="ann", means="token", expires=time.time() + 60)

    with (
        tenures.call(late, lambda: ended.append("call")),
        tenures.stream(early, lambda: ended.append("early")),
        tenures.stream(late, lambda: ended.append("late")),
    ):
        await tenures.look()
    await tenures.look()

    assert ended == ["late"]


async def test_what_is_over_while_others_are_looked_at_is_not_ended() -> None:
    """Its connection may serve another request by then."""
    ended: list[str] = []
    ann = Principal(name="ann", means="token")

    async def over(_: Principal) -> bool:
        tenure.__exit__()
        return True

    tenures = Tenures(over)
    tenure = tenures.call(ann, lambda: ended.append("call"))
    with tenure:
        await tenures.look()

    assert ended == []


async def test_a_session_goes_on_with_the_next_key_of_its_owner(server: Edge) -> None:
    """The scopes that count are those of the request."""
    ann = await server.initialize(key="ann")
    WAYS.granted["ann"] = ["wand:read"]
    asked = legacy("tools/call", {"name": "slow", "arguments": {}})

    async with server.client.post(server.url, json=asked, headers=ann) as response:
        assert response.status == 403
