"""A detached job in a container of a real dockerd is followed again, whole, by a later host agent."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from support.dockerd import Dockerd
from support.people import permit, shell
from wand_hostagent.backends.base import ExecutionBackend, Left, Surroundings
from wand_hostagent.backends.docker.kind import Docker
from wand_hostagent.backends.docker.places import DockerSettings, Place
from wand_hostagent.model import Event, Exited, Job, Limits, Output, Reason

pytestmark = pytest.mark.timeout(200)
MOST_BYTES = 100_000  # dockerd waits ten seconds for its own log, and lets go of what is not in it then


@asynccontextmanager
async def place(dockerd: Dockerd) -> AsyncIterator[ExecutionBackend]:
    described = {"small": Place(image=dockerd.image, output_bytes=MOST_BYTES)}
    settings = DockerSettings(socket=dockerd.socket, places=described)
    async with Docker().open(settings, Surroundings(name="docker", folder=dockerd.folder)) as (one,):
        yield one


async def left(backend: ExecutionBackend, asked: Job, after_bytes: int) -> Left:
    """What a host agent leaves that goes when so much has been read."""
    read = 0
    async with aclosing(backend.run(permit(asked, limits=Limits()))) as events:
        async for event in events:
            read += len(event.data) if isinstance(event, Output) else 0
            if read >= after_bytes:
                break
        mark = backend.mark_of(asked.id)
    limits = Limits(output_bytes=MOST_BYTES, wall_seconds=100)
    begun = time.time()
    return Left(job=asked.id, backend=backend.name, mark=mark, limits=limits, began_unix_seconds=begun)


def written(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Output))


@pytest.mark.parametrize("line", ["", "y", "y" * 10_000])
async def test_all_that_it_may_write_is_there_again_however_short_its_lines_are(
    dockerd: Dockerd, line: str
) -> None:
    asked = shell(f"yes '{line}' | head -c {MOST_BYTES}; sleep 2", detached=True)
    async with place(dockerd) as backend:
        one = await left(backend, asked, MOST_BYTES)
        events = [event async for event in backend.follow_again(one)]

    assert written(events) == (f"{line}\n".encode() * MOST_BYTES)[:MOST_BYTES]
    ended = events[-1]
    assert isinstance(ended, Exited)
    assert (ended.reason, ended.exit_code, ended.stdout_bytes) == (Reason.EXITED, 0, MOST_BYTES)
    assert dockerd.containers() == []


async def test_it_is_found_though_dockerd_comes_up_later_than_we_do(dockerd: Dockerd) -> None:
    async with place(dockerd) as backend:
        one = await left(backend, shell("echo go; sleep 1; exit 3", detached=True), 3)
        dockerd.kill(hold=True)
        async with aclosing(backend.follow_again(one)) as again:
            following = asyncio.create_task(anext(again))
            await asyncio.wait({following}, timeout=1.0)
            is_patient = not following.done()
            await asyncio.to_thread(dockerd.release)
            events = [await following] + [event async for event in again]

    assert is_patient
    assert written(events) == b"go\n"
    assert isinstance(events[-1], Exited)
