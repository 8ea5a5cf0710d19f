"""Handing tasks in: what is kept, what is refused, and what is known by its key."""

import dataclasses
import uuid
from typing import Any

import pytest

from support.stores import ADA, BOB, CAN_ALL, DONE, Stand, failed, task
from wand_proto.errors import Conflict, Exhausted, Invalid, NotFound, WandError
from wand_server.lifecycle import Retries, TaskState
from wand_server.ports import NewTask, TaskFilter
from wand_server.storage import checking


async def test_a_task_is_kept_with_everything_it_was_given(stand: Stand) -> None:
    given = task(
        title="Täglich ☂ backup", priority=-7, needs=frozenset({"gpu", "shell"}), key="nightly-1",
        not_before=stand.clock.now + 5, deadline=stand.clock.now + 500, retries=Retries(most_attempts=9),
        may_repeat=True, labels={"team": "blue"}, work={"goal": "tidy \u0000 up", "deep": [1, {"x": None}]},
    )  # fmt: skip
    (told,) = await stand.store.submit([given])
    kept = await stand.store.get(told.id)
    assert (told.state, told.created, told.id) == (TaskState.QUEUED, True, given.id)
    for name in (
        "title",
        "principal",
        "priority",
        "needs",
        "key",
        "deadline",
        "retries",
        "may_repeat",
        "labels",
    ):
        assert getattr(kept, name) == getattr(given, name), name
    assert (kept.work, kept.run_at) == (given.work, given.not_before)
    assert (kept.state, kept.attempt, kept.created) == (TaskState.QUEUED, 0, stand.clock.now)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"priority": 101}, "priority"),
        ({"needs": frozenset({"two words"})}, "needs"),
        ({"title": "two\nlines"}, "title"),
        ({"key": "k" * 201}, "key"),
        ({"id": "7"}, "id"),
        ({"deadline": 1.0}, "deadline"),
        ({"work": {"a": float("nan")}}, "work"),
        ({"work": {"a": object()}}, "work"),
        ({"work": {"a": "x" * checking.WORK_BYTES}}, "work"),
        ({"retries": Retries(most_attempts=0)}, "retries.most_attempts"),
        ({"retries": Retries(jitter=2)}, "retries.jitter"),
        ({"labels": {"team": "a\u0000"}}, "labels"),
        ({"keep_seconds": -1}, "keep_seconds"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_the_name_of_its_field(
    stand: Stand, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await stand.store.submit([task(**fields)])
    assert refused.value.field == field
    assert sum((await stand.store.counts()).values()) == 0


async def test_the_same_key_gives_the_task_that_is_there(stand: Stand) -> None:
    first = await stand.submitted(key="k")
    (second,) = await stand.store.submit([task(key="k")])
    assert (second.id, second.created) == (first, False)
    (others,) = await stand.store.submit([task(key="k", principal=BOB)])
    assert others.created
    with pytest.raises(Conflict, match="whose work is other"):
        await stand.store.submit([task(key="k", work={"goal": "something else"})])


async def test_what_comes_after_a_key_comes_after_the_task_that_is_there(stand: Stand) -> None:
    first = await stand.submitted(key="k")
    again = task(key="k")
    known, later = await stand.store.submit([again, task(depends_on=(again.id,))])
    assert (known.id, known.created, later.state) == (first, False, "blocked")
    assert (await stand.store.get(later.id)).depends_on == (first,)


async def test_a_key_is_known_when_its_task_has_ended(stand: Stand) -> None:
    first = await stand.submitted(key="k")
    await stand.store.finish((await stand.claimed()).lease, DONE)
    (told,) = await stand.store.submit([task(key="k")])
    assert (told.id, told.state, told.created) == (first, TaskState.DONE, False)


async def test_the_same_task_twice_is_one_and_an_id_is_nobody_elses(stand: Stand) -> None:
    one = task()
    assert await stand.store.submit([one]) == await stand.store.submit([one])
    with pytest.raises(Conflict, match="id of another task"):
        await stand.store.submit([dataclasses.replace(one, principal=BOB)])


async def test_a_graph_is_kept_whole_and_begins_where_nothing_is_waited_for(stand: Stand) -> None:
    left, right = task(title="left"), task(title="right")
    last = task(title="last", depends_on=(left.id, right.id))
    told = await stand.store.submit([last, left, right])
    assert [one.state for one in told] == [TaskState.BLOCKED, TaskState.QUEUED, TaskState.QUEUED]
    dependents = await stand.store.list(TaskFilter(depends_on=left.id))
    assert [one.id for one in dependents.tasks] == [last.id]
    assert (await stand.store.get(last.id)).depends_on == (left.id, right.id)


async def test_a_circle_is_refused_and_nothing_of_it_kept(stand: Stand) -> None:
    names = [str(uuid.uuid4()) for _ in range(3)]
    circle = [task(id=name, depends_on=(names[number - 1],)) for number, name in enumerate(names)]
    with pytest.raises(Invalid, match="circle"):
        await stand.store.submit([task(), *circle])
    assert sum((await stand.store.counts()).values()) == 0


async def none(_: Stand) -> NewTask:
    return task(depends_on=(str(uuid.uuid4()),))


async def orphan(_: Stand) -> NewTask:
    return task(parent=str(uuid.uuid4()))


async def homeless(_: Stand) -> NewTask:
    return task(project=str(uuid.uuid4()))


async def hopeless(stand: Stand) -> NewTask:
    first = await stand.submitted()
    await stand.store.finish((await stand.claimed()).lease, failed())
    return task(depends_on=(first,))


@pytest.mark.parametrize(
    ("make", "kind_of", "field"),
    [
        (none, NotFound, "depends_on"),
        (orphan, NotFound, "parent"),
        (homeless, NotFound, "project"),
        (hopeless, Conflict, "depends_on"),
    ],
)
async def test_what_a_task_refers_to_must_be_there_and_all_or_none_is_kept(
    stand: Stand, make: Any, kind_of: type[WandError], field: str
) -> None:
    wrong = await make(stand)
    before = await stand.store.counts()
    with pytest.raises(kind_of) as refused:
        await stand.store.submit([task(title="good"), wrong])
    assert refused.value.field == field
    assert await stand.store.counts() == before


async def test_children_go_only_so_deep(stand: Stand) -> None:
    parent = await stand.submitted()
    for _ in range(checking.MOST_DEPTH):
        parent = await stand.submitted(parent=parent)
    with pytest.raises(Exhausted, match="deep"):
        await stand.submitted(parent=parent)


async def test_a_principal_comes_back_as_it_was(stand: Stand) -> None:
    await stand.submitted()
    claimed = await stand.store.claim("a1", CAN_ALL, 60)
    assert claimed is not None
    assert claimed.task.principal == ADA
