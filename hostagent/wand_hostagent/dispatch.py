"""A backend whose jobs the launcher does not start: each is on record, durable, before it may begin.

The launcher writes the record, as it does of its own jobs. A job that was begun and of which we tell no end
leaves a file behind, so that a later host agent can follow it again, or say that its end is not known.
"""

import asyncio
import errno
import json
import logging
import signal as signals
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wand_hostagent import records
from wand_hostagent.backends.base import ExecutionBackend, Health, JobInput, Left
from wand_hostagent.backends.facts import why
from wand_hostagent.model import Event, Exited, Job, Limits, Output, Started
from wand_hostagent.policy.model import Permit
from wand_hostagent.spool import JOB_NAME
from wand_proto.errors import Ambiguous, Broken, Denied, Exhausted, Unavailable, WandError

log = logging.getLogger(__name__)

MOST_NAME = 128
TRY_SECONDS = 7 * 86400.0  # for so long each host agent tries to end what an earlier one could not
_NONE: Mapping[str, Exited] = MappingProxyType({})
Record = Callable[[str, Mapping[str, Any]], Awaitable[None]]
Tidying = asyncio.Future[None] | None


class Begun:
    """The names of jobs that were begun and have no end on record, as files of a folder."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder = folder
        self._record = record
        self._untold: list[
            tuple[Mapping[str, Any], Callable[[], None]]
        ] = []  # for want of room in the ledger
        folder.mkdir(mode=0o700, exist_ok=True)

    def left(self) -> list[Left]:
        """Those that an earlier host agent has left, and what is long past is forgotten."""
        found = []
        for file in sorted(self._folder.iterdir()):
            if JOB_NAME.fullmatch(file.name):
                left = _left(file)
                if left.told and time.time() - file.stat().st_mtime > TRY_SECONDS:
                    file.unlink()
                else:
                    found.append(left)
        return found

    async def tell_of_lost(self, left: Iterable[Left], ended: Mapping[str, Exited] = _NONE) -> None:
        """Have it on record that nobody knows how those ended, but for those of which it is known."""
        for one in left:
            if one.told:
                continue
            told: dict[str, Any] = {"job": one.job, "backend": one.backend, "reason": "lost"}
            if (end := ended.get(one.job)) is not None:
                told |= {"reason": end.reason.value, "exit_code": end.exit_code, "signal": end.signal}
            try:
                await self._record("dispatch_end", told)
            except WandError as error:  # the next host agent tells it
                log.warning("job lost, not recorded", extra={"job": one.job, "error": str(error)})
                return
            Note(self._folder / one.job).told(one.backend)

    async def end(self, told: Mapping[str, Any], then: Callable[[], None] = lambda: None) -> None:
        """Have it on record how a job ended, then do that; where that cannot be now, when it can be again."""
        self._untold.append((told, then))
        await self.tell_ends()

    async def tell_ends(self) -> None:
        """Have those ends on record that could not be before."""
        while self._untold:
            told, then = self._untold.pop(0)
            try:
                await self._record("dispatch_end", told)
            except BaseException as error:
                self._untold.append((told, then))
                if not isinstance(error, WandError):
                    raise
                log.warning("end not recorded", extra={"job": told["job"], "error": str(error)})
                return
            then()

    def drop(self, job: str, tidying: Tidying = None) -> None:
        """Forget a job whose end is on record, once nothing is left of it."""
        file = self._folder / job
        if file.exists() and _left(file).told:
            Note(file).drop(tidying)

    def note(self, left: Left) -> "Note":
        """Keep what is known of a job until its end is told.

        Raises:
            Exhausted, Unavailable: it cannot be kept.
        """
        if not JOB_NAME.fullmatch(left.job):
            raise Broken(f"{left.job!r:.80} is no name of a job")
        note = Note(self._folder / left.job)
        note.keep(left)
        return note


class Note:
    """The file that tells of one job."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.has_mark = False

    def keep(self, left: Left) -> None:
        """Have a file know that, for a later host agent; whole, or as it was.

        Raises:
            Exhausted, Unavailable: it does not.
        """
        beside = self._file.with_name(f"{self._file.name}.new")
        try:
            beside.write_text(json.dumps(asdict(left)))
            beside.replace(self._file)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                message = "the host agent's disk is full, and it has to keep what it begins elsewhere"
                raise Exhausted(message, hint=f"make room where {self._file.parent} lies") from error
            raise Unavailable(f"{self._file} cannot be written: {error.strerror}") from error
        self.has_mark = bool(left.mark)

    def told(self, backend: str) -> None:
        """Its end is on record: it is not to be told again."""
        try:
            self.keep(Left(job=self._file.name, backend=backend, told=True))
        except WandError as error:
            log.warning("job's file not written", extra={"job": self._file.name, "error": str(error)})
            self._file.unlink(missing_ok=True)

    def drop(self, tidying: Tidying) -> None:
        """There is no more need of it, once nothing is left of the job."""
        if tidying is None:
            self._file.unlink(missing_ok=True)
        else:
            tidying.add_done_callback(self._tidied)

    def _tidied(self, tidying: "asyncio.Future[None]") -> None:
        if not tidying.cancelled():
            self._file.unlink(missing_ok=True)


