"""What a client hears of between its answers, in both eras, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.edge import Edge, edge, legacy
from support.host import FakeHost
from support.waiting import until
from wand_server.protocol.reading import Library
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.resources import HostResources

STDOUT = "wand://jobs/j-1/stdout"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
KNOWS_TASKS: dict[str, Any] = {
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
}


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    host.part = replace(host.part, running=True)
    return host


@pytest.fixture
async def server(tmp_path: Path, host: FakeHost) -> AsyncIterator[Edge]:
    async with edge(tmp_path, library=Library(HostResources(host), BuiltInPrompts())) as running:
        yield running


async def heard(stream: aiohttp.ClientResponse) -> dict[str, Any]:
    """The next message of a stream."""
    async with asyncio.timeout(60):
        while not (line := await stream.content.readline()).startswith(b"data: {"):
            assert line, "the stream has ended"
    return dict(json.loads(line.removeprefix(b"data: ")))


def listen(server: Edge, **wanted: Any) -> Any:
    request = server.modern("subscriptions/listen", {"notifications": wanted, "_meta": KNOWS_TASKS})
    return server.client.post(server.url, **request)


async def test_what_is_not_told_is_not_promised(server: Edge) -> None:
    wanted = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
    uris = [STDOUT, "wand://host/info", "wand://nothing"]

    async with listen(server, **wanted, resourceSubscriptions=uris, taskIds=["none"]) as stream:
        first = await heard(stream)

    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": [STDOUT]}
    assert first["params"]["_meta"] == {SUBSCRIPTION: 1}


async def test_a_new_list_of_tools_is_told_to_those_who_asked(server: Edge) -> None:
    kernel = server.transport.kernel
    async with listen(server, toolsListChanged=True) as told, listen(server) as silent:
        await heard(told)
        await heard(silent)
        kernel.tools_changed()
        assert (await heard(told))["method"] == "notifications/tools/list_changed"
        kernel.end_streams()
        ended = await heard(silent)

    assert ended["result"]["_meta"][SUBSCRIPTION] == 1


async def test_output_of_a_job_is_told_until_the_job_has_ended(server: Edge, host: FakeHost) -> None:
    async with listen(server, resourceSubscriptions=[STDOUT]) as stream:
        await heard(stream)
        host.part = replace(host.part, total_bytes=99)
        more = await heard(stream)
        host.part = replace(host.part, running=False)
        ended = await heard(stream)

    assert (more["method"], more["params"]["uri"]) == ("notifications/resources/updated", STDOUT)
    assert ended["params"] == {"uri": STDOUT, "_meta": {SUBSCRIPTION: 1}}


async def test_a_task_is_told_to_its_principal_alone(server: Edge) -> None:
    call = server.modern("tools/call", {"name": "slow", "arguments": {}, "_meta": KNOWS_TASKS})
    _, body = await server.ask(**call)
    task = body["result"]["taskId"]
    other = server.modern(
        "subscriptions/listen",
        {"notifications": {"taskIds": [task]}, "_meta": KNOWS_TASKS},
        Authorization=f"Bearer {server.other_key}",
    )

    async with listen(server, taskIds=[task]) as mine, server.client.post(server.url, **other) as others:
        assert (await heard(mine))["params"]["notifications"] == {"taskIds": [task]}
        assert (await heard(others))["params"]["notifications"] == {}
        server.tools.slow_may_end.set()
        told = await heard(mine)

    assert (told["method"], told["params"]["taskId"]) == ("notifications/tasks", task)
    assert (told["params"]["status"], told["params"]["result"]["isError"]) == ("completed", False)


async def test_a_session_that_subscribes_is_told_on_its_stream_until_it_unsubscribes(
    server: Edge, host: FakeHost
) -> None:
    session = await server.initialize()
    status, _ = await server.ask(json=legacy("resources/subscribe", {"uri": STDOUT}), headers=session)
    assert status == 200

    async with server.client.get(server.url, headers=session) as stream:
        host.part = replace(host.part, total_bytes=99)
        told = await heard(stream)
    await server.ask(json=legacy("resources/unsubscribe", {"uri": STDOUT}), headers=session)
    asked = len(host.asked)
    await server.ask(json=legacy("resources/read", {"uri": "wand://host/info"}), headers=session)

    assert told == {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": STDOUT}}
    assert len(host.asked) == asked + 1


async def test_a_session_that_ends_watches_nothing_any_more(server: Edge, host: FakeHost) -> None:
    session = await server.initialize()
    await server.ask(json=legacy("resources/subscribe", {"uri": STDOUT}), headers=session)
    await until(lambda: len(host.asked) > 2)
    async with server.client.delete(server.url, headers=session):
        asked = len(host.asked)
    await server.ask(**server.call("echo"))

    assert len(host.asked) == asked


async def test_a_session_that_makes_room_watches_nothing_any_more(
    server: Edge, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.sessions.SESSIONS_OF_ONE_CEILING", 1)
    session = await server.initialize()
    await server.ask(json=legacy("resources/subscribe", {"uri": STDOUT}), headers=session)
    await until(lambda: len(host.asked) > 2)

    await server.initialize()
    asked = len(host.asked)
    for _ in range(20):
        await server.ask(**server.call("echo"))

    assert len(host.asked) == asked


@pytest.mark.parametrize("uri", ["wand://nothing", "wand://audit", "https://example.org/"])
async def test_what_cannot_be_watched_is_refused_in_words_that_say_what_can(server: Edge, uri: str) -> None:
    session = await server.initialize()

    _, body = await server.ask(json=legacy("resources/subscribe", {"uri": uri}), headers=session)

    assert (body["error"]["code"], body["error"]["data"]) == (-32602, {"uri": uri})
    assert "files, what jobs print, and wand://host/status can be watched" in body["error"]["message"]


async def test_listening_takes_no_place_of_a_request(server: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.room.REQUESTS_CEILING", 1)

    async with listen(server, toolsListChanged=True) as stream:
        await heard(stream)
        status, _ = await server.ask(**server.call("echo"))

    assert status == 200
