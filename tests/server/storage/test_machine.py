"""Whatever is asked in whatever order, tasks move by the table, and a lease is held by one."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.postgres import Database
from support.stores import CAN_ALL, Stand, opened, task
from wand_proto.errors import Conflict
from wand_server.lifecycle import ENDED, FOLLOWS, HOPELESS, OPEN, Retries, TaskState
from wand_server.ports import (
    Checkpoint,
    Hold,
    Lease,
    NewTask,
    Outcome,
    StepBegins,
    StepEnds,
    Task,
    TaskFilter,
)

LONG = bool(os.environ.get("LONG_TESTS"))
OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from(["done", "failed", "failed", "cancelled", "ambiguous", "waits"]),
    result=st.integers(),
    may_pass=st.booleans(),
)
PICK = st.integers(0, 5)
RETRIES = Retries(most_attempts=3, base_seconds=1, jitter=0)
PART = settings(max_examples=300 if LONG else 15, stateful_step_count=50 if LONG else 40, deadline=None)


class Life(RuleBasedStateMachine):
    """Some tasks, and those who work at them: some of them too late."""

    open: Callable[[], Any]
    run: Callable[[Any], Any]

    def __init__(self) -> None:
        super().__init__()
        self.way = self.open()
        self.stand: Stand = self.run(self.way.__aenter__())
        self.names: list[str] = []  # in the order in which they came: a pick is no chance
        self.before: dict[str, Task] = {}
        self.in_doubt: set[str] = set()  # whose open step must not be repeated
        self.newest: dict[str, Lease] = {}
        self.leases: list[Lease] = []

    def teardown(self) -> None:
        self.run(self.way.__aexit__(None, None, None))

    def holds(self, lease: Lease) -> bool:
        known = self.before.get(lease.task)
        running = known is not None and known.state is TaskState.RUNNING
        return running and self.newest.get(lease.task) == lease

    def lease(self, pick: int) -> Lease:
        """One of those who were given a lease, and most often of the last."""
        return self.leases[-1 - min(pick, len(self.leases) - 1)]

    def name(self, pick: int) -> str:
        return self.names[pick % len(self.names)]

    @initialize(count=st.integers(1, 4))
    def begins_with(self, count: int) -> None:
        self.hand_in([task(retries=RETRIES) for _ in range(count)])

    def hand_in(self, several: list[NewTask]) -> None:
        self.run(self.stand.store.submit(several))
        self.names += [one.id for one in several]

    @rule(waits=st.lists(PICK, max_size=2), may_repeat=st.booleans(), late=st.booleans())
    def submit(self, waits: list[int], may_repeat: bool, late: bool) -> None:  # noqa: FBT001 - drawn
        names = [self.name(pick) for pick in waits]
        new = task(
            depends_on=tuple(one for one in names if self.before[one].state not in HOPELESS),
            may_repeat=may_repeat,
            retries=RETRIES,
            deadline=self.stand.clock.now + 30 if late else None,
        )
        self.hand_in([new])

    @rule(seconds=st.sampled_from([1, 20]), key=st.sampled_from(["", "a", "b"]), may_repeat=st.booleans())
    def claim(self, seconds: float, key: str, may_repeat: bool) -> None:  # noqa: FBT001 - drawn
        claimed = self.run(self.stand.store.claim("a1", CAN_ALL, seconds))
        if claimed is None:
            return
        newest = self.newest.get(claimed.lease.task)
        assert newest is None or claimed.lease.token > newest.token
        self.newest[claimed.lease.task] = claimed.lease
        self.leases.append(claimed.lease)
        if key and key not in {step.key for step in claimed.steps}:
            begins = Checkpoint(begins=(StepBegins(key, may_repeat),))
            assert self.run(self.stand.store.checkpoint(claimed.lease, begins)) is not Hold.LOST

    @precondition(lambda self: self.leases)
    @rule(pick=PICK)
    def renew(self, pick: int) -> None:
        lease = self.lease(pick)
        hold = self.run(self.stand.store.renew(lease, 20))
        assert (hold is not Hold.LOST) == self.holds(lease)

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, key=st.sampled_from("ab"), begins=st.booleans(), may_repeat=st.booleans())
    def step(self, pick: int, key: str, begins: bool, may_repeat: bool) -> None:  # noqa: FBT001 - drawn
        lease = self.lease(pick)
        begin, end = Checkpoint(begins=(StepBegins(key, may_repeat),)), Checkpoint(ended=(StepEnds(key, 1),))
        try:
            hold = self.run(self.stand.store.checkpoint(lease, begin if begins else end))
        except Conflict:
            assert begins
            assert self.holds(lease)
            return
        assert (hold is not Hold.LOST) == self.holds(lease)

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, outcome=OUTCOMES)
    def finish(self, pick: int, outcome: Outcome) -> None:
        lease = self.lease(pick)
        held = self.holds(lease)
        went = self.run(self.stand.store.finish(lease, outcome))
        assert not held or went in FOLLOWS[TaskState.RUNNING]
        assert not held or outcome.kind != "done" or went is TaskState.DONE
        assert went is not TaskState.QUEUED or not held or outcome.may_pass

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, wait=st.sampled_from([0, 5]))
    def give_back(self, pick: int, wait: float) -> None:
        lease = self.lease(pick)
        held = self.holds(lease)
        went = self.run(self.stand.store.retry_at(lease, self.stand.clock.now + wait))
        assert not held or went in FOLLOWS[TaskState.RUNNING]

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        name = self.name(pick)
        stopped = self.run(self.stand.store.cancel(name))
        assert (name in stopped) == (self.before[name].state in OPEN)

    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        name = self.name(pick)
        try:
            now = self.run(self.stand.store.retry(name))
        except Conflict:
            return
        assert self.before[name].state in ENDED - {TaskState.DONE}
        assert now.state in {TaskState.QUEUED, TaskState.BLOCKED}

    @rule(pick=PICK, done=st.booleans())
    def settle(self, pick: int, done: bool) -> None:  # noqa: FBT001 - drawn
        name = self.name(pick)
        try:
            self.run(self.stand.store.settle(name, done=done))
        except Conflict:
            assert self.before[name].state is not TaskState.AMBIGUOUS

    @rule(seconds=st.sampled_from([0, 2, 21, 40]))
    def sweep(self, seconds: float) -> None:
        self.stand.clock.forward(seconds)
        self.run(self.stand.store.sweep())

    @invariant()
    def every_move_is_in_the_table(self) -> None:
        now = {one.id: one for one in self.run(self.stand.store.list(TaskFilter(), limit=500)).tasks}
        assert set(now) >= set(self.before)
        for name, one in now.items():
            old = self.before.get(name)
            if old is not None and old.state is not one.state:
                assert one.state in FOLLOWS[old.state], (old.state, one.state)
                assert not (name in self.in_doubt and old.state is TaskState.RUNNING) or one.state in {
                    TaskState.AMBIGUOUS,
                    TaskState.DONE,
                }
            if old is not None and old.state is TaskState.DONE:
                assert one == old
            assert (one.finished is not None) == (one.state in ENDED)
            waiting = [other for other in one.depends_on if now[other].state is not TaskState.DONE]
            if one.state in {TaskState.QUEUED, TaskState.RUNNING, TaskState.DONE}:
                assert not waiting
            if one.state is TaskState.BLOCKED:
                assert waiting
                assert not any(now[other].state in HOPELESS for other in waiting)
        self.before = now
        self.in_doubt = {name for name, one in now.items() if self._doubtful(one)}

    def _doubtful(self, one: Task) -> bool:
        if one.state is not TaskState.RUNNING or one.may_repeat:
            return False
        steps = self.run(self.stand.store.steps(one.id))
        return any(step.ended is None and not step.may_repeat for step in steps)


def test_tasks_live_by_the_table(kind: str, a_database: Database | None, tmp_path: Path) -> None:
    number = iter(range(10_000))

    def fresh() -> Any:
        if a_database is not None:
            a_database.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return opened(kind, tmp_path / str(next(number)), a_database)

    with asyncio.Runner() as runner:
        way = type("Life", (Life,), {"open": staticmethod(fresh), "run": staticmethod(runner.run)})
        run_state_machine_as_test(way, settings=PART)