def _left(file: Path) -> Left:
    """What a file tells; where it cannot be read, that there was such a job."""
    text = ""
    try:
        text = file.read_text()
        found = json.loads(text)
        limits = Limits(**found["limits"])
        return Left(**{**found, "job": file.name, "argv": tuple(found["argv"]), "limits": limits})
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("job's file not read", extra={"job": file.name, "why": str(error)})
        return Left(job=file.name, backend=text[:MOST_NAME])  # an older host agent wrote nothing else


class Recorded(ExecutionBackend):
    """Another backend, with the ledger before it."""

    def __init__(self, backend: ExecutionBackend, record: Record, begun: Begun) -> None:
        self.name = backend.name
        self.labels = backend.labels
        self.networks = backend.networks
        self._backend = backend
        self._record = record
        self._begun = begun

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Record, then have the other run it; what became of it is recorded too."""
        job = permit.act
        assert isinstance(job, Job)
        await self._record("dispatch", {"backend": self.name, **records.act(job), **why(permit, job)})
        await self._begun.tell_ends()
        note = await self._noted(job)
        reading = self._held(permit) if permit.network else self._backend.run(permit)
        async with aclosing(self._followed(reading, job.id, note)) as events:
            async for event in events:
                if isinstance(event, Started):
                    await self._keep(note, self._known(permit, job, event), job)
                yield event

    async def _held(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Run what a rule permits in one network alone; not where it would have a wider one."""
        if permit.network not in self.networks:
            wanted = f"the rule {permit.rule!r} permits it with the network {permit.network!r} alone"
            hint = "the native backend can, and a place of Docker's without a network"
            raise Denied(f"{wanted}, in which {self.name} cannot hold it", hint=hint, field="backend")
        async with aclosing(self._backend.run(permit)) as events:
            async for event in events:
                yield event

    async def _noted(self, job: Job) -> Note:
        try:
            return self._begun.note(Left(job=job.id, backend=self.name))
        except WandError as error:
            outcome = _Outcome(job.id, self.name)
            outcome.failed(error, begun=False)
            await self._begun.end(outcome.told())
            raise

    async def _keep(self, note: Note, left: Left, job: Job) -> None:
        """Keep whose it is, and of a detached job how it is found again.

        Where that cannot be, the detached one is ended: it would run on unseen.

        Raises:
            Ambiguous: it has begun, and was ended; so nobody may try it elsewhere.
        """
        try:
            note.keep(left if job.detached else replace(left, mark=""))
        except WandError as error:
            if job.detached:
                await self._backend.signal(left.job, signals.SIGKILL)
                message = f"it had begun on {self.name}, and was ended at once: {error.message}"
                hint = "look at what it changed; the host agent's disk needs room for it to run by itself"
                raise Ambiguous(message, hint=hint) from error

    def _known(self, permit: Permit, job: Job, started: Started) -> Left:
        return Left(
            job=job.id,
            backend=self.name,
            mark=self._backend.mark_of(job.id),
            principal=permit.caller.principal,
            argv=job.argv,
            rule=started.rule,
            profile=started.profile,
            limits=started.limits,
            directory=started.directory,
            is_terminal=job.terminal is not None,
            began_unix_seconds=time.time(),
        )

    async def follow_again(self, left: Left) -> AsyncGenerator[Event, None]:
        """Follow what an earlier host agent has begun; its record stands, and its end is recorded."""
        note = self._begun.note(left)
        reading = self._backend.follow_again(left)
        async with aclosing(self._followed(reading, left.job, note)) as events:
            async for event in events:
                yield event

    async def _followed(
        self, reading: AsyncGenerator[Event, None], job: str, note: Note
    ) -> AsyncGenerator[Event, None]:
        outcome = _Outcome(job, self.name)
        goes_on = False
        try:
            async with aclosing(reading) as events:
                async for event in events:
                    outcome.take(event)
                    yield event
        except WandError as error:
            self._name_place(error)
            outcome.failed(error, begun=note.has_mark)
            raise
        except (GeneratorExit, asyncio.CancelledError):
            goes_on = note.has_mark and not outcome.is_over
            outcome.cancelled()
            raise
        finally:
            if not goes_on:
                await self._begun.end(outcome.told(), partial(self._is_told, job, note))

    def _is_told(self, job: str, note: Note) -> None:
        """Its end is on record."""
        tidying = self._backend.tidying(job)
        if tidying is not None:
            note.told(self.name)
        note.drop(tidying)

    async def sweep(self, lost: Collection[str], kept: Collection[str]) -> None:
        await self._backend.sweep(lost, kept)
        for job in lost:
            self._begun.drop(job, self._backend.tidying(job))

    def let_go(self, job: str) -> None:
        self._backend.let_go(job)

    def input_of(self, job: str) -> JobInput | None:
        return self._backend.input_of(job)

    async def signal(self, job: str, signal: int) -> bool:
        """Record, then send it."""
        await self._record("dispatch_signal", {"job": job, "backend": self.name, "signal": signal})
        try:
            return await self._backend.signal(job, signal)
        except WandError as error:
            self._name_place(error)
            raise

    def _name_place(self, error: WandError) -> None:
        """Have an error say where it comes from: else it would read as if this host had said it."""
        if self.name not in error.message:
            error.message = f"{self.name}: {error.message}"

    async def health(self) -> Health:
        return await self._backend.health()


