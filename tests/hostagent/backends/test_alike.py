"""Every backend behaves alike, on real parts: one table, which packages that bring a backend can run too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from support.dockerd import Dockerd
from support.launcher_client import launched
from support.people import permit
from support.sshd import USER, Sshd
from wand_hostagent.backends.base import ExecutionBackend, Surroundings
from wand_hostagent.backends.behaviours import BEHAVIOURS
from wand_hostagent.backends.conformance import Behaviour, wrongs
from wand_hostagent.backends.docker.kind import Docker
from wand_hostagent.backends.docker.places import DockerSettings, Place
from wand_hostagent.backends.native import NativeBackend
from wand_hostagent.backends.ssh.hosts import SshHost, SshSettings
from wand_hostagent.backends.ssh.kind import Ssh
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.positions import Positions, packed

ALLOWED = ("W_*",)
pytestmark = pytest.mark.timeout(150)  # a container is made for each, and a machine may be busy


@asynccontextmanager
async def native() -> AsyncIterator[ExecutionBackend]:
    with launched('environment_allowed = ["W_*"]\ndirectories = ["/tmp"]') as launcher:
        async with LauncherLink.open(launcher.socket) as link:
            yield NativeBackend(link, Positions(packed({}, free=8)))


@asynccontextmanager
async def docker(dockerd: Dockerd, warm: int) -> AsyncIterator[ExecutionBackend]:
    place = Place(image=dockerd.image, warm=warm, environment_allowed=ALLOWED)
    settings = DockerSettings(socket=dockerd.socket, places={"small": place})
    async with Docker().open(settings, Surroundings(name="docker", folder=Path("/"))) as (one,):
        yield one


@asynccontextmanager
async def ssh(sshd: Sshd) -> AsyncIterator[ExecutionBackend]:
    keys = sshd.folder.parent
    host = SshHost(
        address=sshd.address, port=sshd.port, user=USER, keys=(keys / "key",), environment_allowed=ALLOWED
    )
    settings = SshSettings(known_hosts=keys / "known", connect_seconds=60.0, hosts={"one": host})
    async with Ssh().open(settings, Surroundings(name="ssh", folder=keys)) as (one,):
        yield one


@pytest.fixture(params=["native", "docker", "warm docker", "ssh"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[ExecutionBackend]:
    match request.param:
        case "native":
            opening = native()
        case "ssh":
            opening = ssh(request.getfixturevalue("sshd"))
        case kind:
            opening = docker(request.getfixturevalue("dockerd"), warm=int(kind.startswith("warm")))
    async with opening as one:
        yield one


@pytest.mark.parametrize("one", BEHAVIOURS, ids=lambda one: str(one.name))
async def test_every_backend_does_the_same(backend: ExecutionBackend, one: Behaviour) -> None:
    assert await wrongs(backend, one, lambda job: replace(permit(job), profile="")) == []


def test_there_are_forty() -> None:
    assert len({one.name for one in BEHAVIOURS}) >= 40
