"""A job that runs elsewhere, followed to its end: its output counted and cut, its time kept, its end told."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from wand_hostagent.backends import taking
from wand_hostagent.backends.base import JobInput
from wand_hostagent.model import Event, Exited, Input, Output, Reason, Started
from wand_proto.errors import Ambiguous, Unavailable, WandError

log = logging.getLogger(__name__)

StreamName = Literal["stdout", "stderr"]
KILL_SECONDS = 15.0  # in which a job that we end has to be gone
ENDS = (Ambiguous, Unavailable, ConnectionError, EOFError)  # of a link, in mid-job


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended, as far as the other end can tell."""

    reason: Reason = Reason.EXITED
    exit_code: int = 0
    signal: int = 0


class Source(ABC):
    """A job that has started, on the other end of a link."""

    @abstractmethod
    async def read(self) -> tuple[StreamName, bytes] | None:
        """What it writes next; None when no more will come."""

    @abstractmethod
    async def ended(self) -> Ended:
        """How it ended, once it has; Ambiguous or Unavailable where nobody knows."""

    @abstractmethod
    async def kill(self) -> None:
        """End it and all that it started."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it, whether it has ended or not."""

    async def leave(self) -> None:
        """Let go of it, and let it run on for whoever finds it again."""
        await self.close()


class Course:
    """The events of one job; one that is `kept` runs on where they are not waited for any more."""

    def __init__(
        self, started: Started, source: Source, *, kept: bool = False, began_unix_seconds: float = 0.0
    ) -> None:
        self._started = started
        self._source = source
        self._kept = kept
        ago = max(0.0, time.time() - began_unix_seconds) if began_unix_seconds else 0.0
        self._began = time.monotonic() - ago
        self._bytes: dict[StreamName, int] = {"stdout": 0, "stderr": 0}
        self._left = started.limits.output_bytes
        self._over = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """One Started, any Outputs, one Exited; closed earlier, the job ends with all that it started."""
        try:
            yield self._started
            async for output in self._outputs():
                yield output
            exited = await self._end()
            self._over = True
            yield exited
        finally:
            await asyncio.shield(asyncio.create_task(self._let_go()))

    async def _outputs(self) -> AsyncGenerator[Output, None]:
        """What it writes, until there is no more, or one of its limits is reached."""
        self._reason: Reason | None = None
        while self._reason is None:
            try:
                async with asyncio.timeout_at(self._deadline()):
                    part = await self._source.read()
            except TimeoutError:
                self._reason = Reason.TIMED_OUT
            except ENDS as error:
                self._lose(error)
            else:
                if part is None:
                    return
                if output := self._taken(*part):
                    yield output

    def _deadline(self) -> float | None:
        """The moment when its time is over, by the clock of the loop."""
        most = self._started.limits.wall_seconds
        elapsed = time.monotonic() - self._began
        return None if most is None else asyncio.get_running_loop().time() + most - elapsed

    def _taken(self, stream: StreamName, data: bytes) -> Output | None:
        if self._left is not None:
            if len(data) > self._left:
                self._reason = Reason.OUTPUT_LIMIT
            data, self._left = data[: self._left], max(0, self._left - len(data))
        offset = self._bytes[stream]
        self._bytes[stream] += len(data)
        return Output(stream=stream, data=data, offset=offset) if data else None

    def _lose(self, error: BaseException) -> None:
        log.warning("job lost", extra={"job": self._started.job, "error": str(error)})
        self._reason = Reason.LOST

    async def _end(self) -> Exited:
        if self._reason is None:
            try:
                async with asyncio.timeout_at(self._deadline()):
                    return self._exited(await self._source.ended())
            except TimeoutError:
                self._reason = Reason.TIMED_OUT
            except ENDS as error:
                self._lose(error)
        if self._reason is not Reason.LOST and not await self._killed():
            self._reason = Reason.LOST
        assert self._reason is not None
        return self._exited(Ended(reason=self._reason, signal=0 if self._reason is Reason.LOST else 9))

    async def _killed(self) -> bool:
        """Whether it is gone for sure."""
        try:
            async with asyncio.timeout(KILL_SECONDS):
                await self._source.kill()
        except (*ENDS, TimeoutError, WandError) as error:
            self._lose(error)
            return False
        return True

    def _exited(self, ended: Ended) -> Exited:
        return Exited(
            job=self._started.job,
            reason=ended.reason,
            exit_code=ended.exit_code,
            signal=ended.signal,
            wall_seconds=time.monotonic() - self._began,
            stdout_bytes=self._bytes["stdout"],
            stderr_bytes=self._bytes["stderr"],
        )

    async def _let_go(self) -> None:
        with suppress(*ENDS, WandError):
            if self._kept and not self._over:
                await self._source.leave()
                return
        if not self._over:
            await self._killed()
        with suppress(*ENDS, WandError):
            await self._source.close()


class Typed(JobInput):
    """What a running job is given to read, over a link that says how much of it waits."""

    def __init__(self, *, is_terminal: bool, stays_open: bool) -> None:
        self.is_terminal = is_terminal
        self._runs = True
        self._takes = stays_open  # more to read

    def check(self, given: Input) -> None:
        """See that it could be given now; see `JobInput`."""
        unread = self.unread_bytes()
        taking.check(given, is_terminal=self.is_terminal, takes=self._takes, unread_bytes=unread)

    def give(self, given: Input) -> None:
        """Give it what has been checked, in that order; Ctrl-C and a size reach every terminal."""
        if not self._runs:
            return
        if given.resize is not None:
            self.resize(*given.resize)
        if given.data:
            self.write(given.data)
        if given.interrupt and self.is_terminal:
            self.write(b"\x03")
        if given.end and self.is_terminal:
            self.write(b"\x04")
        elif given.end:
            self._takes = False
            self.write_end()

    def begin(self, first: bytes) -> None:
        """Give it what it has from the start; its end too, where nothing follows."""
        if first:
            self.write(first)
        if self._takes:
            return
        if self.is_terminal:
            self.write(b"\x04" if first.endswith(b"\n") or not first else b"\x04\x04")
        else:
            self.write_end()

    def let_go(self) -> None:
        """The job has ended."""
        self._runs = self._takes = False

    def close(self) -> None:
        """Give up what it has not read."""
        self.let_go()

    # -- by the link ----------------------------------------------------------------------------------------

    def unread_bytes(self) -> int:
        """How much has not left yet."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send it, and wait for nothing."""
        raise NotImplementedError

    def write_end(self) -> None:
        """Nothing follows."""
        raise NotImplementedError

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size."""
        raise NotImplementedError
