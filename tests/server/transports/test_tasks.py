"""The extension io.modelcontextprotocol/tasks over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from support.edge import Edge, edge
from support.host import FakeHost
from support.tools import FakeTools, described
from wand_proto.errors import NotFound
from wand_server.model import Principal, TaskTold, ToolDescription, ToolResult
from wand_server.protocol.reading import Library
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.resources import HostResources

TASKS = "io.modelcontextprotocol/tasks"
KNOWS_TASKS: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}}}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def about(method: str, server: Edge, task: str, **more: Any) -> dict[str, Any]:
    headers = more.pop("headers", {})
    return server.modern(method, {"taskId": task, "_meta": KNOWS_TASKS, **more}, **headers)


async def begun(server: Edge) -> str:
    call = server.modern("tools/call", {"name": "slow", "arguments": {}, "_meta": KNOWS_TASKS})
    status, body = await server.ask(**call)
    assert (status, body["result"]["resultType"], body["result"]["status"]) == (200, "task", "working")
    assert body["result"].keys() >= {"taskId", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs"}
    return str(body["result"]["taskId"])


async def result_of(server: Edge, task: str) -> dict[str, Any]:
    while True:
        status, body = await server.ask(**about("tasks/get", server, task))
        assert status == 200, body
        if body["result"]["status"] != "working":
            return dict(body["result"])


async def test_a_long_call_becomes_a_task_that_has_the_result_in_the_end(server: Edge) -> None:
    task = await begun(server)

    server.tools.slow_may_end.set()
    told = await result_of(server, task)

    assert (told["status"], told["resultType"]) == ("completed", "complete")
    assert told["result"]["content"][0]["type"] == "text"
    assert told["result"]["isError"] is False


async def test_cancelling_a_task_ends_its_tool(server: Edge) -> None:
    task = await begun(server)

    status, body = await server.ask(**about("tasks/cancel", server, task))
    await server.tools.slow_cancelled.wait()

    assert (status, body["result"]["resultType"]) == (200, "complete")
    assert (await result_of(server, task))["status"] == "cancelled"


async def test_another_principal_finds_no_such_task(server: Edge) -> None:
    task = await begun(server)

    requests: dict[str, dict[str, Any]] = {"get": {}, "cancel": {}, "update": {"inputResponses": {}}}
    for method, more in requests.items():
        other = {"headers": {"Authorization": f"Bearer {server.other_key}"}}
        status, body = await server.ask(**about(f"tasks/{method}", server, task, **more, **other))
        assert (status, body["error"]["code"]) == (400, -32602)
        assert "there is no such task" in body["error"]["message"]
    assert not server.tools.slow_cancelled.is_set()


async def test_a_client_without_the_extension_waits_and_is_told_what_it_lacks(server: Edge) -> None:
    server.tools.slow_may_end.set()
    _, called = await server.ask(**server.call("slow"))
    status, asked = await server.ask(**server.modern("tasks/get", {"taskId": "any"}))

    assert called["result"]["resultType"] == "complete"
    assert (status, asked["error"]["code"]) == (400, -32021)
    assert asked["error"]["data"] == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_a_client_of_the_handshake_era_has_no_such_method(server: Edge) -> None:
    headers = await server.initialize()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": "any"}}

    _, answer = await server.ask(json=body, headers=headers)

    assert answer["error"]["code"] == -32601


@pytest.mark.parametrize("name", ["another", None])
async def test_the_header_must_name_the_task(server: Edge, name: str | None) -> None:
    status, body = await server.ask(**about("tasks/get", server, "one", headers={"Mcp-Name": name}))

    assert (status, body["error"]["code"]) == (400, -32020)


@dataclass
class HandedOut:
    """Tasks of agents: one of the principal `probe`."""

    now: TaskTold
    ended: list[str] = field(default_factory=list)

    async def told(self, principal: Principal, task: str) -> TaskTold:
        if (principal.name, task) != ("probe", "mine"):
            raise NotFound("you have no such task")
        return self.now

    async def end(self, principal: Principal, task: str) -> None:
        await self.told(principal, task)
        self.ended.append(task)


WORKING = TaskTold(status="working", message="1 of 2", created=0.0, updated=1.5)
FAILED = ToolResult(text="Denied: rm is denied", is_error=True)


LOOKS, MANAGES = described("get_project_status"), described("manage_tasks", read_only=False)


@asynccontextmanager
async def with_agents(
    folder: Path, now: TaskTold, *offered: ToolDescription
) -> AsyncIterator[tuple[Edge, HandedOut]]:
    has = HandedOut(now)
    library = Library(HostResources(FakeHost()), BuiltInPrompts(), handed_out=has)
    tools = FakeTools(tools=(*FakeTools.tools, *offered))
    async with edge(folder, tools, library=library) as running:
        yield running, has


async def test_what_agents_carry_out_is_told_as_a_task(tmp_path: Path) -> None:
    async with with_agents(tmp_path, WORKING, LOOKS, MANAGES) as (server, has):
        _, body = await server.ask(**about("tasks/get", server, "mine"))
        told = body["result"]
        assert (told["taskId"], told["status"], told["statusMessage"]) == ("mine", "working", "1 of 2")
        assert (told["createdAt"], told["lastUpdatedAt"]) == (
            "1970-01-01T00:00:00.000Z",
            "1970-01-01T00:00:01.500Z",
        )
        has.now = replace(WORKING, status="completed", result=FAILED)
        _, body = await server.ask(**about("tasks/get", server, "mine"))
        assert body["result"]["result"]["isError"] is True
        assert body["result"]["result"]["content"][0]["text"] == "Denied: rm is denied"


async def test_what_agents_carry_out_is_cancelled_by_its_owner_alone(tmp_path: Path) -> None:
    async with with_agents(tmp_path, WORKING, LOOKS, MANAGES) as (server, has):
        other = {"headers": {"Authorization": f"Bearer {server.other_key}"}}
        for method in ("get", "cancel"):
            status, body = await server.ask(**about(f"tasks/{method}", server, "mine", **other))
            assert (status, body["error"]["code"]) == (400, -32602)
        assert has.ended == []
        status, body = await server.ask(**about("tasks/cancel", server, "mine"))
        assert (status, body["result"]["resultType"], has.ended) == (200, "complete", ["mine"])
        task = await begun(server)  # a call that became one is still itself
        await server.ask(**about("tasks/cancel", server, task))
        await server.tools.slow_cancelled.wait()
        assert has.ended == ["mine"]


async def test_the_server_says_that_it_has_tasks(server: Edge) -> None:
    _, body = await server.ask(**server.modern("server/discover"))

    assert TASKS in body["result"]["capabilities"]["extensions"]


async def test_what_is_switched_off_as_a_tool_is_so_as_a_task(tmp_path: Path) -> None:
    async with with_agents(tmp_path, WORKING, LOOKS) as (server, has):
        status, _ = await server.ask(**about("tasks/get", server, "mine"))
        assert status == 200
        status, body = await server.ask(**about("tasks/cancel", server, "mine"))
        assert (status, body["error"]["code"], has.ended) == (400, -32602, [])
