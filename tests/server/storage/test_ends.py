"""How tasks end by others' doing: dependencies, cancelling, trying again, settling."""

import uuid

import pytest

from support.stores import CAN_ALL, DONE, Stand, failed, task
from wand_proto.errors import Conflict, NotFound
from wand_server.lifecycle import TaskState
from wand_server.ports import Checkpoint, Hold, Outcome, StepBegins, StepEnds, TaskError

NOBODY = str(uuid.uuid4())


async def states(stand: Stand, *names: str) -> list[TaskState]:
    return [(await stand.store.get(name)).state for name in names]


async def chain(stand: Stand) -> tuple[str, str, str]:
    """Three tasks, each waiting for the one before."""
    first = task(title="first")
    second = task(title="second", depends_on=(first.id,))
    third = task(title="third", depends_on=(second.id,))
    await stand.store.submit([third, second, first])
    return first.id, second.id, third.id


async def test_what_waits_begins_when_all_it_waits_for_is_done(stand: Stand) -> None:
    left, right = await stand.submitted(), await stand.submitted()
    last = await stand.submitted(depends_on=(left, right, left))
    for _ in range(2):
        assert await states(stand, last) == [TaskState.BLOCKED]
        await stand.store.finish((await stand.claimed()).lease, DONE)
    assert (await stand.claimed()).task.id == last