class _Outcome:
    """What is known of how a job ended: until that is told, nothing."""

    def __init__(self, job: str, backend: str) -> None:
        self.job = job
        self._began = time.monotonic()
        self._told: dict[str, Any] = {"job": job, "backend": backend, "reason": "lost"}
        self._bytes = {"stdout": 0, "stderr": 0}

    def take(self, event: Event) -> None:
        if isinstance(event, Output):
            self._bytes[event.stream] += len(event.data)
        elif isinstance(event, Exited):
            ended = {"exit_code": event.exit_code, "signal": event.signal}
            self._told |= {"reason": event.reason.value, **ended}

    def cancelled(self) -> None:
        if self._told["reason"] == "lost":
            self._told["reason"] = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether its end was told."""
        return self._told["reason"] != "lost" or "exit_code" in self._told

    def failed(self, error: WandError, *, begun: bool) -> None:
        reason = "lost" if begun or isinstance(error, Ambiguous | Broken) else "not_started"
        self._told |= {"reason": reason, "kind": type(error).__name__, "message": error.message[:1024]}

    def told(self) -> dict[str, Any]:
        written = {f"{name}_bytes": count for name, count in self._bytes.items()}
        return {**self._told, **written, "wall_seconds": round(time.monotonic() - self._began, 3)}
