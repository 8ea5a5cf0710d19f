"""An agent at work: claims, leases, steps, ends."""

import asyncio

import pytest

from support.stores import CAN_ALL, DONE, Stand, failed
from wand_proto.errors import Conflict, Invalid
from wand_server.lifecycle import Retries, TaskState
from wand_server.ports import (
    Checkpoint,
    Hold,
    Lease,
    Outcome,
    StepBegins,
    StepEnds,
    TaskError,
    TaskProgress,
    Usage,
)
from wand_server.storage import checking


async def test_a_claim_begins_a_lease_and_an_attempt(stand: Stand) -> None:
    name = await stand.submitted()
    claimed = await stand.store.claim("a1", frozenset(), 30)
    assert claimed is not None
    assert (claimed.lease, claimed.steps) == (Lease(name, 1), ())
    kept = await stand.store.get(name)
    assert kept == claimed.task
    assert (kept.state, kept.agent, kept.attempt) == (TaskState.RUNNING, "a1", 1)
    assert (kept.started, kept.lease_until) == (stand.clock.now, stand.clock.now + 30)
    assert await stand.store.claim("a2", frozenset(), 30) is None


async def test_the_highest_priority_comes_first_then_what_has_waited_longest(stand: Stand) -> None:
    low, high, first = [
        await stand.submitted(priority=priority, title=title)
        for priority, title in ((-1, "low"), (5, "high"), (0, "first"))
    ]
    stand.clock.forward(1)
    second = await stand.submitted()
    assert [(await stand.claimed()).task.id for _ in range(4)] == [high, first, second, low]


async def test_a_task_goes_only_to_who_can_do_it(stand: Stand) -> None:
    await stand.submitted(needs=frozenset({"gpu", "shell"}), priority=9)
    plain = await stand.submitted()
    assert (await stand.store.claim("a1", frozenset({"gpu"}), 60)).task.id == plain  # type: ignore[union-attr]
    assert await stand.store.claim("a1", frozenset({"gpu", "net"}), 60) is None
    assert await stand.store.claim("a1", frozenset({"gpu", "net", "shell"}), 60) is not None


async def test_nothing_is_claimed_before_its_time_or_after_its_deadline(stand: Stand) -> None:
    later = await stand.submitted(not_before=stand.clock.now + 10, deadline=stand.clock.now + 20)
    assert await stand.store.claim("a1", CAN_ALL, 60) is None
    stand.clock.forward(10)
    assert (await stand.claimed()).task.id == later
    await stand.submitted(deadline=stand.clock.now + 5)
    stand.clock.forward(5)
    assert await stand.store.claim("a1", CAN_ALL, 60) is None


async def test_one_of_several_tasks_can_be_claimed_by_its_id(stand: Stand) -> None:
    await stand.submitted(priority=9)
    wanted = await stand.submitted()
    found = await stand.store.claim("a1", CAN_ALL, 60, task=wanted)
    assert found is not None
    assert found.task.id == wanted
    assert await stand.store.claim("a1", CAN_ALL, 60, task=wanted) is None


async def test_many_who_claim_at_once_get_each_task_once(stand: Stand) -> None:
    names = {await stand.submitted() for _ in range(30)}
    got = await asyncio.gather(*(stand.store.claim(f"a{n}", CAN_ALL, 60) for n in range(40)))
    claimed = [one.task.id for one in got if one]
    assert len(claimed) == 30
    assert set(claimed) == names


