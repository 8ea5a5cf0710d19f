"""2025-03-26 to 2025-11-25 over a real socket: sessions and their streams."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.edge import Edge, edge, legacy
from support.waiting import until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def call(tool: str, message_id: int = 1, **meta: Any) -> dict[str, Any]:
    return legacy("tools/call", {"name": tool, "arguments": {}, "_meta": meta}, message_id)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str]]:
    """Each event of a stream: its id and its data."""
    found = {"id": "", "data": ""}
    async for line in response.content:
        name, _, value = line.decode().strip().partition(": ")
        if name in found:
            found[name] = value
        elif not line.strip() and found["id"]:
            yield found["id"], found["data"]
            found = {"id": "", "data": ""}


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_a_session_of_every_version_lists_and_calls(server: Edge, version: str) -> None:
    session = await server.initialize(version)

    _, listed = await server.ask(json=legacy("tools/list"), headers=session)
    _, called = await server.ask(json=call("echo"), headers=session)

    assert [tool["name"] for tool in listed["result"]["tools"]][:2] == ["echo", "count"]
    assert called["result"]["isError"] is False
    assert server.tools.calls[0][2].client == "probe/7"


@pytest.mark.parametrize("method", ["ping", "logging/setLevel"])
async def test_small_methods_are_answered(server: Edge, method: str) -> None:
    session = await server.initialize()

    status, body = await server.ask(json=legacy(method, {"level": "info"}), headers=session)

    assert (status, body["result"]) == (200, {})


async def test_progress_comes_before_the_answer_and_never_falls(server: Edge) -> None:
    session = await server.initialize()

    async with server.client.post(
        server.url, json=call("count", progressToken=5), headers=session
    ) as response:
        got = [data async for _, data in events(response)]

    assert got[0] == ""  # a place to come back to
    assert [f'"progress":{n}' in data for n, data in zip((1, 2, 3), got[1:4], strict=True)] == [True] * 3
    assert '"isError":false' in got[4]


async def test_a_broken_stream_goes_on_where_it_broke(server: Edge) -> None:
    session = await server.initialize()
    async with server.client.post(server.url, json=call("slow"), headers=session) as response:
        last, _ = await anext(events(response))

    server.tools.slow_may_end.set()
    async with server.client.get(server.url, headers={**session, "Last-Event-ID": last}) as response:
        got = [data async for _, data in events(response)]

    assert '"text":"done"' in got[-1]
    assert not server.tools.slow_cancelled.is_set()


@pytest.mark.parametrize(("most_bytes", "kept"), [(2**20, 16), (1000, 2), (0, 1)])
async def test_of_answers_so_many_and_so_much_is_kept_for_a_client_that_comes_back(
    server: Edge, monkeypatch: pytest.MonkeyPatch, most_bytes: int, kept: int
) -> None:
    monkeypatch.setattr("wand_server.transports.sessions._ENDED_BYTES_KEPT", most_bytes)
    session = await server.initialize()
    for number in range(20):
        told = call("count", number, progressToken="p")
        async with server.client.post(server.url, json=told, headers=session) as response:
            await response.read()

    (one,) = server.transport.sessions._sessions.values()
    ended = [stream.key for stream in one._streams.values() if stream.is_ended]
    assert ended[-1] == f"{one._counter:x}"
    assert len(ended) - 1 <= kept


async def test_of_all_sessions_of_one_principal_so_much_is_kept(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.shares.BYTES_CEILING", 2000)
    sessions = [await server.initialize() for _ in range(5)]
    for number, session in enumerate(sessions * 4):
        told = call("count", number, progressToken="p")
        async with server.client.post(server.url, json=told, headers=session) as response:
            said = await response.text()
            assert '"isError":false' in said

    kept = [one for each in server.transport.sessions._sessions.values() for one in each._streams.values()]
    (share,) = server.transport.sessions._shares.values()
    assert share.size_bytes == sum(one.size_bytes for one in kept)
    assert 0 < share.size_bytes <= 2000 + len(said)


async def test_what_ends_is_counted_no_more(server: Edge) -> None:
    session = await server.initialize()
    for number in range(3):
        told = call("count", number, progressToken="p")
        async with server.client.post(server.url, json=told, headers=session) as response:
            await response.read()
    (share,) = server.transport.sessions._shares.values()
    assert share.size_bytes > 0

    async with server.client.delete(server.url, headers=session):
        pass

    assert (share.size_bytes, share._ended) == (0, {})


async def test_a_cancelled_call_ends(server: Edge) -> None:
    session = await server.initialize()
    running = asyncio.create_task(server.client.post(server.url, json=call("slow", 7), headers=session))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    async with server.client.post(server.url, json=note, headers=session) as response:
        assert response.status == 202

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 20)
    async with await running as response:
        assert "Request cancelled" in await response.text()


@pytest.mark.parametrize("named", ["9" * 5000, "\u0661", [1], {}, None, True])
async def test_a_cancelled_that_names_no_call_is_taken_and_ends_none(server: Edge, named: Any) -> None:
    session = await server.initialize()
    running = asyncio.create_task(server.client.post(server.url, json=call("slow", 1), headers=session))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": named}}
    async with server.client.post(server.url, json=note, headers=session) as response:
        assert response.status == 202

    server.tools.slow_may_end.set()
    async with await running as response:
        assert '"text":"done"' in await response.text()


async def test_an_ended_session_cancels_its_calls_and_is_forgotten(server: Edge) -> None:
    session = await server.initialize()
    running = asyncio.create_task(server.client.post(server.url, json=call("slow"), headers=session))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    async with server.client.delete(server.url, headers=session) as response:
        assert response.status == 200

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 20)
    (await running).release()
    status, _ = await server.ask(json=legacy("ping"), headers=session)
    assert status == 404


async def test_a_session_is_nobody_elses(server: Edge) -> None:
    session = await server.initialize()
    stranger = {**session, "Authorization": f"Bearer {server.other_key}"}

    foreign = await server.ask(json=legacy("ping"), headers=stranger)
    unknown = await server.ask(json=legacy("ping"), headers={**session, "Mcp-Session-Id": "no-such"})

    assert foreign == unknown
    assert foreign[0] == 404


async def test_without_a_session_nothing_is_answered(server: Edge) -> None:
    status, body = await server.ask(json=legacy("tools/list"), headers=server.headers())

    assert (status, body["error"]["code"]) == (400, -32600)
    assert "initialize" in body["error"]["message"]


async def test_a_second_request_of_the_same_id_is_refused_while_the_first_runs(server: Edge) -> None:
    session = await server.initialize()
    running = asyncio.create_task(server.client.post(server.url, json=call("slow"), headers=session))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    status, body = await server.ask(json=call("echo"), headers=session)

    assert (status, body["error"]["code"], body["id"]) == (400, -32600, 1)
    server.tools.slow_may_end.set()
    (await running).release()


async def test_there_are_only_so_many_requests_of_a_session(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.sessions.CALLS_CEILING", 1)
    session = await server.initialize()
    running = asyncio.create_task(server.client.post(server.url, json=call("slow"), headers=session))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    status, body = await server.ask(json=call("echo", 2), headers=session)

    assert (status, body["id"]) == (429, 2)
    server.tools.slow_may_end.set()
    (await running).release()


async def test_an_unknown_version_in_the_header_is_answered_with_those_that_are_known(server: Edge) -> None:
    session = await server.initialize()

    status, body = await server.ask(
        json=legacy("ping"), headers={**session, "MCP-Protocol-Version": "1999-01-01"}
    )

    assert (status, body["error"]["code"]) == (400, -32022)
    assert body["error"]["data"]["requested"] == "1999-01-01"


async def test_an_unused_session_is_ended_and_a_used_one_is_not(server: Edge) -> None:
    unused, used = await server.initialize(), await server.initialize()
    running = asyncio.create_task(server.client.post(server.url, json=call("slow"), headers=used))
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)

    await server.transport.sessions.end_idle(0)

    server.tools.slow_may_end.set()
    (await running).release()
    statuses = [(await server.ask(json=legacy("ping", {}, 9), headers=one))[0] for one in (unused, used)]
    assert statuses == [404, 200]


async def test_a_call_whose_client_stays_away_is_cancelled(server: Edge) -> None:
    session = await server.initialize()
    (kept,) = server.transport.sessions._sessions.values()
    answer = await asyncio.wait_for(server.client.post(server.url, json=call("slow"), headers=session), 10)
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)
    await until(lambda: not kept.is_left_alone)
    server.transport.sessions.cancel_left_alone(0)

    answer.close()
    await until(lambda: kept.is_left_alone)
    server.transport.sessions.cancel_left_alone(60)
    assert not server.tools.slow_cancelled.is_set()
    server.transport.sessions.cancel_left_alone(0)

    await asyncio.wait_for(server.tools.slow_cancelled.wait(), 20)
    assert (await server.ask(json=legacy("ping", {}, 9), headers=session))[0] == 200


async def test_of_too_many_sessions_the_one_unused_for_longest_makes_room(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.sessions.SESSIONS_OF_ONE_CEILING", 2)
    first, second = await server.initialize(), await server.initialize()
    await server.ask(json=legacy("ping"), headers=first)

    third = await server.initialize()

    answers = [await server.ask(json=legacy("ping"), headers=each) for each in (first, second, third)]
    assert [status for status, _ in answers] == [200, 404, 200]


async def test_there_are_only_so_many_sessions_in_use(server: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.sessions.SESSIONS_OF_ONE_CEILING", 1)
    session = await server.initialize()
    answer = await asyncio.wait_for(server.client.post(server.url, json=call("slow"), headers=session), 10)
    await asyncio.wait_for(server.tools.slow_began.wait(), 20)
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "p", "version": "1"}}

    status, body = await server.ask(json=legacy("initialize", about), headers=server.headers())

    assert status == 503
    assert "all in use" in body["error"]["message"]
    await server.initialize(key=server.other_key)
    answer.close()


async def test_a_failed_initialize_leaves_no_session(server: Edge) -> None:
    async with server.client.post(
        server.url, json=legacy("initialize", {"protocolVersion": 5}), headers=server.headers()
    ) as response:
        assert response.status == 400
        assert "Mcp-Session-Id" not in response.headers


async def test_a_version_that_is_no_text_is_refused(server: Edge) -> None:
    session = await server.initialize()

    status, body = await server.ask(
        json=legacy("ping"), headers={**session, "MCP-Protocol-Version": "\udcff"}
    )

    assert (status, body["error"]["code"]) == (400, -32022)


@pytest.mark.parametrize("last", ["zz_1", "g_x", "_", "g", "g_\u0663", "g_" + "9" * 5000])
async def test_an_event_that_never_was_is_no_place_to_go_on(server: Edge, last: str) -> None:
    session = await server.initialize()

    async with server.client.get(server.url, headers={**session, "Last-Event-ID": last}) as response:
        assert response.status == 400


async def test_a_new_stream_of_a_session_takes_the_place_of_the_old(server: Edge) -> None:
    session = await server.initialize()
    async with server.client.get(server.url, headers=session) as first:
        await anext(events(first))
        async with server.client.get(server.url, headers=session) as second:
            await anext(events(second))
            assert await asyncio.wait_for(first.content.read(), 20) == b""


async def test_a_server_that_stops_ends_streams_and_calls(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        session = await server.initialize()
        stream = await server.client.get(server.url, headers=session)
        running = asyncio.create_task(server.client.post(server.url, json=call("slow"), headers=session))
        await asyncio.wait_for(server.tools.slow_began.wait(), 20)

        await asyncio.wait_for(server.transport.__aexit__(None, None, None), 20)

        assert server.tools.slow_cancelled.is_set()
        assert b"data" in await stream.read()
        (await running).release()
        await server.transport.__aenter__()
