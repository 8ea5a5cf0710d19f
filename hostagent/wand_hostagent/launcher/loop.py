"""The loop: descriptors that became ready, moments that came; one thread, nothing that blocks."""

import heapq
import itertools
import select
import time
import traceback
from collections import deque
from collections.abc import Callable

from wand_hostagent.launcher import log

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_REST_SECONDS = 0.5  # for a descriptor whose call has failed
_AT_ONCE = 64  # descriptors; the others are still ready in the next turn
_MOST_SECONDS = 86400.0  # that are waited for at once: epoll_wait(2) takes no more than 24 days


class Loop:
    """Calls what was asked for when its descriptor is ready or its time has come.

    A call that fails is a defect of ours: it is logged, and ends nothing but itself.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[int], object]] = {}
        self._events: dict[int, int] = {}
        self._resting: set[int] = set()
        self._moments: list[tuple[float, int]] = []
        self._acts: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._rest: deque[Callable[[], None]] = deque()

    def watch(self, descriptor: int, events: int, ready: Callable[[int], object]) -> None:
        """Call `ready` with the events each time there are some."""
        self._epoll.register(descriptor, events)
        self._ready[descriptor] = ready
        self._events[descriptor] = events

    def change(self, descriptor: int, events: int) -> None:
        if descriptor not in self._resting:
            self._epoll.modify(descriptor, events)
        self._events[descriptor] = events

    def ignore(self, descriptor: int) -> None:
        """No more calls for this descriptor; to be said before it is closed."""
        if self._ready.pop(descriptor, None) is not None:
            del self._events[descriptor]
            if descriptor in self._resting:
                self._resting.remove(descriptor)
            else:
                self._epoll.unregister(descriptor)

    def later(self, seconds: float, act: Callable[[], None]) -> int:
        """Call `act` once after that time; the number that comes back can take it back."""
        number = next(self._numbers)
        self._acts[number] = act
        heapq.heappush(self._moments, (time.monotonic() + seconds, number))
        return number

    def cancel(self, number: int | None) -> None:
        if number is None or self._acts.pop(number, None) is None:
            return
        if len(self._moments) > 2 * len(self._acts) + 64:
            self._moments = [moment for moment in self._moments if moment[1] in self._acts]
            heapq.heapify(self._moments)

    def at_rest(self, act: Callable[[], None]) -> None:
        """Call `act` once when there is nothing else to do."""
        self._rest.append(act)

    def turn(self) -> None:
        """Wait for the next thing, and do all that is due."""
        found = self._epoll.poll(0 if self._rest else self._patience(), _AT_ONCE)
        if self._rest and not found:
            _contain(self._rest.popleft())
        for descriptor, events in found:
            ready = self._ready.get(descriptor)
            if ready is None:
                continue
            try:
                ready(events)
            except Exception:  # noqa: BLE001 - a defect of ours must not end every job
                _tell_defect()
                self._let_rest(descriptor, ready)
        now = time.monotonic()
        while self._moments and self._moments[0][0] <= now:
            act = self._acts.pop(heapq.heappop(self._moments)[1], None)
            if act is not None:
                _contain(act)

    def _let_rest(self, descriptor: int, ready: Callable[[int], object]) -> None:
        """Try it again in a while: what is still there to be read would fail all the time."""
        if self._ready.get(descriptor) is ready:
            self._epoll.unregister(descriptor)
            self._resting.add(descriptor)
            self.later(_REST_SECONDS, lambda: self._wake(descriptor, ready))

    def _wake(self, descriptor: int, ready: Callable[[int], object]) -> None:
        if self._ready.get(descriptor) is ready and descriptor in self._resting:
            self._resting.remove(descriptor)
            self._epoll.register(descriptor, self._events[descriptor])

    def _patience(self) -> float:
        while self._moments and self._moments[0][1] not in self._acts:
            heapq.heappop(self._moments)
        if not self._moments:
            return -1
        return min(_MOST_SECONDS, max(0.0, self._moments[0][0] - time.monotonic()))


def _contain(act: Callable[[], object]) -> None:
    """Call it; a failure is its own end."""
    try:
        act()
    except Exception:  # noqa: BLE001 - a defect of ours must not end every job
        _tell_defect()


def _tell_defect() -> None:
    log.write("error", "call failed", defect=traceback.format_exc()[-2000:])
