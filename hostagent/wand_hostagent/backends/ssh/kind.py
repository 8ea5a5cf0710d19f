"""Jobs on other hosts, by SSH: a backend for each host, on links that are used again."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from wand_hostagent.backends import given
from wand_hostagent.backends.base import BackendKind, ExecutionBackend, Health, JobInput, Surroundings
from wand_hostagent.backends.course import Course
from wand_hostagent.backends.ssh import script
from wand_hostagent.backends.ssh.hosts import SshHost, SshSettings, is_variable
from wand_hostagent.backends.ssh.job import SshInput, SshJob, run, until_it_begins
from wand_hostagent.backends.ssh.link import Link, Process
from wand_hostagent.model import Event, Job, Limits, Started
from wand_hostagent.policy.model import Permit
from wand_proto import trimming
from wand_proto.errors import Ambiguous, Invalid, WandError

log = logging.getLogger(__name__)

HEALTH_SECONDS = 4.0
MOST_TIDY_SECONDS, MOST_TRIES = 60.0, 100  # between tries while the host is away, and of these
TIDY_SECONDS = 0.5  # after which what ended jobs have left is ended, for all of them together
TERM = "xterm-256color"
HOME = "~"  # where a login starts


class Remote(ExecutionBackend):
    """Jobs on one host."""

    def __init__(self, name: str, host: SshHost, link: Link) -> None:
        self.name = name
        self.labels: Mapping[str, str] = host.labels
        self._host = host
        self._link = link
        self._inputs: dict[str, SshInput] = {}
        self._running: set[str] = set()
        self._left: dict[str, asyncio.Future[None]] = {}
        self._tidying: asyncio.Task[None] | None = None

    async def health(self) -> Health:
        """Whether it lets us in."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return Health(up=True, detail=await self._link.check())
        except TimeoutError:
            return Health(up=False, detail=f"no answer within {HEALTH_SECONDS:g} s")
        except WandError as error:
            return Health(up=False, detail=error.message)

    def input_of(self, job: str) -> JobInput | None:
        return self._inputs.get(job)

    async def signal(self, job: str, signal: int) -> bool:
        """Send it to every process of the job that its user may send it to."""
        if job not in self._running:
            return False
        return await run(self._link, script.send(job, signal)) == 0

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Run it on the host; see `ExecutionBackend`."""
        job = permit.act
        assert isinstance(job, Job)
        started = self._started(permit, job)
        nonce = f"wand-{secrets.token_hex(8)}"
        command = self._command(permit, job, "" if started.directory == HOME else started.directory, nonce)
        try:
            process = await self._link.begin(command, **_terminal(job))
        except (Ambiguous, asyncio.CancelledError):  # it may have begun
            self._tidy_soon(job.id)
            raise
        try:
            source = await self._begun(process, job, nonce)
        except BaseException:
            process.close()
            self._link.done(process)
            self._tidy_soon(job.id)
            raise
        self._running.add(job.id)
        try:
            async with aclosing(Course(started, source).events()) as events:
                async for event in events:
                    yield event
        finally:
            self._running.discard(job.id)
            self._inputs.pop(job.id, None)
            self._tidy_soon(job.id)

    async def _begun(self, process: Process, job: Job, nonce: str) -> SshJob:
        is_terminal = job.terminal is not None
        rest = await until_it_begins(self._link, process, nonce, is_terminal=is_terminal)
        taking = SshInput(process, is_terminal=is_terminal, stays_open=job.stdin_open)
        taking.begin(job.stdin)
        self._inputs[job.id] = taking
        return SshJob(job.id, self._link, process, rest, is_terminal=is_terminal)

    def _command(self, permit: Permit, job: Job, directory: str, nonce: str) -> str:
        host = self._host
        environment = given.variables(permit, job, host.environment, host.environment_allowed)
        for name in environment:
            if not is_variable(name):
                raise Invalid(f"{name!r:.64} is no name of a variable there", field="environment")
        words = ("/bin/sh", "-c", job.argv[0]) if job.shell else job.argv
        return script.begin(job.id, nonce, words, directory, environment)

    def _started(self, permit: Permit, job: Job) -> Started:
        host = self._host
        most = Limits(wall_seconds=host.wall_seconds, output_bytes=host.output_bytes)
        starts = given.directory(job, host.directory) if job.directory or host.directory else HOME
        if starts != HOME and not starts.startswith("/"):
            raise Invalid(
                f"must begin with /: no folder is set for {self.name} to begin at", field="directory"
            )
        return Started(
            job=job.id,
            backend=self.name,
            profile="",
            rule=permit.rule,
            limits=given.limits(permit, most),
            directory=starts,
        )

    # -- what jobs leave running ----------------------------------------------------------------------------

    def _tidy_soon(self, job: str) -> None:
        """End what the job has left running, in a while and together with that of others."""
        self._left.setdefault(job, asyncio.get_running_loop().create_future())
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.create_task(self._tidy(), name=f"tidy {self.name}")

    async def _tidy(self) -> None:
        """End what is left, again and again while the host is away."""
        seconds, tries = TIDY_SECONDS, 0
        while self._left and tries < MOST_TRIES:
            await asyncio.sleep(seconds)
            jobs = list(self._left)[:64]
            try:
                if await run(self._link, script.end(jobs)) != 0:
                    raise Ambiguous("some could not be ended")
            except WandError as error:
                told = {"backend": self.name, "error": str(error), "jobs": len(self._left)}
                log.warning("host not tidied", extra=told)
                seconds, tries = min(2 * seconds, MOST_TIDY_SECONDS), tries + 1
            else:
                for job in jobs:
                    self._left.pop(job).set_result(None)
                seconds, tries = TIDY_SECONDS, 0

    def tidying(self, job: str) -> asyncio.Future[None] | None:
        return self._left.get(job)

    async def sweep(self, lost: Collection[str], kept: Collection[str]) -> None:  # noqa: ARG002 - none can be
        """End what is left of those that an earlier host agent has begun, as soon as the host answers."""
        for job in lost:
            self._tidy_soon(job)

    async def finish(self) -> None:
        """Let what is being tidied up come to its end, for a bounded while."""
        if self._tidying is not None and not self._tidying.done():
            await asyncio.wait({self._tidying}, timeout=5.0)
            self._tidying.cancel()
        for left in self._left.values():
            left.cancel()


def _terminal(job: Job) -> dict[str, object]:
    return {"term_type": TERM, "term_size": job.terminal} if job.terminal is not None else {}


class Ssh(BackendKind[SshSettings]):
    """A backend for each host of the table."""

    settings = SshSettings

    @asynccontextmanager
    async def open(
        self, settings: SshSettings, around: Surroundings
    ) -> AsyncIterator[Sequence[ExecutionBackend]]:
        """The hosts; links are made when there is something to do."""
        trimming.trim()  # of what loading asyncssh took for a while: 10 MiB, a third of what it takes
        links: dict[str, Link] = {}
        for name in settings.hosts:
            _link(name, settings, around, links)
        remotes = [
            Remote(f"{around.name}:{name}", host, links[name]) for name, host in settings.hosts.items()
        ]
        try:
            yield remotes
        finally:
            await asyncio.gather(*(remote.finish() for remote in remotes))
            for link in reversed(links.values()):  # who is reached by a jump goes before the jump
                await link.close()


def _link(name: str, settings: SshSettings, around: Surroundings, links: dict[str, Link]) -> Link:
    if name not in links:
        host = settings.hosts[name]
        jump = _link(host.jump, settings, around, links) if host.jump else None
        links[name] = Link(f"{around.name}:{name}", host, settings, around.folder, jump)
    return links[name]


KIND = Ssh
