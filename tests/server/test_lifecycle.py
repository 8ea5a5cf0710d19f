"""The table of a task's states, and what follows of what goes wrong."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tree import ROOT
from wand_server.lifecycle import (
    ENDED,
    FOLLOWS,
    HOPELESS,
    OPEN,
    RETRIABLE,
    Held,
    Next,
    Retries,
    TaskState,
    in_order,
    leading_to,
    wait_seconds,
    when_failed,
    when_given_back,
    when_lost,
    when_waiting,
)

NOW = 1000.0
DAY = 86400.0
HELD = Held(
    attempt=1,
    retries=Retries(most_attempts=3, base_seconds=10, factor=2, ceiling_seconds=60, jitter=0.5),
    may_repeat=False,
    open_steps_may_repeat=(),
    cancel_asked=False,
    deadline=None,
)
HELDS = st.builds(
    Held,
    attempt=st.integers(1, 5),
    retries=st.builds(Retries, most_attempts=st.integers(1, 5)),
    may_repeat=st.booleans(),
    open_steps_may_repeat=st.tuples() | st.tuples(st.booleans()) | st.tuples(st.booleans(), st.booleans()),
    cancel_asked=st.booleans(),
    deadline=st.none() | st.floats(0, 2 * NOW),
)


def held(**changes: object) -> Held:
    return dataclasses.replace(HELD, **changes)  # type: ignore[arg-type]


def test_every_state_has_its_row_and_can_be_reached_but_for_the_first() -> None:
    assert set(FOLLOWS) == set(TaskState)
    assert all(leading_to(state) for state in TaskState)


def test_only_from_a_running_task_can_it_be_done_but_where_a_person_settles_doubt() -> None:
    assert leading_to(TaskState.DONE) == {TaskState.RUNNING, TaskState.AMBIGUOUS}
    assert leading_to(TaskState.AMBIGUOUS) == leading_to(TaskState.DEAD) == {TaskState.RUNNING}


def test_what_is_done_stays_done_and_all_else_that_ended_may_be_tried_again() -> None:
    assert not FOLLOWS[TaskState.DONE]
    assert ENDED - {TaskState.DONE} == RETRIABLE
    assert set(TaskState) == OPEN | ENDED
    assert HOPELESS < ENDED


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (held(), TaskState.QUEUED),
        (held(attempt=3), TaskState.DEAD),
        (held(open_steps_may_repeat=(True,)), TaskState.QUEUED),
        (held(open_steps_may_repeat=(True, False)), TaskState.AMBIGUOUS),
        (held(open_steps_may_repeat=(False,), attempt=3), TaskState.AMBIGUOUS),
        (held(open_steps_may_repeat=(False,), may_repeat=True), TaskState.QUEUED),
        (held(open_steps_may_repeat=(False,), cancel_asked=True), TaskState.AMBIGUOUS),
        (held(cancel_asked=True), TaskState.CANCELLED),
        (held(deadline=NOW), TaskState.FAILED),
        (held(deadline=NOW + 5), TaskState.FAILED),  # it would begin again at 1010
        (held(deadline=NOW + 60), TaskState.QUEUED),
    ],
)
def test_a_lost_lease(found: Held, state: TaskState) -> None:
    assert when_lost(found, NOW, 0).state is state


@given(HELDS, st.booleans(), st.floats(0, 0.999))
def test_what_must_not_be_done_twice_is_never_queued_again(found: Held, again: bool, roll: float) -> None:  # noqa: FBT001 - drawn
    ways: list[Next | None] = [
        when_lost(found, NOW, roll),
        when_failed(found, NOW, roll, again=again),
        when_given_back(found, NOW, NOW),
        when_waiting(found, NOW, NOW),
        when_waiting(found, 0, 2 * DAY),
    ]
    for one in ways:
        assert one is None or one.state in FOLLOWS[TaskState.RUNNING]
        if found.in_doubt:
            assert one is not None
            assert one.state is TaskState.AMBIGUOUS


@pytest.mark.parametrize(
    ("waited", "then"),
    [(0, 5), (100, 5), (600, 30), (1200, 60), (DAY - 1, 60), (DAY, None)],
)
def test_a_person_is_asked_again_soon_then_seldom_then_no_more(waited: float, then: float | None) -> None:
    after = when_waiting(held(attempt=3), NOW, NOW + waited)
    if then is None:
        assert (after.state, after.kind) == (TaskState.FAILED, "NeedsApproval")
    else:
        assert (after.state, after.run_at) == (TaskState.WAITING, NOW + waited + then)


def test_what_waits_for_a_person_can_still_be_cancelled() -> None:
    assert when_waiting(held(cancel_asked=True), NOW, NOW).state is TaskState.CANCELLED


def test_a_failure_that_cannot_pass_stays() -> None:
    assert when_failed(HELD, NOW, 0, again=False) is None
    again = when_failed(HELD, NOW, 0, again=True)
    assert again is not None
    assert (again.state, again.run_at) == (TaskState.QUEUED, NOW + 10)


def test_waits_double_up_to_their_ceiling_and_leave_a_share_to_chance() -> None:
    waits = [wait_seconds(HELD.retries, attempt, 0) for attempt in (1, 2, 3, 4, 5, 500)]
    assert waits == [10, 20, 40, 60, 60, 60]
    assert wait_seconds(HELD.retries, 1, 0.5) == 7.5
    assert wait_seconds(Retries(factor=1e300), 99, 0) == Retries().ceiling_seconds


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefgh"))))
def test_an_order_has_each_after_what_it_depends_on_or_there_is_a_circle(graph: dict[str, set[str]]) -> None:
    order = in_order({name: tuple(others) for name, others in graph.items()})
    if order is not None:
        assert sorted(order) == sorted(graph)
        place = {name: number for number, name in enumerate(order)}
        assert all(place[other] < place[name] for name in graph for other in graph[name] if other in graph)
        return
    reached = {name: {other for other in others if other in graph} for name, others in graph.items()}
    for _ in graph:
        reached = {n: others.union(*(reached[o] for o in others)) for n, others in reached.items()}
    assert any(name in others for name, others in reached.items())


def test_the_page_shows_the_table_as_it_is() -> None:
    page = (ROOT / "docs" / "explanation" / "tasks.md").read_text()
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `")]
    told = {name.strip(" `"): set(re.findall(r"`(\w+)`", after)) for name, _, after in rows}
    again = {"queued", "blocked"}
    for state, after in FOLLOWS.items():
        same = again if state in RETRIABLE else set()
        assert told[state] | same == set(after) | same, state
