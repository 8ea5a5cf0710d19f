"""Alarms that are set by the thousand and hardly ever ring: deadlines. The event loop's own timers cost more.

Those that are due in the same tick ring together, up to one tick late; for each tick there is one timer.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

Ring = Callable[[], None]


class Alarm:
    """One that is set; `cancel` it and it does not ring."""

    __slots__ = ("_together", "ring")

    def __init__(self, ring: Ring, together: "set[Alarm]") -> None:
        self.ring = ring
        self._together = together

    def cancel(self) -> None:
        self._together.discard(self)
        self.ring = _nothing  # what is called often holds its alarm: a circle, for the search for garbage


def _nothing() -> None:
    """What a cancelled alarm does."""


class Alarms:
    """The alarms of one event loop that share a tick."""

    def __init__(self, tick_seconds: float) -> None:
        self._tick_seconds = tick_seconds
        self._due: dict[int, set[Alarm]] = {}
        self.loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0

    def set(self, seconds: float, ring: Ring) -> Alarm:
        """Call `ring` after so many seconds, or up to one tick later."""
        tick = int((self.loop.time() + seconds) / self._tick_seconds) + 1
        together = self._due.get(tick)
        if together is None:
            together = self._due[tick] = set()
            if self._timer is None or tick < self._timer_tick:
                self._wake_at(tick)
        alarm = Alarm(ring, together)
        together.add(alarm)
        return alarm

    def within(self, seconds: float) -> "Within":
        """Around what is cancelled when the time is up, with a TimeoutError: as `asyncio.timeout`."""
        return Within(self, seconds)

    def _wake_at(self, tick: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_tick = tick
        self._timer = self.loop.call_at(tick * self._tick_seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self.loop.time() / self._tick_seconds
        for tick in sorted(tick for tick in self._due if tick <= now or tick == self._timer_tick):
            together = self._due.pop(tick)
            while together:
                self._ring_one(together.pop())
        self._due = {tick: together for tick, together in self._due.items() if together}
        if self._due and self._timer is None:
            self._wake_at(min(self._due))

    def _ring_one(self, alarm: Alarm) -> None:
        try:
            alarm.ring()
        except Exception as error:  # noqa: BLE001 - the top of a callback; those beside it are deadlines
            self.loop.call_exception_handler({"message": "alarm broke", "exception": error})


class Within:
    """The block that ends in time, or in a TimeoutError."""

    def __init__(self, alarms: Alarms, seconds: float) -> None:
        self._alarms = alarms
        self._seconds = seconds
        self._is_late = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._alarm = self._alarms.set(self._seconds, self._be_late)
        return self

    def _be_late(self) -> None:
        self._is_late = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        ours = self._is_late and self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error