async def test_a_lease_is_held_by_renewing_and_shows_progress(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    stand.clock.forward(50)
    progress = TaskProgress(done=3, total=12, message="three of twelve")
    assert await stand.store.renew(lease, 60, progress) is Hold.HELD
    kept = await stand.store.get(lease.task)
    assert (kept.lease_until, kept.progress) == (stand.clock.now + 60, progress)
    assert await stand.store.renew(lease, 60) is Hold.HELD
    assert (await stand.store.get(lease.task)).progress == progress


async def test_who_lost_the_lease_records_nothing(stand: Stand) -> None:
    old = (await stand.claimed_new(lease_seconds=10)).lease
    stand.clock.forward(11)
    await stand.store.sweep()
    stand.clock.forward(60)
    new = (await stand.claimed(agent="a2")).lease
    assert new.token > old.token
    assert await stand.store.renew(old, 60, TaskProgress(done=99)) is Hold.LOST
    assert await stand.store.checkpoint(old, Checkpoint(begins=(StepBegins("1"),))) is Hold.LOST
    assert await stand.store.transcribe(old, [("note", "late")]) is Hold.LOST
    assert await stand.store.finish(old, DONE) is None
    assert await stand.store.retry_at(old, 0) is None
    kept = await stand.store.get(new.task)
    assert (kept.state, kept.agent, kept.progress) == (TaskState.RUNNING, "a2", TaskProgress())
    assert (await stand.store.steps(new.task), await stand.store.transcript(new.task)) == ((), ())


async def test_who_lost_the_lease_hears_so_too_when_nobody_has_claimed_it_since(stand: Stand) -> None:
    lease = (await stand.claimed_new(lease_seconds=10)).lease
    stand.clock.forward(11)
    await stand.store.sweep()
    assert await stand.store.finish(lease, DONE) is None
    assert (await stand.store.get(lease.task)).state is TaskState.QUEUED


async def test_a_result_is_recorded_once_and_the_same_word_again_changes_nothing(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    assert await stand.store.finish(lease, DONE) is TaskState.DONE
    stand.clock.forward(5)
    assert await stand.store.finish(lease, Outcome(kind="done", result="other")) is TaskState.DONE
    kept = await stand.store.get(lease.task)
    assert (kept.result, kept.finished, kept.error) == ({"ok": True}, stand.clock.now - 5, None)
    assert (kept.lease_until, kept.gone_at) == (None, stand.clock.now - 5 + 7 * 86400)


async def test_steps_are_kept_and_the_next_attempt_is_given_them(stand: Stand) -> None:
    lease = (await stand.claimed_new(lease_seconds=10)).lease
    assert await stand.store.checkpoint(lease, Checkpoint(begins=(StepBegins("1"),))) is Hold.HELD
    ended = StepEnds("1", {"exit": 0})
    again = StepBegins("2", may_repeat=True)
    assert await stand.store.checkpoint(lease, Checkpoint(ended=(ended,), begins=(again,))) is Hold.HELD
    stand.clock.forward(11)
    await stand.store.sweep()
    stand.clock.forward(60)
    first, second = (await stand.claimed()).steps
    assert (first.key, first.result, first.ended is None) == ("1", {"exit": 0}, False)
    assert (second.key, second.may_repeat, second.ended, second.token) == ("2", True, None, 1)


async def test_a_step_that_has_ended_cannot_begin_again(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.checkpoint(lease, Checkpoint(ended=(StepEnds("1"),)))
    both = Checkpoint(begins=(StepBegins("0"), StepBegins("1")))
    with pytest.raises(Conflict, match="ended already"):
        await stand.store.checkpoint(lease, both)
    assert [one.key for one in await stand.store.steps(lease.task)] == ["1"]


async def test_what_is_spent_adds_up(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    for _ in range(2):
        spent = Usage(input_tokens=100, output_tokens=7, cost_micros=2**40)
        await stand.store.checkpoint(lease, Checkpoint(spent=spent, progress=TaskProgress(done=1)))
    await stand.store.finish(lease, Outcome(kind="done", last=Checkpoint(spent=Usage(output_tokens=1))))
    kept = await stand.store.get(lease.task)
    assert kept.spent == Usage(input_tokens=200, output_tokens=15, cost_micros=2**41)
    assert kept.progress == TaskProgress(done=1)


async def test_a_transcript_is_read_in_order_and_from_a_place_on(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    for number in range(3):
        await stand.store.transcribe(lease, [("message", {"n": number}), ("tool_call", "\u0000")])
    whole = await stand.store.transcript(lease.task)
    assert [(one.number, one.kind) for one in whole] == list(
        zip(range(1, 7), ["message", "tool_call"] * 3, strict=True)
    )
    part = await stand.store.transcript(lease.task, after=2, limit=2)
    assert [one.content for one in part] == [{"n": 1}, "\u0000"]


async def test_a_failure_that_may_pass_is_tried_again_after_a_wait_and_then_is_a_dead_letter(
    stand: Stand,
) -> None:
    retries = Retries(most_attempts=2, base_seconds=10, jitter=0)
    lease = (await stand.claimed_new(retries=retries)).lease
    assert await stand.store.finish(lease, failed("busy", may_pass=True)) is TaskState.QUEUED
    kept = await stand.store.get(lease.task)
    assert kept.run_at == stand.clock.now + 10
    assert kept.error == TaskError(kind="Unavailable", message="busy")
    assert await stand.store.claim("a1", CAN_ALL, 60) is None
    stand.clock.forward(10)
    assert (
        await stand.store.finish((await stand.claimed()).lease, failed("busy", may_pass=True))
        is TaskState.DEAD
    )
    dead = await stand.store.get(lease.task)
    assert dead.error is not None
    assert (dead.error.kind, "busy" in dead.error.message, dead.attempt) == ("Exhausted", True, 2)


async def test_a_failure_that_stays_is_told_as_it_is(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    assert await stand.store.finish(lease, failed("no such file")) is TaskState.FAILED
    kept = await stand.store.get(lease.task)
    assert (kept.state, kept.result) == (TaskState.FAILED, None)
    assert kept.error == TaskError(kind="Unavailable", message="no such file")


@pytest.mark.parametrize("outcome", [failed(), failed(may_pass=True), Outcome(kind="cancelled")])
async def test_a_failure_with_a_step_in_doubt_is_ambiguous_whatever_it_says(
    stand: Stand, outcome: Outcome
) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.checkpoint(lease, Checkpoint(begins=(StepBegins("pay"),)))
    assert await stand.store.finish(lease, outcome) is TaskState.AMBIGUOUS
    assert (await stand.store.get(lease.task)).error.kind == "Ambiguous"  # type: ignore[union-attr]


async def test_the_end_of_the_last_step_can_come_with_the_end_of_the_task(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.checkpoint(lease, Checkpoint(begins=(StepBegins("pay"),)))
    last = Checkpoint(ended=(StepEnds("pay", 1),))
    outcome = Outcome(kind="failed", error=TaskError(kind="Denied", message="no"), last=last)
    assert await stand.store.finish(lease, outcome) is TaskState.FAILED
    assert [one.result for one in await stand.store.steps(lease.task)] == [1]


async def test_a_task_is_given_back_until_a_time_or_to_its_end(stand: Stand) -> None:
    lease = (await stand.claimed_new(retries=Retries(most_attempts=2))).lease
    at = stand.clock.now + 33
    assert await stand.store.retry_at(lease, at) is TaskState.QUEUED
    assert (await stand.store.get(lease.task)).run_at == at
    stand.clock.forward(33)
    assert await stand.store.retry_at((await stand.claimed()).lease, at) is TaskState.DEAD


async def test_after_its_deadline_a_worker_hears_that_it_is_overdue(stand: Stand) -> None:
    lease = (await stand.claimed_new(deadline=stand.clock.now + 5)).lease
    assert await stand.store.renew(lease, 60) is Hold.HELD
    stand.clock.forward(5)
    assert await stand.store.renew(lease, 60) is Hold.OVERDUE
    assert await stand.store.checkpoint(lease, Checkpoint(begins=(StepBegins("1"),))) is Hold.OVERDUE


async def test_a_result_that_is_too_long_is_refused_and_the_lease_still_holds(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    with pytest.raises(Invalid, match="keep it in a file"):
        await stand.store.finish(lease, Outcome(kind="done", result="x" * checking.RESULT_BYTES))
    assert await stand.store.finish(lease, DONE) is TaskState.DONE
