"""Containers that wait: each runs one job after the other, and ends what a job has left running."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

from wand_hostagent.backends import given
from wand_hostagent.backends.base import ExecutionBackend, Health, JobInput, Left
from wand_hostagent.backends.course import Course
from wand_hostagent.backends.docker import config
from wand_hostagent.backends.docker.engine import Engine, EngineError, Wire
from wand_hostagent.backends.docker.job import ContainerInput, ContainerJob
from wand_hostagent.backends.docker.once import (
    Once,
    fares,
    reads,
    refused,
    started_in,
    typed,
)
from wand_hostagent.backends.docker.ours import Ours
from wand_hostagent.backends.docker.places import Place
from wand_hostagent.model import Event, Job
from wand_hostagent.policy.model import Permit
from wand_proto.errors import Ambiguous, Exhausted, WandError

log = logging.getLogger(__name__)

WAITS = ("/bin/sh", "-c", "exec tail -f /dev/null")  # programs that the image must have
WAITING = 2  # processes: that one, and the container's init
WAIT_SECONDS = 10.0  # for a container, while all run other jobs
# Of a container's processes 1 is its init, and the next one up is the one above, for it came first.
_FIRST = "m=99999999; for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p -gt 1 ] && [ $p -lt $m ] && m=$p; done; "
_EACH = "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p -gt $m ] && [ $p != $$ ] && "
SIGNAL = _FIRST + _EACH + "kill -%d $p 2>/dev/null; done; true"
TIDY = _FIRST + (
    f"for i in 1 2 3 4 5 6 7 8; do n=0; {_EACH}n=1 && kill -9 $p 2>/dev/null; done; "
    "[ $n = 0 ] && exit 0; done; exit 1"
)


class Warm(ExecutionBackend):
    """Jobs of one place, in containers that are there already; they keep what jobs have written."""

    def __init__(self, name: str, place: Place, ours: Ours) -> None:
        self.name = name
        self.labels: Mapping[str, str] = place.labels
        self.networks = place.networks
        self._place = place
        self._engine = ours.engine
        self._ours = ours
        self._once = Once(name, place, ours)  # for what is to outlive us
        self._free: list[str] = []  # containers
        self._room = asyncio.Semaphore(place.warm)
        self._inputs: dict[str, ContainerInput] = {}
        self._running: dict[str, str] = {}
        self._tidying: set[asyncio.Task[None]] = set()

    async def health(self) -> Health:
        """Whether dockerd answers and has the image."""
        return await fares(self._engine, self._place)

    def input_of(self, job: str) -> JobInput | None:
        return self._inputs.get(job) or self._once.input_of(job)

    def mark_of(self, job: str) -> str:
        """The container of a detached one, which has its own."""
        return self._once.mark_of(job)

    def follow_again(self, left: Left) -> AsyncGenerator[Event, None]:
        return self._once.follow_again(left)

    async def sweep(self, lost: Collection[str], kept: Collection[str]) -> None:
        await self._once.sweep(lost, kept)

    async def warm_up(self) -> None:
        """Have the containers wait; where that fails, jobs make them when they come."""
        with suppress(WandError):
            for _ in range(self._place.warm):
                self._free.append(await self._made())

    async def finish(self) -> None:
        """Let what is being tidied up come to its end, for a bounded while, and remove what waits."""
        if self._tidying:
            await asyncio.wait(self._tidying, timeout=5.0)
        for container in self._free:
            await self._ours.remove(container)

    async def signal(self, job: str, signal: int) -> bool:
        """Send it to every process of the job."""
        container = self._running.get(job)
        if container is None:
            return await self._once.signal(job, signal)
        if await self._inside(container, ("/bin/sh", "-c", SIGNAL % signal)) < 0:  # else it ran
            raise Ambiguous(f"whether the signal was sent in {self.name} is not known")
        return True

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Run it in a container that waits, a detached one in its own; see `ExecutionBackend`."""
        job = permit.act
        assert isinstance(job, Job)
        async with aclosing(self._once.run(permit) if job.detached else self._run(permit, job)) as events:
            async for event in events:
                yield event

    async def _run(self, permit: Permit, job: Job) -> AsyncGenerator[Event, None]:
        started = started_in(self.name, self._place, permit, job)
        body = self._body(permit, job, started.directory)
        container = await self._take()
        try:
            command, wire = await self._started(container, body, job)
        except BaseException:
            self._give_back(container, clean=False)
            raise
        self._running[job.id] = container
        try:
            async with aclosing(
                Course(started, self._source(container, command, wire, job)).events()
            ) as events:
                async for event in events:
                    yield event
        finally:
            self._running.pop(job.id, None)
            self._inputs.pop(job.id, None)

    def _body(self, permit: Permit, job: Job, directory: str) -> dict[str, Any]:
        place = self._place
        sets = given.variables(permit, job, place.environment, place.environment_allowed)
        is_terminal = job.terminal is not None
        return config.command_in_it(given.words(job), directory, sets, terminal=is_terminal, reads=reads(job))

    async def _started(self, container: str, body: dict[str, Any], job: Job) -> tuple[str, Wire]:
        try:
            made = await self._engine.ask("POST", f"/containers/{container}/exec", body)
            command = f"/exec/{made['Id']}"
            wire = await self._engine.take_over(
                f"{command}/start", {"Detach": False, "Tty": job.terminal is not None}
            )
        except EngineError as error:
            raise refused(error) from error
        if reads(job):
            self._inputs[job.id] = await typed(self._engine, command, wire, job)
        return command, wire

    def _source(self, container: str, command: str, wire: Wire, job: Job) -> ContainerJob:
        means = (
            partial(_state, self._engine, command),
            partial(self._end, container),
            partial(self._leave, container),
        )
        return ContainerJob(wire, means, is_terminal=job.terminal is not None, is_alone=False)

    # -- containers -----------------------------------------------------------------------------------------

    async def _take(self) -> str:
        """A container that nobody uses, waited for a while; a new one, where one of them is gone."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            hint = f"{self.name} has {self._place.warm}; wait until one is free"
            raise Exhausted(f"all containers of {self.name} are in use", hint=hint) from None
        try:
            while self._free:
                container = self._free.pop()
                if await self._is_up(container):
                    return container
                await self._ours.remove(container)
            return await self._made()
        except BaseException:
            self._room.release()
            raise

    async def _is_up(self, container: str) -> bool:
        try:
            return bool((await self._engine.ask("GET", f"/containers/{container}/json"))["State"]["Running"])
        except EngineError:
            return False

    async def _made(self) -> str:
        place = self._place
        body = config.container(place, self._ours.labels, WAITS, environment=place.environment)
        try:
            made = await self._engine.ask("POST", "/containers/create", body)
            await self._engine.ask("POST", f"/containers/{made['Id']}/start")
        except EngineError as error:
            raise refused(error) from error
        return str(made["Id"])

    async def _end(self, container: str) -> None:
        """End the job with all that it started: the container goes, and another one takes its place."""
        await self._ours.removed(container)

    async def _leave(self, container: str) -> None:
        self._give_back(container, clean=True)

    def _give_back(self, container: str, *, clean: bool) -> None:
        """Free it for the next job as soon as nothing of this one runs in it; it stays busy until then."""
        tidy = asyncio.create_task(self._tidy(container, clean=clean))
        self._tidying.add(tidy)
        tidy.add_done_callback(self._tidying.discard)

    async def _tidy(self, container: str, *, clean: bool) -> None:
        kept = False
        try:
            kept = clean and await self._is_clean(container)
            if not kept:
                await self._ours.remove(container)
                container = await self._made()
                kept = True
        except WandError as error:
            log.warning("container not tidied", extra={"container": container, "error": str(error)})
            await self._ours.remove(container)
        finally:
            if kept:
                self._free.append(container)
            self._room.release()

    async def _is_clean(self, container: str) -> bool:
        """Whether it runs, and nothing in it but what waits: what else there was is ended."""
        try:
            top = await self._engine.ask("GET", f"/containers/{container}/top", query={"ps_args": "-eo pid"})
        except EngineError:  # it does not run
            return False
        if len(top["Processes"] or ()) == WAITING:  # null, where it is about to end
            return True
        return await self._inside(container, ("/bin/sh", "-c", TIDY)) == 0

    async def _inside(self, container: str, words: tuple[str, ...]) -> int:
        """The exit code of a short command of ours in the container; -1 where it cannot be run."""
        body = config.command_in_it(words, "/", {}, terminal=False, reads=False)
        try:
            made = await self._engine.ask("POST", f"/containers/{container}/exec", body)
            wire = await self._engine.take_over(f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
            try:
                async with asyncio.timeout(10.0):
                    while await wire.reader.read(65536):
                        pass
            finally:
                wire.close()
            return int((await self._engine.ask("GET", f"/exec/{made['Id']}/json"))["ExitCode"] or 0)
        except (EngineError, TimeoutError):
            return -1


async def _state(engine: Engine, command: str) -> dict[str, Any]:
    try:
        return dict(await engine.ask("GET", f"{command}/json"))
    except EngineError as error:
        raise Ambiguous(f"dockerd does not know how the job ended: {error.message}") from error
