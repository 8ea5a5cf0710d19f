"""What time does: leases run out, deadlines pass, retries come due, results are removed."""

import asyncio

import pytest

from support.stores import CAN_ALL, DONE, Stand, failed
from wand_proto.errors import Conflict, NotFound
from wand_server.lifecycle import Retries, TaskState
from wand_server.ports import Checkpoint, Hold, News, Outcome, StepBegins, StepEnds, TaskError, Wake

NOW = Retries(most_attempts=2, base_seconds=0, jitter=0)


async def test_a_lease_that_ran_out_is_taken_back_and_the_task_begins_again_after_a_wait(
    stand: Stand,
) -> None:
    lease = (await stand.claimed_new(lease_seconds=10, retries=Retries(base_seconds=7, jitter=0))).lease
    assert (await stand.store.sweep()).lost == 0
    stand.clock.forward(10)
    assert (await stand.store.sweep()).lost == 1
    kept = await stand.store.get(lease.task)
    assert (kept.state, kept.run_at) == (TaskState.QUEUED, stand.clock.now + 7)
    assert kept.error is not None
    assert "lost" in kept.error.message
    stand.clock.forward(7)
    assert (await stand.claimed()).task.attempt == 2


async def test_a_renewed_lease_is_not_taken_back(stand: Stand) -> None:
    lease = (await stand.claimed_new(lease_seconds=10)).lease
    stand.clock.forward(9)
    await stand.store.renew(lease, 10)
    stand.clock.forward(9)
    assert (await stand.store.sweep()).lost == 0


@pytest.mark.parametrize(
    ("checkpoint", "may_repeat", "state"),
    [
        (Checkpoint(), False, TaskState.QUEUED),
        (Checkpoint(begins=(StepBegins("1"),)), False, TaskState.AMBIGUOUS),
        (Checkpoint(begins=(StepBegins("1", may_repeat=True),)), False, TaskState.QUEUED),
        (Checkpoint(begins=(StepBegins("1", may_repeat=True), StepBegins("2"))), False, TaskState.AMBIGUOUS),
        (Checkpoint(ended=(StepEnds("1"),)), False, TaskState.QUEUED),
        (Checkpoint(begins=(StepBegins("1"),)), True, TaskState.QUEUED),
    ],
)
async def test_a_step_that_had_begun_and_must_not_be_repeated_makes_a_lost_task_ambiguous(
    stand: Stand,
    checkpoint: Checkpoint,
    may_repeat: bool,  # noqa: FBT001 - a column
    state: TaskState,
) -> None:
    lease = (await stand.claimed_new(lease_seconds=10, may_repeat=may_repeat)).lease
    await stand.store.checkpoint(lease, checkpoint)
    stand.clock.forward(10)
    await stand.store.sweep()
    assert (await stand.store.get(lease.task)).state is state


WAITS = Outcome(kind="waits", error=TaskError(kind="NeedsApproval", message="waits for approval ab12"))


async def test_what_waits_for_a_person_holds_no_agent_and_takes_no_attempt(stand: Stand) -> None:
    once = Retries(most_attempts=1)
    lease = (await stand.claimed_new(retries=once)).lease
    await stand.store.checkpoint(lease, Checkpoint(begins=(StepBegins("1"),)))
    await stand.store.checkpoint(lease, Checkpoint(undone=("1",)))
    assert await stand.store.finish(lease, WAITS) is TaskState.WAITING
    assert await stand.store.finish(lease, WAITS) is TaskState.WAITING  # asked again, for nobody was told
    assert await stand.store.renew(lease, 60) is Hold.LOST
    assert await stand.store.steps(lease.task) == ()
    assert await stand.store.claim("a2", CAN_ALL, 60) is None
    kept = await stand.store.get(lease.task)
    assert (kept.state, kept.lease_until, kept.error, kept.attempt) == (
        TaskState.WAITING, None, WAITS.error, 0,
    )  # fmt: skip
    swept = await stand.store.sweep()
    assert (swept.due, swept.next_due) == (0, stand.clock.now + 5)
    stand.clock.forward(5)
    async with stand.bus.listen(frozenset({News.READY})) as wakes:
        assert (await stand.store.sweep()).due == 1
        assert (await anext(wakes)).task == lease.task
    assert (await stand.claimed()).task.attempt == 1


async def test_the_more_often_a_person_is_asked_in_vain_the_longer_it_rests_until_a_step_has_ended(
    stand: Stand,
) -> None:
    async def rests(*ended: StepEnds) -> float:
        lease = (await stand.claimed()).lease
        await stand.store.checkpoint(lease, Checkpoint(ended=ended))
        await stand.store.finish(lease, WAITS)
        seconds = (await stand.store.get(lease.task)).run_at - stand.clock.now
        stand.clock.forward(600)
        await stand.store.sweep()
        return seconds

    await stand.submitted()
    assert [await rests(), await rests(), await rests(), await rests(StepEnds("1"))] == [5, 30, 60, 5]


