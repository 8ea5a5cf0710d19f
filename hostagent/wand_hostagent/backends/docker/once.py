"""A container for each job: made, started, followed, removed."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from wand_hostagent.backends import given
from wand_hostagent.backends.base import ExecutionBackend, Health, JobInput, Left
from wand_hostagent.backends.course import Course
from wand_hostagent.backends.docker import config
from wand_hostagent.backends.docker.engine import Engine, EngineError, Wire, is_gone
from wand_hostagent.backends.docker.job import ContainerInput, ContainerJob, Means, resize
from wand_hostagent.backends.docker.logged import LoggedJob
from wand_hostagent.backends.docker.ours import JOB, KEPT, Ours
from wand_hostagent.backends.docker.places import Place
from wand_hostagent.model import Event, Job, Limits, Started
from wand_hostagent.policy.model import Permit
from wand_proto.errors import Ambiguous, Conflict, Denied, Invalid, NotFound, Unavailable, WandError

log = logging.getLogger(__name__)

LOG_TIMES = 16  # what may be written, in each of two files: an empty line takes up to 32 bytes there
MOST_TOLD = 1024
AWAY_SECONDS, AGAIN_SECONDS = 60.0, 0.5  # for how long dockerd is asked for a job that was left there


class Once(ExecutionBackend):
    """Jobs of one place, each in a container of its own."""

    def __init__(self, name: str, place: Place, ours: Ours) -> None:
        self.name = name
        self.labels: Mapping[str, str] = place.labels
        self.networks = place.networks
        self._place = place
        self._engine = ours.engine
        self._ours = ours
        self._inputs: dict[str, ContainerInput] = {}
        self._running: dict[str, str] = {}  # the containers of jobs

    async def health(self) -> Health:
        """Whether dockerd answers and has the image."""
        return await fares(self._engine, self._place)

    def input_of(self, job: str) -> JobInput | None:
        return self._inputs.get(job)

    async def signal(self, job: str, signal: int) -> bool:
        """Send it to the command; SIGKILL ends the container with all that is in it."""
        container = self._running.get(job)
        if container is None:
            return False
        try:
            await self._engine.ask("POST", f"/containers/{container}/kill", query={"signal": str(signal)})
        except EngineError as error:
            if is_gone(error):
                return False
            raise refused(error) from error
        return True

    def mark_of(self, job: str) -> str:
        """Its container."""
        return self._running.get(job, "")

    async def follow_again(self, left: Left) -> AsyncGenerator[Event, None]:
        """Follow it by what dockerd has kept of its output; its input has ended with who had it before."""
        try:
            wire = await self._log(left)
        except WandError:
            await self._ours.remove(left.mark)  # it would run on unseen
            raise
        source = LoggedJob(
            wire,
            self._means(left.mark),
            log=partial(self._log, left, follow=False),
            is_terminal=left.is_terminal,
        )
        self._running[left.job] = left.mark
        course = Course(left.started(), source, kept=True, began_unix_seconds=left.began_unix_seconds)
        try:
            async with aclosing(course.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._running.pop(left.job, None)

    async def _log(self, left: Left, *, follow: bool = True) -> Wire:
        """What it has written, and writes; dockerd may take longer to come up than we do."""
        query = {"follow": str(int(follow)), "stdout": "1", "stderr": "1"}
        until = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return await self._engine.listen(f"/containers/{left.mark}/logs", query)
            except EngineError as error:
                raise Ambiguous(f"dockerd does not know how {left.job} ended: {error.message}") from error
            except (Unavailable, Ambiguous):  # only a question: it may be put again
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(AGAIN_SECONDS)

    async def sweep(self, lost: Collection[str], kept: Collection[str]) -> None:  # noqa: ARG002 - no other is here
        """Remove the containers that might have been followed again, and are not."""
        await self._ours.sweep_kept(self.name, kept)

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Run it in a new container; see `ExecutionBackend`."""
        job = permit.act
        assert isinstance(job, Job)
        started = started_in(self.name, self._place, permit, job)
        body = self._body(permit, job, started)
        container = await self._made(job, body)
        try:
            wire = await self._started(container, job, reads=body["OpenStdin"])
        except BaseException:
            await self._ours.remove(container)
            raise
        self._running[job.id] = container
        is_terminal = job.terminal is not None
        source = ContainerJob(wire, self._means(container), is_terminal=is_terminal, is_alone=True)
        try:
            async with aclosing(Course(started, source, kept=job.detached).events()) as events:
                async for event in events:
                    yield event
        finally:
            self._running.pop(job.id, None)
            self._inputs.pop(job.id, None)

    def _body(self, permit: Permit, job: Job, started: Started) -> dict[str, Any]:
        place = self._place
        environment = given.variables(permit, job, place.environment, place.environment_allowed)
        labels = {**self._ours.labels, JOB: job.id, **({KEPT: self.name} if job.detached else {})}
        made = config.container(place, labels, given.words(job), environment=environment)
        if job.detached:
            made = config.with_log(made, LOG_TIMES * (started.limits.output_bytes or place.output_bytes))
        is_terminal = job.terminal is not None
        return config.for_one_job(made, started.directory, terminal=is_terminal, reads=reads(job))

    async def _made(self, job: Job, body: dict[str, Any]) -> str:
        try:
            made = await self._engine.ask(
                "POST", "/containers/create", body, query={"name": f"wand-{job.id}"}
            )
        except EngineError as error:
            raise refused(error) from error
        return str(made["Id"])

    async def _started(self, container: str, job: Job, *, reads: bool) -> Wire:
        """Its streams, attached before it starts so that nothing is missed; then it runs."""
        query = {"stream": "1", "stdout": "1", "stderr": "1", **({"stdin": "1"} if reads else {})}
        try:
            wire = await self._engine.take_over(f"/containers/{container}/attach", query=query)
        except EngineError as error:
            raise refused(error) from error
        try:
            await self._engine.ask("POST", f"/containers/{container}/start")
        except EngineError as error:
            wire.close()
            raise refused(error) from error
        except BaseException:
            wire.close()
            raise
        if reads:
            self._inputs[job.id] = await typed(self._engine, f"/containers/{container}", wire, job)
        return wire

    def _means(self, container: str) -> Means:
        """What tells how it fares, what ends it, and what removes it."""
        return (
            partial(_state, self._engine, container),
            partial(_end, self._engine, container),
            partial(self._ours.remove, container),
        )