async def test_what_depends_on_a_done_task_can_begin_at_once(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.finish(lease, DONE)
    last = await stand.submitted(depends_on=(lease.task,))
    assert (await stand.claimed()).task.id == last


async def test_a_failure_fails_all_that_wait_and_names_its_cause(stand: Stand) -> None:
    names = await chain(stand)
    await stand.store.finish((await stand.claimed()).lease, failed())
    assert await states(stand, *names) == [TaskState.FAILED] * 3
    second, third = [(await stand.store.get(name)).error for name in names[1:]]
    assert second is not None
    assert third is not None
    assert (names[0] in second.message, names[1] in third.message) == (True, True)


async def test_trying_the_cause_again_has_the_others_wait_again(stand: Stand) -> None:
    names = await chain(stand)
    await stand.store.finish((await stand.claimed()).lease, failed())
    with pytest.raises(Conflict, match=f"depends on {names[0]}"):
        await stand.store.retry(names[1])
    again = await stand.store.retry(names[0])
    assert (again.state, again.attempt, again.finished) == (TaskState.QUEUED, 0, None)
    assert await states(stand, *names[1:]) == [TaskState.BLOCKED] * 2
    for name in names:
        claimed = await stand.claimed()
        assert claimed.task.id == name
        await stand.store.finish(claimed.lease, DONE)


async def test_what_has_a_second_cause_to_fail_goes_on_failing_until_that_is_tried_again_too(
    stand: Stand,
) -> None:
    left, right = await stand.submitted(), await stand.submitted()
    last = await stand.submitted(depends_on=(left, right))
    for _ in range(2):
        await stand.store.finish((await stand.claimed()).lease, failed())
    await stand.store.retry(left)
    assert await states(stand, last) == [TaskState.FAILED]
    await stand.store.retry(right)
    assert await states(stand, last) == [TaskState.BLOCKED]


async def test_what_waits_for_an_ambiguous_task_waits_until_somebody_settles_it(stand: Stand) -> None:
    names = await chain(stand)
    lease = (await stand.claimed()).lease
    await stand.store.finish(lease, Outcome(kind="ambiguous", error=TaskError(kind="Ambiguous", message="?")))
    assert await states(stand, *names) == [TaskState.AMBIGUOUS, TaskState.BLOCKED, TaskState.BLOCKED]
    settled = await stand.store.settle(names[0], done=True, result="it was there")
    assert (settled.state, settled.result) == (TaskState.DONE, "it was there")
    assert await states(stand, *names[1:]) == [TaskState.QUEUED, TaskState.BLOCKED]
    with pytest.raises(Conflict, match="no doubt"):
        await stand.store.settle(names[0], done=False)


async def test_a_settled_failure_says_what_was_found(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.finish(lease, Outcome(kind="ambiguous"))
    settled = await stand.store.settle(lease.task, done=False, note="no mail has left")
    assert settled.state is TaskState.FAILED
    assert settled.error == TaskError(kind="Ambiguous", message="no mail has left")


async def test_what_waits_is_cancelled_at_once_with_its_children(stand: Stand) -> None:
    parent = await stand.submitted(not_before=stand.clock.now + 99)
    child = await stand.submitted(parent=parent)
    grandchild = await stand.submitted(parent=child, depends_on=(child,))
    other = await stand.submitted()
    assert set(await stand.store.cancel(parent, "Ada has changed her mind")) >= {parent, child}
    told = await states(stand, parent, child, other)
    assert told == [TaskState.CANCELLED, TaskState.CANCELLED, TaskState.QUEUED]
    assert (await stand.store.get(grandchild)).state in {TaskState.CANCELLED, TaskState.FAILED}
    assert (await stand.store.get(parent)).error == TaskError(
        kind="Conflict", message="Ada has changed her mind"
    )
    assert await stand.store.cancel(parent) == ()


async def test_what_runs_is_asked_to_stop_and_its_worker_sees_it_at_each_word(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    assert await stand.store.cancel(lease.task) == (lease.task,)
    kept = await stand.store.get(lease.task)
    assert (kept.state, kept.cancel_asked) == (TaskState.RUNNING, True)
    assert await stand.store.renew(lease, 60) is Hold.CANCEL
    assert await stand.store.transcribe(lease, [("note", "x")]) is Hold.CANCEL
    assert await stand.store.checkpoint(lease, Checkpoint(ended=(StepEnds("1"),))) is Hold.CANCEL
    assert await stand.store.finish(lease, Outcome(kind="cancelled")) is TaskState.CANCELLED


async def test_a_worker_that_was_done_before_it_saw_the_cancel_is_done(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    await stand.store.cancel(lease.task)
    assert await stand.store.finish(lease, DONE) is TaskState.DONE


async def test_a_cancelled_task_that_dies_with_its_worker_is_cancelled_unless_in_doubt(stand: Stand) -> None:
    clean = (await stand.claimed_new(lease_seconds=5)).lease
    doubt = (await stand.claimed_new(lease_seconds=5)).lease
    await stand.store.checkpoint(doubt, Checkpoint(begins=(StepBegins("pay"),)))
    for lease in (clean, doubt):
        await stand.store.cancel(lease.task)
    stand.clock.forward(6)
    await stand.store.sweep()
    assert await states(stand, clean.task, doubt.task) == [TaskState.CANCELLED, TaskState.AMBIGUOUS]


async def test_trying_again_keeps_steps_that_ended_and_forgets_the_one_in_doubt(stand: Stand) -> None:
    lease = (await stand.claimed_new()).lease
    both = Checkpoint(ended=(StepEnds("1", "one"),), begins=(StepBegins("2"),))
    await stand.store.checkpoint(lease, both)
    assert await stand.store.finish(lease, failed()) is TaskState.AMBIGUOUS
    await stand.store.retry(lease.task)
    again = await stand.claimed()
    assert [(one.key, one.result) for one in again.steps] == [("1", "one")]
    assert again.lease.token > lease.token
    assert await stand.store.finish(lease, DONE) is None


@pytest.mark.parametrize("state", [TaskState.QUEUED, TaskState.RUNNING, TaskState.DONE])
async def test_only_what_has_ended_badly_can_be_tried_again(stand: Stand, state: TaskState) -> None:
    name = await stand.submitted()
    if state is not TaskState.QUEUED:
        lease = (await stand.claimed()).lease
        if state is TaskState.DONE:
            await stand.store.finish(lease, DONE)
    with pytest.raises(Conflict, match=f"is {state}"):
        await stand.store.retry(name)


async def test_what_is_not_there_is_not_found(stand: Stand) -> None:
    for ask in (stand.store.get, stand.store.cancel, stand.store.retry):
        with pytest.raises(NotFound, match=NOBODY):
            await ask(NOBODY)
    with pytest.raises(NotFound):
        await stand.store.settle(NOBODY, done=True)
    assert await stand.store.claim("a1", CAN_ALL, 60, task=NOBODY) is None
    assert (await stand.store.steps(NOBODY), await stand.store.transcript(NOBODY)) == ((), ())
