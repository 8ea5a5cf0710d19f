"""What is said on a stream leaves in order, together where it can, and is held up to a bound."""

import asyncio
from functools import partial

from support.waiting import until
from wand_hostagent.service import outbox
from wand_hostagent.service.outbox import Fill, Outbox
from wand_hostagent.service.translate import fill_end
from wand_proto.v1 import execution_pb2 as wire


def event(call: int) -> Fill:
    return partial(fill_end, call, None, False)


class Writer:
    """Remembers the calls of each batch; nothing more is written while it is shut."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, batch: wire.CallEvents) -> None:
        self.batches.append([each.call for each in batch.events])
        await self.open.wait()


async def test_what_gathers_while_a_message_is_on_its_way_leaves_with_the_next() -> None:
    box, writer = Outbox(), Writer()
    writer.open.clear()
    writing = asyncio.create_task(box.write_out(writer.write))

    box.put(event(1), 1)
    await until(lambda: writer.batches)
    for number in (2, 3, 4):
        box.put(event(number), 1)
    box.finish()
    writer.open.set()
    await writing

    assert writer.batches == [[1], [2, 3, 4]]


async def test_what_is_not_urgent_takes_along_what_follows_and_waits_no_longer_than_a_moment() -> None:
    box, writer = Outbox(), Writer()
    writing = asyncio.create_task(box.write_out(writer.write))

    box.put(event(1), 1, urgent=False)
    await asyncio.sleep(0)
    box.put(event(2), 1)
    await until(lambda: writer.batches)
    box.put(event(3), 1, urgent=False)
    await until(lambda: len(writer.batches) == 2)
    box.finish()
    await writing

    assert writer.batches == [[1, 2], [3]]


async def test_beyond_the_bound_there_is_no_room_and_what_must_be_said_is_put_all_the_same() -> None:
    box, writer = Outbox(), Writer()
    writer.open.clear()
    box.put(event(1), outbox._MOST_QUEUED_BYTES)
    waiting = asyncio.create_task(box.room())
    await asyncio.sleep(0)
    box.put(event(2), 1)
    assert not waiting.done()

    writing = asyncio.create_task(box.write_out(writer.write))
    async with asyncio.timeout(60):
        await waiting
    writer.open.set()
    box.finish()
    await writing

    assert writer.batches == [[1], [2]]
