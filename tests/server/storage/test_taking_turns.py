"""Principals take turns, however many tasks each of them has handed in."""

import pytest

from support.stores import BOB, Stand, failed, task
from wand_server.lifecycle import Retries, TaskState
from wand_server.model import Principal
from wand_server.ports import Outcome

CAY = Principal(name="cay", means="api_key")


async def claims(stand: Stand, count: int) -> str:
    """The first letters of whose tasks are claimed next."""
    return "".join([(await stand.claimed()).task.principal.name[0] for _ in range(count)])


async def test_who_has_a_few_tasks_does_not_wait_for_all_of_who_has_many(stand: Stand) -> None:
    await stand.store.submit([task() for _ in range(4)])
    for _ in range(4):
        await stand.submitted()
    assert await claims(stand, 2) == "aa"
    await stand.store.submit([task(principal=BOB) for _ in range(3)])
    assert await claims(stand, 4) == "abab"
    await stand.submitted(principal=CAY)
    assert await claims(stand, 6) == "abcaaa"
    assert await stand.store.claim("a1", frozenset(), 60) is None


async def test_who_comes_back_does_not_catch_up_on_what_they_never_asked_for(stand: Stand) -> None:
    await stand.submitted(principal=BOB)
    await stand.store.submit([task() for _ in range(9)])
    assert await claims(stand, 6) == "baaaaa"
    for _ in range(3):
        await stand.submitted(principal=BOB)
    assert await claims(stand, 7) == "abababa"


async def test_priority_is_first_and_turns_are_within_it(stand: Stand) -> None:
    await stand.store.submit([task(priority=p) for p in (1, 1, 0, 0)])
    await stand.submitted(principal=BOB)
    await stand.submitted(principal=BOB, priority=1)
    assert await claims(stand, 6) == "abaaba"


@pytest.mark.parametrize("swept", [True, False])
async def test_what_was_put_off_is_behind_its_principals_last_when_its_time_has_come(
    stand: Stand,
    swept: bool,  # noqa: FBT001 - drawn
) -> None:
    late = await stand.submitted(not_before=stand.clock.now + 5)
    first = await stand.submitted()
    await stand.submitted(principal=BOB)
    assert await stand.store.claim("a1", frozenset(), 60, task=late) is None
    stand.clock.forward(5)
    if swept:
        assert (await stand.store.sweep()).due == 1
        assert (await stand.store.sweep()).due == 0
    found = [(await stand.claimed()).task.id for _ in range(3)]
    assert (found[0], found[2]) == (first, late)


async def test_what_is_tried_again_or_was_waited_for_takes_its_turn_anew(stand: Stand) -> None:
    first = await stand.claimed_new(retries=Retries(base_seconds=1, jitter=0))
    waits = await stand.submitted(depends_on=(await stand.submitted(title="before"),))
    before = await stand.claimed()
    await stand.store.submit([task() for _ in range(3)])
    await stand.store.submit([task(principal=BOB) for _ in range(3)])
    await stand.store.finish(before.lease, Outcome(kind="done"))
    await stand.store.finish(first.lease, failed(may_pass=True))
    stand.clock.forward(1)
    await stand.store.sweep()
    assert await claims(stand, 6) == "ababab"
    assert [(await stand.claimed()).task.id for _ in range(2)] == [waits, first.lease.task]


async def test_what_has_waited_for_a_person_goes_on_at_once(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.finish(lease, Outcome(kind="waits"))
    await stand.store.submit([task() for _ in range(3)])
    assert (await stand.store.counts())[TaskState.WAITING] == 1
    stand.clock.forward(5)
    await stand.store.sweep()
    found = {(await stand.claimed()).task.id for _ in range(2)}
    assert lease.task in found
