"""Every backend on real parts, opened alike: what permits a job there, and what cuts its link in mid-job."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from support import hostagent
from support.calls import processes
from support.dockerd import Dockerd
from support.launcher_client import Launcher, launched
from support.people import permit, shell
from support.sshd import USER, Sshd
from support.waiting import until
from wand_hostagent.backends.base import ExecutionBackend, Surroundings
from wand_hostagent.backends.conformance import PATIENCE_SECONDS
from wand_hostagent.backends.docker.kind import Docker
from wand_hostagent.backends.docker.places import DockerSettings, Place
from wand_hostagent.backends.host import HostBackend
from wand_hostagent.backends.native import NativeBackend
from wand_hostagent.backends.remote.hosts import RemoteHost, RemoteSettings
from wand_hostagent.backends.remote.kind import Remote
from wand_hostagent.backends.ssh.hosts import SshHost, SshSettings
from wand_hostagent.backends.ssh.kind import Ssh
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import Exited, Job, Output, Reason, Started
from wand_hostagent.policy.model import Permit
from wand_hostagent.positions import Positions, packed
from wand_hostagent.settings import Grant

ALLOWED = ("W_*",)
MOST_WORDS = 20
_MARK = "7110013"  # seconds: by these the job is known whose link is cut
PROFILE = 'environment_allowed = ["W_*"]\ndirectories = ["/tmp"]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A backend that can be used, and how its link is cut as a death in mid-job does."""

    backend: ExecutionBackend
    permit: Callable[[Job], Permit]
    cut: Callable[[], None]


def _permitted(job: Job) -> Permit:
    return replace(permit(job), profile="")


@dataclass(frozen=True, slots=True)
class Parts:
    """What real parts there are; each is called when it is needed, and may skip the test."""

    dockerd: Callable[[], Dockerd]
    sshd: Callable[[], Sshd]

    def opening(self, kind: str) -> AbstractAsyncContextManager[Opened]:
        """The backend of that kind, open while entered."""
        return KINDS[kind](self)


async def wrongs_when_cut(opened: Opened) -> list[str]:
    """What is wrong with how a job ends whose link is cut: nobody knows how, and nobody says so."""
    asked = opened.permit(shell(f"echo go; exec sleep {_MARK}"))
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(opened.backend.run(asked)) as events:
        begun = [await anext(events), await anext(events)]
        opened.cut()
        *_, ended = [event async for event in events]
    if [type(event) for event in begun] != [Started, Output] or not isinstance(ended, Exited):
        return [f"its events were {begun} and {ended}"]
    told = (ended.reason, ended.exit_code, ended.signal, ended.stdout_bytes)
    return [] if told == (Reason.LOST, 0, 0, 3) else [f"it is said to have ended with {ended}"]


@asynccontextmanager
async def _launcher(profile: str) -> AsyncIterator[tuple[Launcher, LauncherLink, NativeBackend]]:
    with launched(profile) as launcher:
        async with LauncherLink.open(launcher.socket) as link:
            yield launcher, link, NativeBackend(link, Positions(packed({}, free=8)))


@asynccontextmanager
async def _native(_: Parts) -> AsyncIterator[Opened]:
    async with _launcher(PROFILE) as (launcher, _link, backend):
        yield Opened(backend=backend, permit=_permitted, cut=lambda: _kill(launcher))


@asynccontextmanager
async def _host(_: Parts) -> AsyncIterator[Opened]:
    who = getpass.getuser()
    async with _launcher(f'{PROFILE}\nrun_as = "{who}"') as (launcher, link, native):
        grant = Grant(
            principals=("*",),
            programs=("/usr/bin/env",),
            arguments=tuple(("*",) * count for count in range(1, MOST_WORDS)),
            paths=(str(launcher.workspace), "/tmp"),
            profile="p",
            run_as=who,
        )
        backend = HostBackend(native, {"all": grant}, link.profiles)
        yield Opened(
            backend=backend, permit=lambda job: _permitted(granted(job)), cut=lambda: _kill(launcher)
        )


def granted(job: Job) -> Job:
    """The same job as the grant takes it: a whole path, no shell text, no variables."""
    words = ("/bin/sh", "-c", job.argv[0]) if job.shell else job.argv
    sets = (f"{name}={value}" for name, value in job.environment.items())
    return replace(job, argv=("/usr/bin/env", *sets, *words), shell=False, environment={})


def _kill(launcher: Launcher) -> None:
    launcher.kill()


def _docker(warm: int) -> Callable[[Parts], AbstractAsyncContextManager[Opened]]:
    @asynccontextmanager
    async def opening(parts: Parts) -> AsyncIterator[Opened]:
        dockerd = parts.dockerd()
        place = Place(image=dockerd.image, warm=warm, environment_allowed=ALLOWED)
        settings = DockerSettings(socket=dockerd.socket, places={"small": place})
        around = Surroundings(name="docker", folder=Path("/"))
        try:
            async with Docker().open(settings, around) as (one,):
                yield Opened(backend=one, permit=_permitted, cut=lambda: dockerd.kill(hold=True))
        finally:
            dockerd.release()
            async with Docker().open(DockerSettings(socket=dockerd.socket), around):
                pass  # as a later host agent: what could not be removed while dockerd was away is swept

    return opening


@asynccontextmanager
async def _ssh(parts: Parts) -> AsyncIterator[Opened]:
    sshd = parts.sshd()
    keys = sshd.folder.parent
    host = SshHost(
        address=sshd.address, port=sshd.port, user=USER, keys=(keys / "key",), environment_allowed=ALLOWED
    )
    settings = SshSettings(known_hosts=keys / "known", connect_seconds=60.0, hosts={"one": host})
    async with Ssh().open(settings, Surroundings(name="ssh", folder=keys)) as (one,):
        try:
            yield Opened(backend=one, permit=_permitted, cut=sshd.kill)
        finally:
            if sshd.process is None:
                sshd.start()
                await until(lambda: not processes(_MARK))  # what was left is ended once the host is back


@asynccontextmanager
async def _remote(_: Parts) -> AsyncIterator[Opened]:
    profile = hostagent.PROFILE.replace('"CI"', '"W_*"').replace(
        "[limits]", 'directories = ["/tmp"]\n[limits]'
    )
    with hostagent.running(profile=profile) as wand:
        about = RemoteHost(
            address=wand.tcp,
            ca=wand.identity.ca,
            certificate=wand.identity.certificate,
            key=wand.identity.key,
        )
        settings = RemoteSettings(rejoin_seconds=1.0, hosts={"one": about})
        async with Remote().open(settings, Surroundings(name="remote", folder=wand.folder)) as (one,):
            yield Opened(backend=one, permit=_permitted, cut=wand.agent.kill)


KINDS: Mapping[str, Callable[[Parts], AbstractAsyncContextManager[Opened]]] = {
    "native": _native,
    "host": _host,
    "docker": _docker(0),
    "warm docker": _docker(1),
    "ssh": _ssh,
    "remote": _remote,
}
