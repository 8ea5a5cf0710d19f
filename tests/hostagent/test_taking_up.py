"""A host agent that takes up the jobs of a dead one knows each byte's place, and steps over what is lost.

The dead one is played by one that stops in order; what it is not to have spooled is then taken away.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from support.gates import House
from support.people import ANN, shell
from support.successors import Agents, one_after_the_other
from support.waiting import until
from wand_hostagent.model import Event, Exited, Job, Limits, Output, Reason
from wand_proto.errors import Conflict


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    async with one_after_the_other() as agents:
        yield agents


async def followed(house: House, asked: Job, stdout: int = 0, stderr: int = 0) -> list[Event]:
    return [event async for event in house.gate.attach(ANN, asked.id, stdout, stderr)]


def end(events: list[Event]) -> Exited:
    last = events[-1]
    assert isinstance(last, Exited)
    return last


def page(events: list[Event], stream: str = "stdout") -> bytes:
    """What came, each part at its place; a dot is a byte that did not come."""
    page = b""
    for one in events:
        if isinstance(one, Output) and one.stream == stream:
            assert one.offset >= len(page)
            page = page.ljust(one.offset, b".") + one.data
    return page


@pytest.mark.parametrize(
    ("kept", "whole"),
    [(7, b"before\nafter\n"), (3, b"bef....after\n"), (0, b".......after\n")],
)
async def test_what_comes_keeps_its_place_however_little_was_spooled(
    agents: Agents, kept: int, whole: bytes
) -> None:
    asked = agents.script("echo before; echo e >&2", "echo after; echo f >&2")
    await agents.begin(asked, 7, 2)
    agents.cut(asked, kept)
    agents.cut(asked, 0, "stderr")

    second = await agents.next()
    agents.let(1)
    events = await followed(second, asked)
    from_there = await followed(second, asked, 7, 2)

    assert (page(events), page(events, "stderr")) == (whole, b"..f\n")
    assert page(from_there) == b".......after\n"
    assert (end(events).stdout_bytes, end(events).stderr_bytes) == (13, 4)
    assert not agents.counted()


async def test_reading_on_begins_at_the_first_byte_there_is(agents: Agents) -> None:
    asked = agents.script("echo before", "echo after")
    await agents.begin(asked, 7)
    agents.cut(asked, 3)

    gate = (await agents.next()).gate
    early = await gate.read_output(ANN, asked.id, "stdout", 3, 100)
    agents.let(1)
    await gate.wait(ANN, asked.id)
    parts = [await gate.read_output(ANN, asked.id, "stdout", offset, 100) for offset in (0, 3, 12)]

    assert (early.data, early.offset, early.total_bytes, early.running) == (b"", 7, 7, True)
    assert [(one.offset, one.data) for one in parts] == [(0, b"bef"), (7, b"after\n"), (12, b"\n")]
    assert {one.total_bytes for one in parts} == {13}


async def test_a_job_that_outlives_two_host_agents_tells_of_both_losses(agents: Agents) -> None:
    asked = agents.script("echo one", "echo two", "echo three")
    await agents.begin(asked, 4)
    agents.cut(asked, 2)
    second = await agents.next()
    agents.let(1)
    await until(lambda: second.jobs.of("ann", asked.id).offsets() == (8, 0))
    await agents.stop()
    agents.cut(asked, 1, "4.stdout")

    third = await agents.next()
    agents.let(2)

    assert page(await followed(third, asked)) == b"on..t...three\n"


async def test_the_ceiling_of_output_counts_what_an_earlier_host_agent_read(agents: Agents) -> None:
    asked = agents.script("head -c 200000 /dev/zero", "head -c 200000 /dev/zero; sleep 60")
    asked = shell(asked.argv[0], detached=True, limits=Limits(output_bytes=300_000))
    await agents.begin(asked, 200_000)
    agents.cut(asked, 0)

    second = await agents.next()
    agents.let(1)
    ended = await second.gate.wait(ANN, asked.id)

    assert (ended.reason, ended.stdout_bytes) == (Reason.OUTPUT_LIMIT, 300_000)


async def test_without_the_table_the_files_tell_the_place(agents: Agents) -> None:
    asked = agents.script("echo before", "echo after")
    await agents.begin(asked, 7)
    (agents.spool / "positions").unlink()

    second = await agents.next(slots=0)
    agents.let(1)

    assert page(await followed(second, asked, 7)) == b".......after\n"


async def test_where_the_place_is_not_known_nobody_is_left_to_wait_at_a_wrong_one(agents: Agents) -> None:
    asked = agents.script("echo before", "echo after")
    await agents.begin(asked, 7)
    agents.cut(asked, 0)
    (agents.spool / "positions").write_bytes(b"of another version")

    second = await agents.next()
    with pytest.raises(Conflict, match="stdout has 0 bytes, fewer than 7"):
        await followed(second, asked, 7)
    agents.let(1)

    assert page(await followed(second, asked)) == b"after\n"


async def test_more_jobs_than_slots_run_and_are_found_by_their_files(agents: Agents) -> None:
    asked = [agents.script(f"echo {number}", "echo after") for number in range(3)]
    first = await agents.next(slots=1)
    for one in asked:
        async with aclosing(first.gate.run(ANN, one)) as events:
            await anext(events)
    await until(lambda: all(first.jobs.of("ann", one.id).offsets() == (2, 0) for one in asked))
    counted = agents.counted()

    second = await agents.next()
    agents.let(1)
    pages = [page(await followed(second, one)) for one in asked]

    assert counted == [asked[0].id]
    assert pages == [b"0\nafter\n", b"1\nafter\n", b"2\nafter\n"]


async def test_the_slot_of_a_job_that_the_launcher_has_forgotten_is_free_again(agents: Agents) -> None:
    asked = agents.script("echo before", "echo after")
    await agents.begin(asked, 7)
    left = agents.counted()

    agents.end_launcher()
    await agents.next()

    assert left == [asked.id]
    assert not agents.counted()
