"""A rule that asks, from an official client to the ledger: a person is told there, and says yes elsewhere."""

import asyncio
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from mcp_types import ElicitResult

from support.places import short_folder
from support.running import COMMAND, Running, embedded
from support.visits import agent_pid, client_of, recorded, text_of, until_it_answers

ASKS = '[[rule]]\nname = "a person looks"\nverdict = "ask"\nprograms = ["true"]\nprofile = "developer"\n'
AT_ONCE = "[asking]\nwait_seconds = 0\n"


@pytest.fixture(scope="module")
def wand() -> Iterator[Running]:
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as running:
            rules = running.state / "policy.d" / "asks.toml"
            rules.write_text(ASKS)
            rules.chmod(0o600)
            with (running.state / "hostagent.toml").open("a") as settings:
                settings.write(AT_ONCE)
            os.kill(agent_pid(running), signal.SIGKILL)  # the next one goes by both
            asyncio.run(until_it_answers(running))
            yield running


def on_the_host(command: str, wand: Running) -> None:
    """Run a command of the host agent as a person types it."""
    program, *words = shlex.split(command)
    if "--settings" not in words:
        words += ["--settings", str(wand.state / "hostagent.toml")]
    argv = [str(COMMAND.with_name(program)), *words]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("person", ["approves", "only accepts"])
async def test_accepting_approves_nothing_and_the_command_on_the_host_does(
    wand: Running, mode: str, person: str
) -> None:
    shown: list[str] = []
    approves, before = person == "approves", len(recorded(wand, "run"))

    async def show(context: object, params: Any) -> ElicitResult:
        shown.append(params.message)
        (command,) = [
            line.partition("nowhere else: ")[2]
            for line in params.message.splitlines()
            if "nowhere else: " in line
        ]
        if approves:
            on_the_host(command, wand)
        return ElicitResult(action="accept" if approves or len(shown) == 1 else "cancel")

    async with client_of(wand, mode, elicitation_callback=show) as client:
        result = await client.call_tool("execute_command", {"command": "true"})

    assert (result.is_error, len(shown)) == ((False, 1) if approves else (True, 2)), text_of(result)
    assert len(recorded(wand, "run")) == before + approves
