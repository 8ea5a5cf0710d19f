"""Work handed out by a real client, carried out by agents of the server and by agents beside it."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.program import Program
from support.running import Running
from support.visits import client_of, recorded, text_of, use
from support.waiting import until
from wand_server import settings
from wand_server.runtime import command

AGENT = Path(sys.executable).with_name("wand-server")


@contextmanager
def crew(wand: Running, *more: str) -> Iterator[Program]:
    """Agents in a process of their own, of that Wand's server."""
    argv = [str(AGENT), "agent", "--settings", str(wand.state / "server.toml"), *more]
    program = Program(argv, wand.state / "crew.log")
    program.start()
    try:
        yield program
    finally:
        if program.process is not None and program.process.poll() is None:
            program.end()


def shell(text: str, **more: Any) -> dict[str, Any]:
    return {"steps": [{"tool": "execute_command", "arguments": {"command": text}}], **more}


async def hand_out(wand: Running, *tasks: dict[str, Any]) -> list[str]:
    told = await use(wand, "distribute_task", tasks=list(tasks))
    assert not told.is_error, text_of(told)
    return [one["id"] for one in told.structured_content["tasks"]]


async def ended(wand: Running, task: str) -> dict[str, Any]:
    told = await use(wand, "manage_tasks", action="get", task=task, wait_seconds=30)
    return dict(told.structured_content["task"])


async def test_a_project_is_carried_out_in_its_folder_and_order(wand: Running) -> None:
    (wand.workspace / "web").mkdir()
    await use(wand, "create_project", project="web", workspace="web")
    steps = [{"tool": "write_file", "arguments": {"path": "a.txt", "content": "two\n", "mode": "append"}}]
    first = shell("sleep 0.2; echo one > a.txt; pwd", key="first", title="first")
    await use(wand, "distribute_task", project="web", tasks=[first, {"after": ["first"], "steps": steps}])
    status = await use(wand, "get_project_status", project="web", wait_seconds=30)

    assert text_of(status) == "web: 2 done; all is over"
    assert (wand.workspace / "web" / "a.txt").read_text() == "one\ntwo\n"


async def test_a_project_has_no_folder_that_its_tasks_could_not_use(wand: Running) -> None:
    refused = await use(wand, "create_project", project="far", workspace="/etc")
    assert refused.is_error
    assert text_of(refused).startswith("Denied: workspace: ")
    assert str(wand.workspace) in text_of(refused).partition("Hint: ")[2]
    for workspace in ("", "not-there-yet", str(wand.workspace)):
        made = await use(wand, "create_project", project=f"p{workspace}"[-64:], workspace=workspace)
        assert not made.is_error, text_of(made)
        assert ("is not there yet" in text_of(made)) is (workspace == "not-there-yet")


async def test_the_ledger_names_the_task_and_the_agent(wand: Running) -> None:
    (task,) = await hand_out(wand, shell("echo on-record"))
    done = await ended(wand, task)

    (line,) = [line for line in recorded(wand, "run") if line["argv"][-1] == "echo on-record"]
    assert (line["why"]["task"], line["why"]["agent"]) == (task, done["agent"])
    assert done["result"]["result"]["stdout"] == "on-record\n"


async def test_a_task_waits_for_its_command_longer_than_a_client_would(wand: Running) -> None:
    socket = settings.load(wand.state / "server.toml", {}).control_socket
    command.ask(socket, {"do": "set", "settings": {"execution.answer_seconds": "1"}})
    (task,) = await hand_out(wand, shell("sleep 1.5; echo late"))

    assert (await ended(wand, task))["result"]["result"]["stdout"] == "late\n"


