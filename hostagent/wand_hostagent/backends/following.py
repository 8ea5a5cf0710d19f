"""A job that the launcher has started, followed to its end: its output as it comes, then how it ended."""

import asyncio
import contextlib
import hashlib
import signal
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any, Literal

from wand_hostagent.backends.streams import PIPE_BYTES, Ends, Tap
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import Event, Exited, Output, Reason, Started
from wand_hostagent.positions import Position
from wand_proto.alarms import Alarm, Alarms
from wand_proto.errors import Broken, WandError

LISTEN_SECONDS = 0.003  # a job that is over sooner is read once, at its end, and costs the event loop nothing
SURVIVOR_SECONDS = 0.2  # how long output is awaited after the end, where something still holds a pipe
_STREAMS: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")
OVERDUE_SECONDS = 30.0  # how long after its time limit, or our kill, a job's end is awaited


class Following:
    """One started job and our ends of its pipes or its terminal, which it closes."""

    def __init__(
        self,
        link: LauncherLink,
        started: Started,
        ends: Ends,
        positions: tuple[Position, Position],
        alarms: Alarms,
    ) -> None:
        self.detached = False
        self.input = ends.input
        self._link = link
        self._started = started
        self._ending = link.ending(started.job)
        self._news = asyncio.Event()
        self._began = time.monotonic()
        self._overdue = False
        self._expired = False
        self._loop = asyncio.get_running_loop()
        self._some_day = alarms
        self._alarms: list[Alarm | asyncio.TimerHandle] = []
        self._taps = tuple(
            Tap(output, stream, position, self._news.set)
            for output, stream, position in zip(ends.outputs, _STREAMS, positions, strict=False)
        )
        most = started.limits.output_bytes
        self._digests: dict[str, Any] = {}  # of what has been read from its first byte on
        self._left = None if most is None else most - sum(tap.offset for tap in self._taps)

    @property
    def job(self) -> str:
        return self._started.job

    async def events(self) -> AsyncGenerator[Event, None]:
        """One Started, any Outputs, one Exited; closed earlier, it kills the job unless that is detached."""
        if self._ending.done():
            self._has_ended(self._ending)
        else:
            self._ending.add_done_callback(self._has_ended)
            self._alarms.append(self._loop.call_later(LISTEN_SECONDS, self._last_on))
        try:
            yield self._started
            while not self._is_over():
                self._news.clear()
                for output in self._taken():
                    yield output
                try:
                    await self._more()
                except asyncio.CancelledError:
                    for last in self._last():
                        yield last
                    raise
            for rest in self._rest():
                yield rest
            self._let_go()
            yield self._exited()
        finally:
            self._close()
            if not self._ending.done() and not self.detached:
                await asyncio.shield(self._link.abandon(self._started.job))

    def _let_go(self) -> None:
        """It has ended: the launcher may forget it."""
        self._close()
        if any(tap.offset for tap in self._taps):
            self._link.note("output", {"job": self.job, **self._written()})
        if self._ending.result().reason is Reason.LOST:
            self._link.abandon(self.job)  # should the launcher have outlived the link
        else:
            self._link.release(self.job)

    def _written(self) -> dict[str, int | str]:
        """What the job wrote, for the ledger; no digest where an earlier host agent has read some of it."""
        told: dict[str, int | str] = {}
        for tap in self._taps:
            told[f"{tap.stream}_bytes"] = tap.offset
            if tap.stream in self._digests or tap.offset == 0:
                digest = self._digests.get(tap.stream) or hashlib.sha256()
                told[f"{tap.stream}_sha256"] = digest.hexdigest()
        return told

    async def _more(self) -> None:
        """Wait until there is something to take, or it is over; stop a job that has written too much."""
        if self._left is not None and self._left < 0:
            await self._stop()
        if not self._is_over():
            await self._news.wait()

    def _taken(self) -> Iterator[Output]:
        for tap in self._taps:
            if data := tap.take():
                yield self._output(tap, data)

    def _is_over(self) -> bool:
        if self._ending.done():
            return self._expired or self._all_read()
        if self._overdue:
            raise Broken(f"the launcher did not report the end of {self._started.job}")
        return False

    def _all_read(self) -> bool:
        for tap in self._taps:  # noqa: SIM110 - a generator would cost more than the question
            if not tap.ended:
                return False
        return True

    def _output(self, tap: Tap, data: bytes) -> Output:
        """What was taken, counted and cut at the ceiling."""
        if self._left is not None:
            data, self._left = data[: max(self._left, 0)], self._left - len(data)
        output = Output(stream=tap.stream, data=data, offset=tap.offset)
        if tap.offset == 0:
            self._digests[tap.stream] = hashlib.sha256()
        tap.offset += len(data)
        if tap.stream in self._digests:
            self._digests[tap.stream].update(data)
        return output

    async def _stop(self) -> None:
        """The job has written too much: kill it, and read no more."""
        self._left = None
        for tap in self._taps:
            tap.close()
            tap.take()
        with contextlib.suppress(WandError):
            await self._link.kill(self._started.job, signal.SIGKILL, "output_limit")
        self._await_end(OVERDUE_SECONDS)

    def _last(self) -> Iterator[Output]:
        """What has been read of a job that runs on without us: nobody else can read it again."""
        for tap in self._taps if self.detached else ():
            tap.close()
            if data := tap.take():
                yield self._output(tap, data)

    def _rest(self) -> Iterator[Output]:
        """What a pipe still holds that something else than the job keeps open, up to one pipe of it."""
        for tap in self._taps:
            most = tap.offset + PIPE_BYTES
            while tap.offset < most:
                tap.drain()
                data = tap.take()
                if not data:
                    break
                yield self._output(tap, data)

    def _exited(self) -> Exited:
        ended = self._ending.result()
        if ended.reason is not Reason.LOST and not any(tap.offset for tap in self._taps):
            return ended  # as most do that are over at once
        lost = ended.reason is Reason.LOST
        return replace(
            ended,
            wall_seconds=time.monotonic() - self._began if lost else ended.wall_seconds,
            stdout_bytes=sum(tap.offset for tap in self._taps if tap.stream == "stdout"),
            stderr_bytes=sum(tap.offset for tap in self._taps if tap.stream == "stderr"),
        )

    # -- what rings ---------------------------------------------------------------------------------------

    def _has_ended(self, _: "asyncio.Future[Exited]") -> None:
        if self.input is not None:
            self.input.let_go()
        for tap in self._taps:
            tap.drain()
        if not self._all_read():
            self._listen()
            self._alarms.append(self._loop.call_later(SURVIVOR_SECONDS, self._expire))
        self._news.set()

    def _last_on(self) -> None:
        """It is not over at once: read what it writes as it comes, and do not wait for it for ever."""
        self._listen()
        if self._started.limits.wall_seconds is not None:
            self._await_end(self._started.limits.wall_seconds + OVERDUE_SECONDS)

    def _listen(self) -> None:
        for tap in self._taps:
            tap.listen()

    def _expire(self) -> None:
        self._expired = True
        self._news.set()

    def _await_end(self, seconds: float) -> None:
        self._alarms.append(self._some_day.set(seconds, self._be_overdue))

    def _be_overdue(self) -> None:
        self._overdue = True
        self._news.set()

    def _close(self) -> None:
        self._ending.remove_done_callback(self._has_ended)
        for alarm in self._alarms:
            alarm.cancel()
        for tap in self._taps:
            tap.close()
        if self.input is not None:
            self.input.close()
