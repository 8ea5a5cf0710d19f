"""One attempt at a task: held by its lease, stopped at once when it must not go on, and recorded."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from support.agents import DONE, QUICK, Crew, Does, crew
from support.waiting import until
from wand_proto.errors import Broken, Denied, Unavailable
from wand_server.lifecycle import TaskState
from wand_server.orchestrator.attempt import Attempt, error_of
from wand_server.orchestrator.choosing import Size
from wand_server.ports import Checkpoint, Hold, Outcome, StepBegins, StepEnds, TaskProgress

ALONE = Size(count=1, most=1)


class Doing:
    """Work that begins a step, says so, and waits; it counts how often it was begun and stopped."""

    def __init__(self, *, may_repeat: bool = False) -> None:
        self.begun: list[Attempt] = []
        self.stopped = 0
        self.go = asyncio.Event()
        self._may_repeat = may_repeat

    async def __call__(self, _: str, attempt: Attempt) -> Outcome:
        await attempt.checkpoint(Checkpoint(begins=(StepBegins(key="act", may_repeat=self._may_repeat),)))
        self.begun.append(attempt)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        await attempt.checkpoint(Checkpoint(ended=(StepEnds(key="act", result=1),)))
        return DONE


async def begun(its: Crew, work: Doing, **more: object) -> str:
    """A task whose step has begun."""
    (task,) = await its.hand_out(**more)
    await until(lambda: work.begun)
    return task


async def test_a_task_that_lasts_longer_than_its_lease_is_held(tmp_path: Path) -> None:
    work = Doing()
    async with crew(tmp_path, work, clocks=replace(QUICK, lease_seconds=0.6)) as its:
        task = await begun(its, work)
        first = (await its.store.get(task)).lease_until
        assert first is not None
        await its.until(task, lambda found: (found.lease_until or 0) > first + 0.6)
        work.go.set()
        ended = await its.ended(task)
        assert (ended.state, ended.attempt, len(work.begun)) == (TaskState.DONE, 1, 1)


async def test_a_task_that_is_cancelled_is_stopped_at_once_and_says_in_the_middle_of_what(
    tmp_path: Path,
) -> None:
    work = Doing()
    async with crew(tmp_path, work, clocks=replace(QUICK, lease_seconds=60)) as its:
        task = await begun(its, work)
        await its.store.cancel(task)
        ended = await its.ended(task, seconds=5)
        assert (ended.state, work.stopped) == (TaskState.CANCELLED, 1)
        assert ended.error is not None
        assert "while act ran" in ended.error.message


async def test_a_deadline_that_passes_in_the_middle_of_an_act_leaves_it_ambiguous(tmp_path: Path) -> None:
    work = Doing()
    async with crew(tmp_path, work, clocks=replace(QUICK, lease_seconds=60)) as its:
        task = await begun(its, work, deadline=time.time() + 0.4)
        ended = await its.ended(task, seconds=5)
        assert (ended.state, work.stopped) == (TaskState.AMBIGUOUS, 1)


async def test_a_deadline_that_passes_between_acts_is_a_failure(tmp_path: Path) -> None:
    async def work(_: str, __: Attempt) -> Outcome:
        await asyncio.Event().wait()
        return DONE

    async with crew(tmp_path, work) as its:
        (task,) = await its.hand_out(deadline=time.time() + 0.3)
        ended = await its.ended(task, seconds=5)
        assert ended.error is not None
        assert (ended.state, ended.error.kind) == (TaskState.FAILED, "TimedOut")


async def test_a_lease_that_is_lost_stops_the_work_and_records_nothing(tmp_path: Path) -> None:
    work = Doing(may_repeat=True)
    async with crew(tmp_path, work, size=ALONE) as its:
        task = await begun(its, work)
        lease = work.begun[0].claimed.lease
        assert await its.store.retry_at(lease, time.time()) is TaskState.QUEUED  # as a sweep would
        await until(lambda: work.stopped == 1)
        await until(lambda: len(work.begun) == 2)
        assert await its.store.renew(lease, 1.0) is Hold.LOST
        work.go.set()
        ended = await its.ended(task)
        assert (ended.state, ended.attempt) == (TaskState.DONE, 2)


async def test_no_act_begins_after_the_lease_was_lost(tmp_path: Path) -> None:
    acted: list[int] = []
    go = asyncio.Event()

    async def work(_: str, attempt: Attempt) -> Outcome:
        if attempt.claimed.task.attempt == 1:
            await go.wait()
        await attempt.checkpoint(Checkpoint(begins=(StepBegins(key="act"),)))
        acted.append(attempt.claimed.task.attempt)
        await attempt.checkpoint(Checkpoint(ended=(StepEnds(key="act"),)))
        return DONE

    async with crew(
        tmp_path, work, size=Size(count=2, most=2), clocks=replace(QUICK, lease_seconds=60)
    ) as its:
        (task,) = await its.hand_out()
        running = await its.until(task, lambda found: found.state is TaskState.RUNNING)
        first = its.pool.agents[running.agent]._attempt
        assert first is not None
        await its.store.retry_at(first.claimed.lease, time.time())
        await its.ended(task)
        go.set()
        await until(lambda: its.pool.busy() == 0)
        assert acted == [2]


async def test_where_the_store_cannot_be_reached_the_work_stops_when_the_lease_is_over(
    tmp_path: Path,
) -> None:
    work = Doing()

    async def unreachable(*_: object, **__: object) -> Hold:
        raise Unavailable("the store is gone")

    async with crew(tmp_path, work, size=ALONE) as its:
        task = await begun(its, work)
        store = work.begun[0]._store
        object.__setattr__(work.begun[0], "_store", _Without(store, unreachable))
        began = time.monotonic()
        await until(lambda: work.stopped == 1)
        assert time.monotonic() - began < 2 * QUICK.lease_seconds
        assert (await its.ended(task)).state is TaskState.AMBIGUOUS  # by the sweep


class _Without:
    """A store whose leases cannot be renewed."""

    def __init__(self, store: object, renew: object) -> None:
        self._store = store
        self.renew = renew

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


async def test_a_sign_in_that_is_taken_back_ends_what_runs_and_lets_nothing_begin(tmp_path: Path) -> None:
    work = Doing(may_repeat=True)
    async with crew(tmp_path, work, size=ALONE) as its:
        running, waiting = await its.hand_out({}, {})
        await until(lambda: work.begun)
        its.over.add("k1")
        for task in (running, waiting):
            ended = await its.ended(task)
            assert ended.error is not None
            assert (ended.state, ended.error.kind) == (TaskState.FAILED, "Denied")
            assert "taken back" in ended.error.message
        assert (len(work.begun), work.stopped) == (1, 1)


async def test_what_the_work_says_of_its_progress_is_kept(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def work(_: str, attempt: Attempt) -> Outcome:
        attempt.tell(TaskProgress(done=1, total=3, message="one"))
        await go.wait()
        return DONE

    async with crew(tmp_path, work) as its:
        (task,) = await its.hand_out()
        told = await its.until(task, lambda found: bool(found.progress.message))
        assert (told.progress.done, told.progress.total, told.progress.message) == (1, 3, "one")
        go.set()


@pytest.mark.parametrize(
    ("error", "state", "attempts"),
    [(Denied("no"), TaskState.FAILED, 1), (Unavailable("later"), TaskState.DONE, 2)],
)
async def test_only_what_may_pass_is_tried_again(
    tmp_path: Path, error: Exception, state: TaskState, attempts: int
) -> None:
    async def work(_: str, attempt: Attempt) -> Outcome:
        if attempt.claimed.task.attempt > 1:
            return DONE
        raise error

    async with crew(tmp_path, _passing(work)) as its:
        (task,) = await its.hand_out()
        ended = await its.ended(task)
        assert (ended.state, ended.attempt) == (state, attempts)


def _passing(work: Does) -> Does:
    """As `carrying` tells of what may pass."""

    async def told(agent: str, attempt: Attempt) -> Outcome:
        try:
            return await work(agent, attempt)
        except Unavailable:
            return Outcome(kind="failed", may_pass=True, at=time.time())

    return told


def test_of_an_error_so_much_is_kept_as_the_store_takes() -> None:
    kept = error_of(Broken("x" * 100_000, hint="y" * 100_000, field="f"))

    assert (kept.kind, len(kept.message), len(kept.hint)) == ("Broken", 4000, 1000)
