"""Another host agent, a real one: what is said where it cannot be asked, and a certificate renewed."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support import hostagent
from support.hostagent import Wand
from support.people import ANN, job, permit, shell
from support.places import free_port
from wand_hostagent import pki
from wand_hostagent.backends.base import Surroundings, whole
from wand_hostagent.backends.remote.hosts import RemoteHost, RemoteSettings
from wand_hostagent.backends.remote.job import Asked, RemoteInput, RemoteJob
from wand_hostagent.backends.remote.kind import Agent, Remote
from wand_hostagent.model import Input, Output, Started
from wand_proto.errors import Exhausted, Unavailable

pytestmark = pytest.mark.timeout(120)
FILES: dict[str, Any] = {"ca": Path("ca.crt"), "certificate": Path("server.crt"), "key": Path("server.key")}


@pytest.fixture(scope="module")
def there() -> Iterator[Wand]:
    with hostagent.running() as wand:
        yield wand


@asynccontextmanager
async def agent(folder: Path, address: str) -> AsyncIterator[Agent]:
    """The backend for a host agent at that address, its files in that folder."""
    settings = RemoteSettings(rejoin_seconds=1.0, hosts={"far": RemoteHost(address=address, **FILES)})
    async with Remote().open(settings, Surroundings(name="remote", folder=folder)) as (one,):
        assert isinstance(one, Agent)
        yield one


async def test_a_renewed_certificate_is_taken_up_and_the_old_channel_closed(there: Wand) -> None:
    async with agent(there.pki, there.tcp) as one:
        for _ in range(2):
            assert (await whole(one, permit(shell("echo in")))).stdout == b"in\n"
            before = one._link._now
            pki.ensure(there.pki, "test", renew=True)
        assert (await one.health()).up
        assert one._link._now is not before
        assert len(one._link._every) == 1


async def test_a_folder_is_told_there_as_it_is_meant_here(there: Wand) -> None:
    folder = os.fsencode(there.workspace) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - bytes, which Path does not take
    async with agent(there.pki, there.tcp) as one:
        started, *printed, _ = [each async for each in one.run(permit(job("pwd", directory="caf\udce9")))]

    assert isinstance(started, Started)
    assert os.fsencode(started.directory) == folder
    assert b"".join(each.data for each in printed if isinstance(each, Output)) == folder + b"\n"


async def test_where_nobody_listens_nothing_was_done(there: Wand) -> None:
    async with agent(there.pki, f"127.0.0.1:{free_port()}") as one:
        with pytest.raises(Unavailable, match="remote:far cannot be reached; nothing was done"):
            await whole(one, permit(shell("true")))
        assert not (await one.health()).up


async def test_what_is_given_to_a_job_while_its_host_is_away_is_bounded(there: Wand) -> None:
    async with agent(there.pki, f"127.0.0.1:{free_port()}") as one:
        asked = Asked(backend="remote:far", job="j1", rule="r", detached=False, caller=ANN)
        typed = RemoteInput(RemoteJob(one._link, asked, 1.0, there="j2"), is_terminal=True, stays_open=True)
        size = Input(resize=(80, 24))
        for _ in range(20_000):
            typed.give(size)
        with pytest.raises(Exhausted):
            typed.check(size)
        typed.let_go()

    assert typed.unread_bytes() == 0


async def test_without_our_certificate_nothing_was_done(there: Wand, tmp_path: Path) -> None:
    async with agent(tmp_path, there.tcp) as one:
        with pytest.raises(Unavailable, match=r"remote:far: .*does not exist"):
            await whole(one, permit(shell("true")))
        assert not (await one.health()).up


async def test_a_launcher_that_is_away_there_is_told_of(there: Wand) -> None:
    async with agent(there.pki, there.tcp) as one:
        there.launcher.kill()
        async with asyncio.timeout(60):
            while (health := await one.health()).up:  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await whole(one, permit(shell("true")))
        there.launcher.start()
    assert (health.up, health.detail) == (False, "its launcher does not answer")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"address": "web1"}, "HOST:PORT"),
        ({"address": "http://web1:7443/"}, "HOST:PORT"),
        ({"address": "unix:socket"}, "HOST:PORT"),
        ({"backend": ""}, "backend must name one"),
    ],
)
def test_a_host_agent_that_cannot_be_meant_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RemoteHost(**{"address": "web1:7443", **FILES, **parts})


def test_names_and_times_are_bounded() -> None:
    with pytest.raises(ValueError, match="make a name"):
        RemoteSettings(hosts={"Web 1": RemoteHost(address="web1:7443", **FILES)})
    with pytest.raises(ValueError, match="rejoin_seconds"):
        RemoteSettings(rejoin_seconds=0.0)