def started_in(name: str, place: Place, permit: Permit, job: Job) -> Started:
    """The event that tells what runs, within which limits."""
    most = Limits(
        wall_seconds=place.wall_seconds,
        output_bytes=place.output_bytes,
        memory_bytes=place.memory_bytes,
        processes=place.processes,
        cpu_percent=max(1, round(place.cpus * 100)),
    )
    return Started(
        job=job.id,
        backend=name,
        profile="",
        rule=permit.rule,
        limits=given.limits(permit, most),
        directory=_folder(job, place),
    )


def _folder(job: Job, place: Place) -> str:
    """Where it starts; JSON, which dockerd reads, has no form for a name that is not UTF-8."""
    folder = given.directory(job, place.directory)
    try:
        folder.encode()
    except UnicodeEncodeError as error:
        raise Invalid("is not UTF-8, and no other name can be told to Docker", field="directory") from error
    return folder


def reads(job: Job) -> bool:
    """Whether it is given anything to read; a terminal is always typed on, if only its end."""
    return bool(job.stdin or job.stdin_open or job.terminal)


async def typed(engine: Engine, what: str, wire: Wire, job: Job) -> ContainerInput:
    """Its input, begun with what it has from the start."""
    resized = partial(resize, engine, what)
    is_terminal = job.terminal is not None
    taking = ContainerInput(wire, resized, is_terminal=is_terminal, stays_open=job.stdin_open)
    taking.begin(job.stdin)
    return taking


async def _state(engine: Engine, container: str) -> dict[str, Any]:
    try:
        return dict((await engine.ask("GET", f"/containers/{container}/json"))["State"])
    except EngineError as error:
        raise Ambiguous(f"dockerd does not know how the job ended: {error.message}") from error


async def _end(engine: Engine, container: str) -> None:
    try:
        await engine.ask("POST", f"/containers/{container}/kill", query={"signal": "KILL"})
    except EngineError as error:
        if not is_gone(error):
            raise refused(error) from error


async def fares(engine: Engine, place: Place) -> Health:
    """Whether dockerd answers and has the image."""
    try:
        version = await engine.ask("GET", "/version", seconds=4.0)
        await engine.ask("GET", f"/images/{place.image}/json", seconds=4.0)
    except EngineError as error:
        return Health(up=False, detail=error.message[:MOST_TOLD])
    except WandError as error:
        return Health(up=False, detail=error.message)
    return Health(up=True, detail=f"Docker {version.get('Version', '?')}")


_SAID: tuple[tuple[tuple[str, ...], Callable[[str], WandError]], ...] = (
    (
        ("no such image",),
        lambda said: NotFound(said, hint="load or pull it into that dockerd", field="backend"),
    ),
    (
        ("executable file not found", "no such file or directory"),
        lambda said: NotFound(said, hint="the image has no such program or folder"),
    ),
    (
        ("mkdir", "not a directory"),
        lambda said: NotFound(said, hint="there is no such folder", field="directory"),
    ),
    (("permission denied",), lambda said: Denied(said, hint="the image does not let this user run it")),
)


def refused(error: EngineError) -> WandError:
    """What a caller is told where dockerd says no: nothing was started."""
    said = f"dockerd says: {error.message[:MOST_TOLD]}"
    for words, told in _SAID:
        if any(word in said.lower() for word in words):
            return told(said)
    if error.status < 500:
        return Conflict(said) if error.status == 409 else Invalid(said, field="backend")
    return Unavailable(said, hint="dockerd's own log says more")