@pytest.mark.parametrize("way", ["cancelled", "late"])
async def test_what_waits_for_a_person_is_cancelled_at_once_and_may_be_late(stand: Stand, way: str) -> None:
    lease = (await stand.claimed_new(deadline=stand.clock.now + 3)).lease
    await stand.store.finish(lease, WAITS)
    if way == "cancelled":
        assert await stand.store.cancel(lease.task) == (lease.task,)
    else:
        stand.clock.forward(3)
        assert (await stand.store.sweep()).overdue == 1
    kept = await stand.store.get(lease.task)
    assert kept.state is (TaskState.CANCELLED if way == "cancelled" else TaskState.FAILED)


async def test_nobody_says_yes_for_a_day_and_it_has_failed_and_can_be_tried_again(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.finish(lease, WAITS)
    stand.clock.forward(86400)
    await stand.store.sweep()
    assert await stand.store.finish((await stand.claimed()).lease, WAITS) is TaskState.FAILED
    kept = await stand.store.get(lease.task)
    assert kept.error is not None
    assert kept.error.message == "nobody has said yes for a day: waits for approval ab12"
    await stand.store.retry(lease.task)
    assert await stand.store.finish((await stand.claimed()).lease, WAITS) is TaskState.WAITING


async def test_a_task_that_kills_whoever_takes_it_is_a_dead_letter_in_the_end(stand: Stand) -> None:
    name = await stand.submitted(retries=NOW)
    for _ in range(2):
        assert (await stand.claimed(lease_seconds=1)).task.id == name
        stand.clock.forward(1)
        await stand.store.sweep()
    assert (await stand.store.get(name)).state is TaskState.DEAD
    assert (await stand.store.retry(name)).state is TaskState.QUEUED


async def test_what_did_not_begin_before_its_deadline_has_failed_and_so_has_what_waits_for_it(
    stand: Stand,
) -> None:
    late = await stand.submitted(deadline=stand.clock.now + 5)
    waits = await stand.submitted(depends_on=(late,))
    stand.clock.forward(5)
    assert (await stand.store.sweep()).overdue == 1
    kept = await stand.store.get(late)
    assert kept.error is not None
    assert (kept.state, kept.error.kind) == (TaskState.FAILED, "TimedOut")
    assert (await stand.store.get(waits)).state is TaskState.FAILED


async def test_a_lost_task_past_its_deadline_is_not_begun_again(stand: Stand) -> None:
    lease = (await stand.claimed_new(lease_seconds=10, deadline=stand.clock.now + 9)).lease
    stand.clock.forward(10)
    await stand.store.sweep()
    kept = await stand.store.get(lease.task)
    assert kept.error is not None
    assert (kept.state, kept.error.kind) == (TaskState.FAILED, "TimedOut")


async def test_what_was_kept_for_long_enough_is_removed_whole_and_its_key_is_free(stand: Stand) -> None:
    lease = (await stand.claimed_new(key="k", keep_seconds=60)).lease
    await stand.store.checkpoint(lease, Checkpoint(ended=(StepEnds("1"),)))
    await stand.store.transcribe(lease, [("note", "x")])
    await stand.store.finish(lease, DONE)
    waits = await stand.submitted(depends_on=(lease.task,), not_before=stand.clock.now + 999)
    stand.clock.forward(59)
    assert (await stand.store.sweep()).removed == 0
    stand.clock.forward(1)
    assert (await stand.store.sweep()).removed == 1
    with pytest.raises(NotFound):
        await stand.store.get(lease.task)
    assert (await stand.store.steps(lease.task), await stand.store.transcript(lease.task)) == ((), ())
    assert (await stand.store.get(waits)).state is TaskState.QUEUED
    assert await stand.submitted(key="k") != lease.task


async def test_what_failed_because_of_a_task_that_is_gone_cannot_be_tried_again(stand: Stand) -> None:
    lease = (await stand.claimed_new(keep_seconds=1)).lease
    waits = await stand.submitted(depends_on=(lease.task,))
    await stand.store.finish(lease, failed())
    stand.clock.forward(1)
    await stand.store.sweep()
    with pytest.raises(Conflict, match="no longer kept"):
        await stand.store.retry(waits)


async def test_a_sweep_tells_of_what_has_come_due_and_when_to_sweep_again(stand: Stand) -> None:
    now = stand.clock.now
    assert (await stand.store.sweep()).next_due is None
    late = await stand.submitted(not_before=now + 50, needs=frozenset({"gpu"}))
    lease = (await stand.claimed_new(lease_seconds=30, deadline=now + 40)).lease
    assert (await stand.store.sweep()).next_due == now + 30
    await stand.store.finish(lease, DONE)
    assert (await stand.store.sweep()).next_due == now + 50
    stand.clock.forward(50)
    async with stand.bus.listen(frozenset({News.READY})) as wakes:
        assert (await stand.store.sweep()).due == 1
        assert await anext(wakes) == Wake(news=News.READY, task=late, needs=frozenset({"gpu"}))
    assert (await stand.store.sweep()).due == 0


async def test_several_sweep_at_once_and_nothing_is_taken_twice(stand: Stand) -> None:
    names = [await stand.submitted(retries=NOW) for _ in range(20)]
    for _ in names:
        await stand.claimed(lease_seconds=1)
    stand.clock.forward(1)
    swept = await asyncio.gather(*(stand.store.sweep() for _ in range(3)))
    assert sum(one.lost for one in swept) == 20
    assert [(await stand.store.get(name)).state for name in names] == [TaskState.QUEUED] * 20
    assert await stand.store.claim("a1", CAN_ALL, 60) is not None
