"""kill -9 of each part in the middle of a command: nothing is orphaned, and the ledger says what happened."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator

import pytest
from mcp_types import CallToolResult

from support import visits
from support.places import short_folder
from support.running import Running, descendants, embedded
from support.visits import agent_pid, client_of, launcher_pid, marked, recorded, run, server_pid, text_of
from support.waiting import is_alive, until


@pytest.fixture
def wand() -> Iterator[Running]:
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as running:
            yield running


async def begun(wand: Running, command: str, mark: str) -> "asyncio.Task[CallToolResult]":
    """A call of that command, once its output has come all the way and a process with the mark runs."""
    heard = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        if "begun" in (message or ""):
            heard.set()

    async def call() -> CallToolResult:
        async with client_of(wand) as client:
            asked = {"command": f"echo begun; {command}"}
            return await client.call_tool("execute_command", asked, progress_callback=on_progress)

    calling = asyncio.create_task(call())
    await asyncio.wait_for(heard.wait(), 20)
    await until(lambda: marked(mark))
    return calling


def spooled(wand: Running) -> bytes:
    """What lies in the host agent's spool."""
    return b"".join(path.read_bytes() for path in (wand.state / "spool").iterdir() if path.is_file())


async def ended(wand: Running, reason: str) -> None:
    await until(lambda: any(line["reason"] == reason for line in recorded(wand, "end")), 20)


async def answers(wand: Running) -> bool:
    with contextlib.suppress(Exception):  # whatever the client raises while nobody listens
        return str((await run(wand, "echo back"))["stdout"]) == "back\n"
    return False


async def until_it_answers(wand: Running) -> None:
    deadline = time.monotonic() + 25
    while not await answers(wand):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_a_killed_server_leaves_no_process_and_comes_back(wand: Running) -> None:
    mark = visits.mark()
    calling = await begun(wand, f"sleep {mark} & sleep {mark}", mark)

    os.kill(server_pid(wand), signal.SIGKILL)

    await until(lambda: not marked(mark))
    await ended(wand, "cancelled")
    await asyncio.wait([calling])
    assert calling.exception() is not None
    await until_it_answers(wand)


async def test_a_job_outlives_its_host_agent_and_its_client_hears_the_end(wand: Running) -> None:
    mark, gate = visits.mark(), wand.workspace / "gate"
    os.mkfifo(gate)
    command = f"sleep {mark} & read line < gate; echo $line; kill %1"
    calling = await begun(wand, command, mark)
    await until(lambda: spooled(wand) == b"begun\n")  # from then on the host agent forgets nothing
    agent = agent_pid(wand)

    os.kill(agent, signal.SIGKILL)
    await until(lambda: not is_alive(agent))
    assert marked(mark)
    await asyncio.to_thread(gate.write_text, "after\n")

    result = await asyncio.wait_for(calling, 30)
    assert result.structured_content is not None
    assert result.structured_content["stdout"] == "begun\nafter\n"
    await ended(wand, "exited")
    assert not marked(mark)


async def test_cancelling_reaches_a_job_whose_host_agent_was_killed(wand: Running) -> None:
    mark = visits.mark()
    calling = await begun(wand, f"sleep {mark}", mark)
    agent = agent_pid(wand)
    os.kill(agent, signal.SIGKILL)
    await until(lambda: not is_alive(agent))
    await until_it_answers(wand)

    calling.cancel()

    await until(lambda: not marked(mark), 20)


async def test_a_killed_launcher_takes_its_jobs_along_and_comes_back(wand: Running) -> None:
    mark = visits.mark()
    calling = await begun(wand, f"sleep {mark} & sleep {mark}", mark)

    os.kill(launcher_pid(wand), signal.SIGKILL)

    result = await asyncio.wait_for(calling, 20)
    assert result.is_error
    assert "lost" in text_of(result)
    await until(lambda: not marked(mark))
    await until_it_answers(wand)
    assert [line["job"] for line in recorded(wand, "lost")]


async def test_nothing_outlives_a_killed_supervisor() -> None:
    mark = visits.mark()
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as wand:
            calling = await begun(wand, f"sleep {mark} & sleep {mark}", mark)
            family = descendants(wand.pid)

            os.kill(wand.pid, signal.SIGKILL)

            await until(lambda: not any(map(is_alive, family)))
            assert not marked(mark)
            await asyncio.wait([calling])
            assert calling.exception() is not None
