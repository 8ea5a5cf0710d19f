"""A stream's log: what is kept, what is forgotten, who is served."""

import asyncio

import pytest

from wand_proto.alarms import Alarms
from wand_server.transports import events, replies
from wand_server.transports.events import EventLog


def alarms() -> Alarms:
    return Alarms(0.01)


class Reader:
    """Takes what is written, and remembers it."""

    def __init__(self) -> None:
        self.frames: list[str] = []

    async def write(self, frame: bytes) -> None:
        self.frames.append(frame.decode())

    @property
    def ids(self) -> list[str]:
        return [
            line.removeprefix("id: ")
            for frame in self.frames
            for line in frame.split("\r\n")
            if "id: " in line
        ]


async def test_a_reader_gets_what_came_before_it_and_what_comes_after() -> None:
    log, reader = EventLog("a"), Reader()
    await log.notify({"n": 1})
    delivery = asyncio.create_task(log.deliver(alarms(), reader.write, 0))
    await asyncio.sleep(0)
    await log.notify({"n": 2})
    log.end({"n": 3})

    await asyncio.wait_for(delivery, 20)

    assert reader.ids == ["a_1", "a_2", "a_3"]


async def test_a_reader_that_comes_back_gets_the_rest() -> None:
    log, reader = EventLog("a"), Reader()
    for number in range(5):
        await log.notify({"n": number})
    log.end()

    await log.deliver(alarms(), reader.write, 3)

    assert reader.ids == ["a_4", "a_5"]


@pytest.mark.parametrize("ceiling", ["EVENTS_CEILING", "BYTES_CEILING"])
async def test_the_oldest_are_forgotten_and_the_last_never(
    ceiling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, ceiling, 2)
    log, reader = EventLog("a"), Reader()
    for _ in range(5):
        await log.notify({})
    log.end({"answer": "long"})

    await log.deliver(alarms(), reader.write, 0)

    assert reader.ids[-1] == "a_6"
    assert len(reader.ids) <= 2


async def test_a_second_reader_takes_the_place_of_the_first() -> None:
    log, first, second = EventLog("a"), Reader(), Reader()
    before = asyncio.create_task(log.deliver(alarms(), first.write, 0))
    await asyncio.sleep(0)
    after = asyncio.create_task(log.deliver(alarms(), second.write, 0))

    await asyncio.wait_for(before, 20)
    log.end({"n": 1})
    await asyncio.wait_for(after, 20)

    assert (first.ids, second.ids) == ([], ["a_1"])


def test_an_event_is_whole_for_a_client_whose_lines_end_as_those_of_unicode() -> None:
    frame = replies.event('{"id":"a\u2028b"}'.encode(), "k_1").decode()

    assert frame.splitlines() == ["event: message", "id: k_1", r'data: {"id":"a\u2028b"}', ""]
