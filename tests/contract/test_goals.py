"""A goal in words on a real Wand: the policy decides each call, and a person is asked where it says so."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.modelserver import calls, says, serving, use
from support.places import short_folder
from support.program import Program
from support.running import COMMAND, Running, embedded
from support.visits import recorded, text_of
from support.visits import use as tool
from support.waiting import until
from wand_hostagent import cli, control

POLICY = """\
[[rule]]
name = "nothing is removed"
verdict = "deny"
programs = ["rm"]

[[rule]]
name = "a person says"
verdict = "ask"
programs = ["touch"]
profile = "developer"
"""
MODEL = """\
[model]
provider = "anthropic"
name = "m"
address = "{url}"
key = "file:{key}"
"""
AGENTS = "[agents]\ncount = 0\nlease_seconds = 1\n"
PLAYS = (
    calls(use("execute_command", argv=["rm", "-rf", "notes"])),
    calls(use("execute_command", argv=["touch", "done"]), use("list_directory", path=".")),
    says("Nothing was removed; done is there."),
)


def prepared(folder: Path, url: str) -> Path:
    """The settings for a Wand that asks that model, under that policy."""
    (folder / "work" / "notes").mkdir(parents=True)
    rules = folder / "state" / "policy.d" / "90-goals.toml"
    rules.parent.mkdir(parents=True, mode=0o700)
    rules.write_text(POLICY)
    (folder / "key").write_text("sk-ant-0123456789")
    settings = folder / "model.toml"
    settings.write_text(MODEL.format(url=url, key=folder / "key"))
    return settings


async def followed(wand: Running) -> dict[str, Any]:
    """How the goal ended, after a person has said yes to what waited."""
    told = await tool(wand, "distribute_task", tasks=[{"goal": "Clean up, and leave done behind."}])
    (task,) = told.structured_content["tasks"]
    desk = wand.state / "run" / "control.sock"

    def waiting() -> list[dict[str, Any]]:
        return list(control.ask(desk, {"do": "list"})["approvals"])

    await until(lambda: bool(waiting()))
    (wish,) = waiting()
    words = ["approve", "yes", wish["id"], "--settings", str(wand.state / "hostagent.toml")]
    assert await asyncio.to_thread(cli.run, words) == 0
    ended = await tool(wand, "manage_tasks", action="get", task=task["id"], wait_seconds=60)
    return {**ended.structured_content["task"], "said": text_of(ended)}


async def test_a_goal_copes_with_a_refusal_and_waits_for_a_person() -> None:
    with short_folder() as folder:
        async with serving("anthropic", *PLAYS) as server:
            settings = prepared(folder, server.url)
            with embedded(folder / "work", folder / "state", "--settings", settings) as wand:
                task = await followed(wand)
                refused, begun = recorded(wand, "refused"), recorded(wand, "run")
    assert task["state"] == "done"
    assert "Nothing was removed" in task["said"]
    results = [one["messages"][-1]["content"] for one in server.asked[1:]]
    assert (results[0][0]["is_error"], results[0][0]["content"].split(":")[0]) == (True, "Denied")
    assert [block["is_error"] for block in results[1]] == [False, False]
    assert "done" in results[1][1]["content"]
    assert [str(one).count(task["id"]) for one in (*refused, *begun)] == [1, 1], (refused, begun)


@contextmanager
def agent(wand: Running) -> Iterator[Program]:
    """An agent in a process of its own."""
    argv = [str(COMMAND), "agent", "--settings", str(wand.state / "server.toml"), "--count", "1"]
    program = Program(argv, wand.state / "agent.log")
    program.start()
    try:
        yield program
    finally:
        if program.process is not None and program.process.poll() is None:
            program.end()


async def killed_and_continued(wand: Running) -> dict[str, Any]:
    """How the goal ended whose first agent was killed while a call of its ran."""
    told = await tool(wand, "distribute_task", tasks=[{"goal": "Ring the bell, once."}])
    (task,) = told.structured_content["tasks"]
    bell = wand.workspace / "bell"
    with agent(wand) as first:
        await until(lambda: bell.exists() and bell.stat().st_size)
        os.kill(first.pid, signal.SIGKILL)
        assert first.process is not None
        first.process.wait()
    with agent(wand):
        ended = await tool(wand, "manage_tasks", action="get", task=task["id"], wait_seconds=40)
    return dict(ended.structured_content["task"])


async def test_a_goal_whose_agent_is_killed_goes_on_and_rings_the_bell_no_second_time() -> None:
    rings = calls(use("execute_command", command="echo ding >> bell; sleep 600"))
    with short_folder() as folder:
        async with serving("anthropic", rings, says("The bell is in the file: it rang.")) as server:
            settings = prepared(folder, server.url)
            settings.write_text(settings.read_text() + AGENTS)
            with embedded(folder / "work", folder / "state", "--settings", settings) as wand:
                task = await killed_and_continued(wand)
                rung = len(recorded(wand, "run"))
        bell = (folder / "work" / "bell").read_text()
    assert (task["state"], rung, bell) == ("done", 1, "ding\n")
    (told,) = server.asked[1]["messages"][-1]["content"]
    assert (told["is_error"], "not known" in told["content"]) == (True, True)
