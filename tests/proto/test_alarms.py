"""Alarms ring when they are due, together, and not when they were cancelled."""

import asyncio
import weakref
from functools import partial

import pytest

from support.waiting import until
from wand_proto.alarms import Alarms

TICK_SECONDS = 0.01


async def test_alarms_ring_in_order_and_none_too_early() -> None:
    alarms, loop = Alarms(TICK_SECONDS), asyncio.get_running_loop()
    rang: list[tuple[str, float]] = []
    began, over = loop.time(), asyncio.Event()

    for name, seconds in (("late", 0.05), ("soon", 0.02), ("now", 0.0)):
        alarms.set(seconds, lambda name=name: rang.append((name, loop.time() - began)))  # type: ignore[misc]
    alarms.set(0.08, over.set)
    await asyncio.wait_for(over.wait(), 10)

    assert [name for name, _ in rang] == ["now", "soon", "late"]
    assert all(seconds >= due for (_, seconds), due in zip(rang, (0.0, 0.02, 0.05), strict=True))


async def test_a_cancelled_alarm_does_not_ring_even_from_within_another() -> None:
    alarms, over = Alarms(TICK_SECONDS), asyncio.Event()
    rang: list[int] = []
    pair = [alarms.set(0, lambda: ring(0)), alarms.set(0, lambda: ring(1))]

    def ring(number: int) -> None:
        rang.append(number)
        pair[1 - number].cancel()

    alarms.set(0.0, lambda: None).cancel()
    alarms.set(3 * TICK_SECONDS, over.set)
    await asyncio.wait_for(over.wait(), 10)

    assert len(rang) == 1


async def test_an_alarm_that_breaks_is_told_of_and_those_beside_it_ring() -> None:
    alarms, rang, told = Alarms(TICK_SECONDS), list[int](), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

    def ring(number: int) -> None:
        rang.append(number)
        raise OSError("the disk is full")

    for number in range(3):
        alarms.set(0, partial(ring, number))
    await until(lambda: len(rang) == 3)

    assert [type(error) for error in told] == [OSError] * 3


async def test_what_takes_too_long_is_cancelled_with_a_timeout() -> None:
    alarms = Alarms(TICK_SECONDS)

    with pytest.raises(TimeoutError), alarms.within(0.01):
        await asyncio.Event().wait()

    with alarms.within(60):
        await asyncio.sleep(0)


async def test_a_cancellation_from_outside_stays_one() -> None:
    alarms = Alarms(TICK_SECONDS)

    async def wait() -> None:
        with alarms.within(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_alarm_holds_nothing_of_whoever_set_it() -> None:
    class Waiting:
        def __init__(self, alarms: Alarms) -> None:
            self.alarm = alarms.set(60, self.be_late)

        def be_late(self) -> None: ...

    waiting = Waiting(Alarms(TICK_SECONDS))
    gone = weakref.ref(waiting)

    waiting.alarm.cancel()
    del waiting

    assert gone() is None
