"""A backend whose jobs the launcher does not start: each is on record, durable, before it may begin.

The launcher writes the record, as it does of its own jobs. A job that was begun and of which we tell no end
leaves a file behind, so that a later host agent can say that its end is not known.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from wand_hostagent import records
from wand_hostagent.backends.base import ExecutionBackend, Health, JobInput
from wand_hostagent.backends.facts import why
from wand_hostagent.model import Event, Exited, Job, Output
from wand_hostagent.policy.model import Permit
from wand_hostagent.spool import JOB_NAME
from wand_proto.errors import Ambiguous, Broken, WandError

log = logging.getLogger(__name__)

Record = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Begun:
    """The names of jobs that were begun and have no end on record, as files of a folder."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder = folder
        self._record = record
        folder.mkdir(mode=0o700, exist_ok=True)

    async def tell_of_lost(self) -> None:
        """Have it on record that nobody knows how those ended that an earlier host agent has left."""
        for file in self._left():
            told = {"job": file.name, "backend": file.read_text(), "reason": "lost"}
            try:
                await self._record("dispatch_end", told)
            except WandError as error:  # the next host agent tells it
                log.warning("job lost, not recorded", extra={"job": file.name, "error": str(error)})
                return
            file.unlink()

    def _left(self) -> list[Path]:
        return sorted(self._folder.iterdir())

    @contextlib.contextmanager
    def noted(self, job: str, backend: str) -> Iterator[Callable[[], None]]:
        """Keep the job's name while entered, and for good unless what comes back is called."""
        if not JOB_NAME.fullmatch(job):
            raise Broken(f"{job!r:.80} is no name of a job")
        file = self._folder / job
        file.write_text(backend)
        yield lambda: file.unlink(missing_ok=True)


class Recorded(ExecutionBackend):
    """Another backend, with the ledger before it."""

    def __init__(self, backend: ExecutionBackend, record: Record, begun: Begun) -> None:
        self.name = backend.name
        self.labels = backend.labels
        self._backend = backend
        self._record = record
        self._begun = begun

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Record, then have the other run it; what became of it is recorded too."""
        job = permit.act
        assert isinstance(job, Job)
        await self._record("dispatch", {"backend": self.name, **records.act(job), **why(permit, job)})
        with self._begun.noted(job.id, self.name) as told:
            outcome = _Outcome(job.id, self.name)
            try:
                async with aclosing(self._backend.run(permit)) as events:
                    async for event in events:
                        outcome.take(event)
                        yield event
            except WandError as error:
                outcome.failed(error)
                raise
            except (GeneratorExit, asyncio.CancelledError):
                outcome.cancelled()
                raise
            finally:
                if await self._tell(outcome):
                    told()

    async def _tell(self, outcome: "_Outcome") -> bool:
        """Whether the end is on record."""
        try:
            await self._record("dispatch_end", outcome.told())
        except WandError as error:
            log.warning("end not recorded", extra={"job": outcome.job, "error": str(error)})
            return False
        return True

    def input_of(self, job: str) -> JobInput | None:
        return self._backend.input_of(job)

    async def signal(self, job: str, signal: int) -> bool:
        """Record, then send it."""
        await self._record("dispatch_signal", {"job": job, "backend": self.name, "signal": signal})
        return await self._backend.signal(job, signal)

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

    def failed(self, error: WandError) -> None:
        reason = "lost" if isinstance(error, Ambiguous | Broken) else "not_started"
        self._told |= {"reason": reason, "kind": type(error).__name__, "message": error.message[:1024]}

    def told(self) -> dict[str, Any]:
        written = {f"{name}_bytes": count for name, count in self._bytes.items()}
        return {**self._told, **written, "wall_seconds": round(time.monotonic() - self._began, 3)}
