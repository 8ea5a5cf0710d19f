"""kill -9 of each part in the middle of a command: nothing is orphaned, and the ledger says what happened."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from support import visits
from support.places import short_folder
from support.processes import descendants
from support.running import Running, embedded
from support.visits import (
    agent_pid,
    begun,
    launcher_pid,
    marked,
    recorded,
    server_pid,
    text_of,
    until_it_answers,
)
from support.waiting import is_alive, until
from wand_hostagent import positions
from wand_hostagent.backends.streams import WIDE_BYTES


@pytest.fixture
def wand() -> Iterator[Running]:
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as running:
            yield running


@contextlib.contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def counted(wand: Running) -> int:
    """How much of what jobs write to stdout the host agent has read."""
    table = (wand.state / "spool" / "positions").read_bytes()
    return sum(stdout for _, _, (stdout, _) in positions.sealed(table))


def spooled(wand: Running) -> int:
    """How much of it lies in files."""
    return sum(path.stat().st_size for path in (wand.state / "spool").glob("*.stdout"))


async def ended(wand: Running, reason: str) -> None:
    await until(lambda: any(line["reason"] == reason for line in recorded(wand, "end")), 20)


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
    agent = agent_pid(wand)

    os.kill(agent, signal.SIGKILL)
    await until(lambda: not is_alive(agent))
    assert marked(mark)
    await asyncio.to_thread(gate.write_text, "after\n")

    result = await asyncio.wait_for(calling, 30)
    assert result.structured_content is not None
    assert result.structured_content["stdout"] == "begun\nafter\n"
    assert result.structured_content["notes"] == []
    await ended(wand, "exited")
    assert not marked(mark)


async def test_output_that_died_with_the_host_agent_is_told_of_and_the_rest_keeps_its_place(
    wand: Running,
) -> None:
    """The server stands still, so the host agent dies with output that it can neither send nor keep."""
    mark, gate = visits.mark(), wand.workspace / "gate"
    os.mkfifo(gate)
    command = f"sleep {mark} & read line < gate; head -c 5000000 /dev/zero | tr '\\0' x; kill %1"
    calling = await begun(wand, command, mark)
    agent = agent_pid(wand)
    with standing_still(server_pid(wand)):
        await asyncio.to_thread(gate.write_text, "go\n")
        await until(lambda: counted(wand) - spooled(wand) == WIDE_BYTES)
        os.kill(agent, signal.SIGKILL)
        await until(lambda: not is_alive(agent))
        kept, read = spooled(wand), counted(wand)

    told = (await asyncio.wait_for(calling, 30)).structured_content
    assert told is not None
    part = await visits.use(wand, "read_file", path=f"wand://jobs/{told['job']}/stdout", offset=kept)

    assert told["stdout_bytes"] == 5_000_006
    assert told["notes"][0].startswith(f"stdout: {read - kept:,} bytes are lost")
    assert part.structured_content["offset"] == read
    assert part.structured_content["content"].startswith("xxx")


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
    assert [line["job"] for line in recorded(wand, "ambiguous")]


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