async def test_the_same_key_is_one_task(wand: Running) -> None:
    one = shell("echo x >> once.txt", key="once")
    (task,), (again,) = await hand_out(wand, one), await hand_out(wand, one)
    await ended(wand, task)

    assert task == again
    assert (wand.workspace / "once.txt").read_text() == "x\n"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            {"steps": [{"tool": "execute_comand"}]},
            "tasks[0].steps.step-1.tool: there is no tool 'execute_comand'",
        ),
        ({"steps": [{"tool": "read_file"}]}, "path"),
        ({}, "must have either steps or a goal"),
        (shell("true", after=["nobody"]), "tasks[0].after: 'nobody' is no task"),
        (shell("true", scopes=["wand:admin"]), "needs the scope wand:admin"),
        (shell("true", scopes=["wand:read"]), "execute_command"),
    ],
)
async def test_what_cannot_be_done_is_refused_before_it_is_begun(
    wand: Running, task: dict[str, Any], said: str
) -> None:
    told = await use(wand, "distribute_task", tasks=[task])

    assert told.is_error
    assert said in text_of(told)


async def test_a_task_that_is_cancelled_leaves_no_process(wand: Running) -> None:
    (task,) = await hand_out(wand, shell("touch begun; sleep 1000"))
    await until((wand.workspace / "begun").exists)
    await use(wand, "manage_tasks", action="cancel", task=task)
    done = await ended(wand, task)

    assert done["state"] == "cancelled"
    assert "while step-1 ran" in done["message"]
    job = next(line["job"] for line in recorded(wand, "run") if "touch begun" in line["argv"][-1])
    await until(lambda: any(line["job"] == job for line in recorded(wand, "end")))


async def test_agents_beside_the_server_take_what_needs_them_and_are_listed(wand: Running) -> None:
    (task,) = await hand_out(wand, shell("echo by whom", needs=["gpu"]))
    with crew(wand, "--name", "builder", "--count", "1", "--capability", "gpu") as beside:
        done = await ended(wand, task)
        told = await use(wand, "list_agents")
        listed = {one["name"]: one for one in told.structured_content["agents"]}

        assert done["state"] == "done"
        assert done["agent"] == beside.said.strip()
        assert listed[done["agent"]]["process"].endswith(f":{beside.pid}")
        assert listed[done["agent"]]["capabilities"] == ["gpu"]
        assert beside.end() == 0
    after = await use(wand, "list_agents")
    assert done["agent"] not in {one["name"] for one in after.structured_content["agents"]}


async def test_agents_that_are_told_to_stop_end_what_they_have(wand: Running) -> None:
    file = wand.state / "server.toml"
    file.write_text(file.read_text().replace("stop_seconds = 0", "stop_seconds = 20"))
    with crew(wand, "--name", "slow", "--count", "1", "--capability", "slow") as beside:
        (task,) = await hand_out(wand, shell("touch slow; sleep 1; echo ended", needs=["slow"]))
        await until((wand.workspace / "slow").exists)
        assert beside.process is not None
        beside.process.send_signal(signal.SIGTERM)
        done = await ended(wand, task)
        assert (done["state"], done["attempt"]) == ("done", 1)


async def test_a_task_is_read_and_watched_as_a_resource(wand: Running) -> None:
    (task,) = await hand_out(wand, shell("sleep 0.2"))
    async with client_of(wand) as client:
        read = await client.read_resource(f"wand://tasks/{task}")
        agents = await client.read_resource("wand://agents")

    assert task in read.contents[0].text  # type: ignore[union-attr]
    assert '"agents"' in agents.contents[0].text  # type: ignore[union-attr]


async def test_an_administrator_says_how_many_there_are_while_it_runs(wand: Running) -> None:
    socket = settings.load(wand.state / "server.toml", {}).control_socket
    command.ask(socket, {"do": "set", "settings": {"agents.count": "1", "agents.most": "2"}})

    async def count() -> int:
        told = await use(wand, "list_agents")
        return len(told.structured_content["agents"])

    async with asyncio.timeout(60):
        while True:
            if await count() == 1:
                break
            await asyncio.sleep(0.05)
    assert any("agents.count: 3 -> 1" in line["changed"] for line in recorded(wand, "config"))
