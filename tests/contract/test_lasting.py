"""What outlives its request, through an embedded Wand: a command as a task, and news of a job's output."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from support.edge import ENVELOPE, MODERN, TYPES
from support.running import Running
from support.visits import mark, marked
from support.waiting import until

TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
META = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": TASKS}


@dataclass
class Talk:
    """A client of the stateless era that takes a task for an answer."""

    wand: Running
    session: aiohttp.ClientSession

    def post(self, method: str, named: str = "", **params: Any) -> Any:
        headers = {**TYPES, **self.wand.headers, "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if named:
            headers["Mcp-Name"] = named
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
        return self.session.post(self.wand.url, json=body, headers=headers)

    async def ask(self, method: str, named: str = "", **params: Any) -> dict[str, Any]:
        async with self.post(method, named, **params) as answer:
            return dict((await answer.json())["result"])

    async def run(self, **arguments: Any) -> dict[str, Any]:
        return await self.ask("tools/call", "execute_command", name="execute_command", arguments=arguments)

    async def ended(self, task: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (told := await self.ask("tasks/get", task, taskId=task))["status"] == "working":
                pass
        return told


@pytest.fixture
async def talk(wand: Running) -> AsyncIterator[Talk]:
    async with aiohttp.ClientSession() as session:
        yield Talk(wand, session)


async def heard(stream: aiohttp.ClientResponse) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not (line := await stream.content.readline()).startswith(b"data: {"):
            assert line, "the stream has ended"
    return dict(json.loads(line.removeprefix(b"data: ")))


@asynccontextmanager
async def listening(talk: Talk, uri: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with talk.post("subscriptions/listen", notifications={"resourceSubscriptions": [uri]}) as stream:
        first = await heard(stream)
        assert first["params"]["notifications"] == {"resourceSubscriptions": [uri]}
        yield stream


async def test_a_command_that_takes_long_goes_on_as_a_task(talk: Talk) -> None:
    go = talk.wand.workspace / "go-task"
    made = await talk.run(command=f"echo begun; until [ -e {go} ]; do sleep 0.01; done; echo done; exit 3")
    assert (made["resultType"], made["status"]) == ("task", "working")

    told = await talk.ask("tasks/get", made["taskId"], taskId=made["taskId"])
    go.touch()
    ended = await talk.ended(made["taskId"])

    assert "begun" in told["statusMessage"]
    assert ended["status"] == "completed"
    assert ended["result"]["structuredContent"]["stdout"].split() == ["begun", "done"]
    assert ended["result"]["structuredContent"]["exit_code"] == 3


async def test_a_quick_command_is_answered_as_always(talk: Talk) -> None:
    made = await talk.run(argv=["echo", "quick"])

    assert (made["resultType"], made["structuredContent"]["stdout"]) == ("complete", "quick\n")


async def test_cancelling_a_task_ends_its_command(talk: Talk) -> None:
    seconds = mark()
    made = await talk.run(command=f"sleep {seconds} & sleep {seconds}")
    assert len(marked(seconds)) >= 2

    await talk.ask("tasks/cancel", made["taskId"], taskId=made["taskId"])

    assert (await talk.ended(made["taskId"]))["status"] == "cancelled"
    await until(lambda: not marked(seconds))


async def test_a_listener_hears_when_a_job_prints_and_when_it_ends(talk: Talk) -> None:
    print_it, end_it = talk.wand.workspace / "print", talk.wand.workspace / "end"
    waits = "until [ -e {} ]; do sleep 0.01; done"
    command = f"{waits.format(print_it)}; echo news; {waits.format(end_it)}"
    started = await talk.run(command=command, background=True)
    uri = f"wand://jobs/{started['structuredContent']['job']}/stdout"

    async with listening(talk, uri) as stream:
        print_it.touch()
        printed = await heard(stream)
        end_it.touch()
        ended = await heard(stream)

    for told in (printed, ended):
        assert (told["method"], told["params"]["uri"]) == ("notifications/resources/updated", uri)
