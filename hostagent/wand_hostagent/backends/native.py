"""The native backend: a command on this host, started by the launcher, its output read from pipes."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import MappingProxyType

from wand_hostagent.backends import terminal
from wand_hostagent.backends.base import ExecutionBackend, Health, JobInput
from wand_hostagent.backends.facts import why
from wand_hostagent.backends.following import Following
from wand_hostagent.backends.streams import Ends, Pipes
from wand_hostagent.backends.terminal import Handover
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import Event, Job, Started
from wand_hostagent.policy.model import Permit
from wand_hostagent.positions import Counts, Positions, uncounted
from wand_hostagent.reports import FoundJob, RunRequest, StartedReport
from wand_proto.alarms import Alarms
from wand_proto.errors import Broken, NotFound, TimedOut

SHELLS = ("/bin/bash", "/bin/sh")
TICK_SECONDS = 1.0  # of what ends a job that the launcher says nothing of


class NativeBackend(ExecutionBackend):
    """Jobs on this host, in the launcher's box; what is read of one that has positions is counted."""

    name = "native"

    def __init__(
        self, link: LauncherLink, positions: Positions, labels: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.link = link
        self.labels = labels
        self.positions = positions
        self._followed: dict[str, Following] = {}
        self._alarms = Alarms(TICK_SECONDS)

    def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Start the permitted job and follow it; see `ExecutionBackend`."""
        return self._events(partial(self._start, permit))

    async def _events(self, begin: Callable[[], Awaitable[Following]]) -> AsyncGenerator[Event, None]:
        """The events of a job, which can be given input meanwhile."""
        following = await begin()
        self._followed[following.job] = following
        try:
            async with aclosing(following.events()) as events:
                async for event in events:
                    yield event
        finally:
            del self._followed[following.job]

    def input_of(self, job: str) -> JobInput | None:
        """How a running job is given something to read; None where it has /dev/null, or another's pipe."""
        following = self._followed.get(job)
        return following.input if following else None

    def let_go(self, job: str) -> None:
        """Have a running job be detached from now on."""
        if (following := self._followed.get(job)) is not None:
            following.detached = True

    async def _start(self, permit: Permit) -> Following:
        job = permit.act
        assert isinstance(job, Job)
        profile = permit.profile or (await self.link.profiles()).default
        with Handover() if job.terminal else Pipes(with_stdin=bool(job.stdin or job.stdin_open)) as way:
            report = await self._launch(request(permit, job, profile), way.to_hand_over())
            told = started(permit, report, profile)
            positions = self.positions.of(job.id) or uncounted()
            try:
                ends = way.take(job.stdin, stays_open=job.stdin_open)
            except Broken:
                self.link.abandon(job.id)
                raise
            following = Following(self.link, told, ends, positions, self._alarms)
            following.detached = job.detached
            return following

    async def _launch(self, asked: RunRequest, descriptors: Sequence[int]) -> StartedReport:
        try:
            return await self.link.run(asked, descriptors)
        except (asyncio.CancelledError, TimedOut):  # it may have started
            self.link.abandon(asked.job)
            raise

    def adopt(self, found: FoundJob, offsets: Counts) -> AsyncGenerator[Event, None]:
        """Follow a job that an earlier host agent started, from where its output was left; it is detached.

        Raises:
            NotFound: the launcher no longer has it.
        """
        return self._events(partial(self._adopt, found, offsets))

    async def _adopt(self, found: FoundJob, offsets: Counts) -> Following:
        kept = await self.link.adopt(found.job)
        stays_open = bool(found.why.get("stdin_open"))
        ends = terminal.adopted(kept[0], stays_open=stays_open) if len(kept) == 1 else Ends(kept, None)
        positions = self.positions.of(found.job) or uncounted(offsets)
        following = Following(self.link, _adopted(found), ends, positions, self._alarms)
        following.detached = True
        return following

    async def signal(self, job: str, signum: int) -> bool:
        """Send a signal to the job's processes; False where it has ended."""
        try:
            await self.link.kill(job, signum, "signal")
        except NotFound:
            return False
        return True

    async def health(self) -> Health:
        """Whether the launcher can be asked."""
        up = self.link.is_up
        return Health(up=up, detail="the launcher answers" if up else "the launcher is down")


def request(permit: Permit, job: Job, profile: str) -> RunRequest:
    """What the launcher is asked for a permitted job."""
    return RunRequest(
        job=job.id,
        profile=profile,
        argv=argv_of(job),
        directory=job.directory,
        environment={**job.environment, **permit.environment},
        limits=permit.limits,
        why=why(permit, job),
        terminal=job.terminal,
        network=permit.network,
    )


def argv_of(job: Job) -> tuple[str, ...]:
    """The words to execute; shell text goes to bash, or to sh where there is no bash."""
    if not job.shell:
        return job.argv
    shell = next((path for path in SHELLS if os.access(path, os.X_OK)), SHELLS[-1])
    return shell, "-c", job.argv[0]


def started(permit: Permit, report: StartedReport, profile: str) -> Started:
    """The event that tells what runs, within which limits."""
    return Started(
        job=report.job,
        backend=NativeBackend.name,
        profile=profile,
        rule=permit.rule,
        limits=report.limits,
        directory=report.directory,
    )


def _adopted(found: FoundJob) -> Started:
    return Started(
        job=found.job,
        backend=NativeBackend.name,
        profile=found.profile,
        rule=str(found.why.get("rule", "")),
        limits=found.limits,
        directory=found.directory,
    )
