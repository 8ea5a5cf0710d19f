"""One job of another host agent, followed over a link that may break in the middle, and given input."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from wand_hostagent.backends.course import Typed
from wand_hostagent.backends.remote import messages
from wand_hostagent.backends.remote.link import Link, Open, metadata
from wand_hostagent.model import Event, Exited, Input, Output, Reason
from wand_proto.context import Caller
from wand_proto.errors import Ambiguous, Exhausted, Unavailable, WandError
from wand_proto.v1 import execution_pb2 as wire

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.25
KILL_SECONDS = 10.0
GIVEN_BYTES = 64  # that anything given counts beside its data: a size has none
Begin = Callable[[Open], Any]  # a call whose events are followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked there, and for whom."""

    backend: str  # our own name of that host agent
    job: str
    rule: str
    detached: bool
    caller: Caller


class RemoteJob:
    """A job that is asked for there."""

    def __init__(self, link: Link, asked: Asked, rejoin_seconds: float, there: str = "") -> None:
        self.there = there  # its name there, once it runs
        self._link = link
        self._asked = asked
        self._rejoin_seconds = rejoin_seconds
        self._metadata = metadata(asked.caller)
        self._began = time.monotonic()
        self._bytes = {"stdout": 0, "stderr": 0}
        self._is_over = self._is_rejoined = False

    async def events(self, request: wire.RunRequest) -> AsyncGenerator[Event, None]:
        """Its events; closed early, it is ended there unless it is detached."""
        try:
            try:
                async with aclosing(
                    self._followed(lambda to: to.execution.Run(request, metadata=self._metadata))
                ) as events:
                    async for event in events:
                        yield event
            except (Unavailable, Ambiguous):
                if not self.there:
                    raise
            if not self._is_over:
                async with aclosing(self.rejoined()) as events:
                    async for event in events:
                        yield event
        finally:
            if self._is_rejoined and not self._is_over and not self._asked.detached:
                await asyncio.shield(asyncio.create_task(self._kill()))

    async def _followed(self, begin: Begin) -> AsyncGenerator[Event, None]:
        """The events of one call; cancelled, it has the host agent there end what it has begun by it."""
        async with self._link.used() as to:
            stream = begin(to)
            try:
                async for message in stream:
                    if (event := self._taken(message)) is not None:
                        yield event
            finally:
                stream.cancel()

    def _taken(self, message: wire.Event) -> Event | None:
        if message.HasField("started"):
            is_first, self.there = not self.there, message.started.job
            asked = self._asked
            return (
                messages.started(message.started, asked.job, asked.backend, asked.rule) if is_first else None
            )
        event = messages.event(message, self._asked.job)
        if isinstance(event, Output):
            self._bytes[event.stream] = event.offset + len(event.data)
        self._is_over = self._is_over or isinstance(event, Exited)
        return event

    async def rejoined(self) -> AsyncGenerator[Event, None]:
        """The rest, where the host agent there comes back and has the job; else nobody knows its end."""
        log.warning("link broke in mid-job", extra={"job": self._asked.job, "backend": self._asked.backend})
        self._is_rejoined = True
        until = time.monotonic() + self._rejoin_seconds
        while not self._is_over and time.monotonic() < until:
            try:
                async with aclosing(self._followed(self._attach)) as events:
                    async for event in events:
                        until = time.monotonic() + self._rejoin_seconds
                        yield event
            except (Unavailable, Ambiguous):
                pass
            except WandError as error:
                log.warning("job not found again", extra={"job": self._asked.job, "error": str(error)})
                break
            if not self._is_over:
                await asyncio.sleep(AGAIN_SECONDS)
        if not self._is_over:
            self._is_over = True
            yield self._lost()

    def _attach(self, to: Open) -> Any:
        request = wire.AttachRequest(
            job=self.there, stdout_offset=self._bytes["stdout"], stderr_offset=self._bytes["stderr"]
        )
        return to.execution.Attach(request, metadata=self._metadata)

    def _lost(self) -> Exited:
        return Exited(
            job=self._asked.job,
            reason=Reason.LOST,
            wall_seconds=time.monotonic() - self._began,
            stdout_bytes=self._bytes["stdout"],
            stderr_bytes=self._bytes["stderr"],
        )

    async def signal(self, signum: int) -> bool:
        """Send it a signal; False where it has ended."""
        async with self._link.used() as to:
            request = wire.SignalRequest(job=self.there, signal=signum)
            reply = await to.execution.Signal(request, metadata=self._metadata, timeout=KILL_SECONDS)
        return bool(reply.running)

    async def feed(self, given: Input) -> None:
        """Give it something to read."""
        async with self._link.used() as to:
            request = messages.feed(self.there, given)
            await to.execution.Feed(request, metadata=self._metadata, timeout=KILL_SECONDS)

    async def _kill(self) -> None:
        """End it, though no call holds it any more; where that cannot be said, its time limit ends it."""
        try:
            async with asyncio.timeout(KILL_SECONDS):
                await self.signal(signal.SIGKILL)
        except (WandError, TimeoutError) as error:
            log.warning("job not ended there", extra={"job": self._asked.job, "error": str(error)})


class RemoteInput(Typed):
    """What such a job is given to read, in order; what it has no room for waits until it reads."""

    def __init__(self, job: RemoteJob, *, is_terminal: bool, stays_open: bool) -> None:
        super().__init__(is_terminal=is_terminal, stays_open=stays_open)
        self._job = job
        self._waiting: list[Input] = []
        self._sending: asyncio.Task[None] | None = None

    def unread_bytes(self) -> int:
        return sum(len(each.data) + GIVEN_BYTES for each in self._waiting)

    def give(self, given: Input) -> None:
        """Send it on whole: what an end or Ctrl-C is there, that host agent knows."""
        if not self._runs:
            return
        if given.end and not self.is_terminal:
            self._takes = False
        self._waiting.append(given)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name=f"input {self._job.there}")

    async def _send(self) -> None:
        while self._waiting and self._runs:
            try:
                await self._job.feed(self._waiting[0])
            except (Exhausted, Unavailable):  # nothing of it was taken
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except WandError as error:
                log.warning("input not given", extra={"job": self._job.there, "error": str(error)})
            if self._waiting:
                del self._waiting[0]

    def let_go(self) -> None:
        """The job has ended."""
        super().let_go()
        self._waiting.clear()
        if self._sending is not None:
            self._sending.cancel()
