"""Lists, counts, projects, agents, and what is told when something changes."""

import asyncio

import pytest

from support.stores import ADA, BOB, DONE, Stand, failed
from wand_proto.errors import Conflict, Invalid, NotFound
from wand_server.lifecycle import TaskState
from wand_server.ports import (
    AgentRecord,
    Checkpoint,
    NewProject,
    News,
    Registration,
    TaskFilter,
    TaskProgress,
    Usage,
    Wake,
)


async def listed(stand: Stand, **wanted: object) -> list[str]:
    return [one.title for one in (await stand.store.list(TaskFilter(**wanted))).tasks]  # type: ignore[arg-type]


async def test_a_list_is_the_newest_first_and_goes_on_from_its_cursor(stand: Stand) -> None:
    for number in range(7):
        await stand.submitted(title=str(number))
    first = await stand.store.list(TaskFilter(), limit=3)
    second = await stand.store.list(TaskFilter(), limit=3, cursor=first.cursor)
    await stand.submitted(title="new")
    third = await stand.store.list(TaskFilter(), limit=3, cursor=second.cursor)
    assert [one.title for page in (first, second, third) for one in page.tasks] == list("6543210")
    assert third.cursor == ""
    with pytest.raises(Invalid, match="no cursor"):
        await stand.store.list(TaskFilter(), cursor="'; DROP TABLE task")


async def test_a_list_shows_what_fits_all_that_is_asked(stand: Stand) -> None:
    start = stand.clock.now
    project = await stand.store.create_project(NewProject(principal=ADA, name="site"))
    parent = await stand.submitted(title="parent", labels={"team": "blue", "odd.name": "x"})
    stand.clock.forward(10)
    await stand.submitted(title="child", parent=parent, project=project.id)
    await stand.submitted(title="bobs", principal=BOB, labels={"team": "red"})
    await stand.submitted(title="waits", depends_on=(parent,))
    claimed = await stand.claimed(agent="a7")
    assert claimed.task.title == "parent"
    assert await listed(stand, parent=parent) == ["child"]
    assert await listed(stand, project=project.id) == ["child"]
    assert await listed(stand, identity=BOB.identity) == ["bobs"]
    assert await listed(stand, depends_on=parent) == ["waits"]
    assert await listed(stand, agent="a7") == ["parent"]
    assert await listed(stand, label=("team", "blue")) == ["parent"]
    assert await listed(stand, label=("odd.name", "x")) == ["parent"]
    assert await listed(stand, label=("team", "x")) == []
    assert await listed(stand, created_before=start + 10) == ["parent"]
    assert await listed(stand, created_from=start + 10) == ["waits", "bobs", "child"]
    both = frozenset({TaskState.RUNNING, TaskState.BLOCKED})
    assert await listed(stand, states=both) == ["waits", "parent"]
    assert await listed(stand, states=both, identity=BOB.identity) == []


async def test_tasks_are_found_by_their_keys_which_are_one_principals(stand: Stand) -> None:
    for title, key in (("one", "k"), ("two", "j"), ("other", "x"), ("none", "")):
        await stand.submitted(title=title, key=key)
    await stand.submitted(title="bobs", key="k", principal=BOB)
    assert await listed(stand, identity=ADA.identity, keys=frozenset({"k", "j", "z"})) == ["two", "one"]
    assert await listed(stand, identity=BOB.identity, keys=frozenset({"k", "j"})) == ["bobs"]
    assert await listed(stand, keys=frozenset({""})) == []


async def test_counts_name_every_state_and_can_be_of_a_part(stand: Stand) -> None:
    await stand.submitted(principal=BOB)
    await stand.store.finish((await stand.claimed()).lease, DONE)
    await stand.submitted()
    counts = await stand.store.counts()
    assert set(counts) == set(TaskState)
    assert (counts[TaskState.DONE], counts[TaskState.QUEUED]) == (1, 1)
    assert sum((await stand.store.counts(TaskFilter(identity=ADA.identity))).values()) == 1
    only = await stand.store.counts(TaskFilter(states=frozenset({TaskState.QUEUED})))
    assert {state: n for state, n in only.items() if n} == {TaskState.QUEUED: 1}


async def test_a_project_shows_its_tasks_by_state_and_what_they_spent(stand: Stand) -> None:
    new = NewProject(principal=ADA, name="Site ☂", workspace="/srv/site", budget={"cost_usd": 2.5})
    made = await stand.store.create_project(new)
    assert (made.name, made.principal, made.workspace) == ("Site ☂", ADA, "/srv/site")
    assert (made.budget, made.created, sum(made.counts.values())) == ({"cost_usd": 2.5}, stand.clock.now, 0)
    for outcome in (DONE, failed()):
        await stand.submitted(project=made.id)
        lease = (await stand.claimed()).lease
        await stand.store.checkpoint(lease, Checkpoint(spent=Usage(input_tokens=5, cost_micros=1)))
        await stand.store.finish(lease, outcome)
    await stand.submitted()
    seen = await stand.store.project(made.id)
    assert {state: n for state, n in seen.counts.items() if n} == {TaskState.DONE: 1, TaskState.FAILED: 1}
    assert seen.spent == Usage(input_tokens=10, cost_micros=2)
    none = await stand.store.create_project(NewProject(principal=ADA, name="none"))
    theirs = await stand.store.create_project(NewProject(principal=BOB, name="theirs"))
    assert await stand.store.projects(ADA.identity) == (seen, none)  # each with its own sums
    assert await stand.store.projects() == (seen, none, theirs)


async def test_a_projects_name_is_one_principals(stand: Stand) -> None:
    made = await stand.store.create_project(NewProject(principal=ADA, name="site"))
    with pytest.raises(Conflict, match="already"):
        await stand.store.create_project(NewProject(principal=ADA, name="site"))
    other = await stand.store.create_project(NewProject(principal=BOB, name="site"))
    assert {one.id for one in await stand.store.projects()} == {made.id, other.id}
    assert [one.id for one in await stand.store.projects(BOB.identity)] == [other.id]
    with pytest.raises(NotFound):
        await stand.store.project("none")
    for wrong in ({"name": " "}, {"name": "a", "budget": {"cost_usd": -1.0}}):
        with pytest.raises(Invalid):
            await stand.store.create_project(NewProject(principal=ADA, **wrong))


async def test_an_agent_joins_beats_and_leaves(stand: Stand) -> None:
    joins = Registration(
        name="agent-1", labels={"zone": "b"}, capabilities=frozenset({"gpu"}), process="here:7"
    )
    await stand.store.register(joins)
    began = (await stand.store.agents())[0].joined
    stand.clock.forward(10)
    assert await stand.store.beat("agent-1", "busy", "t1")
    assert await stand.store.agents() == (
        AgentRecord(
            name="agent-1",
            labels={"zone": "b"},
            capabilities=frozenset({"gpu"}),
            process="here:7",
            state="busy",
            task="t1",
            joined=began,
            seen=began + 10,
        ),
    )
    await stand.store.register(Registration(name="agent-1"))
    assert [(one.state, one.task) for one in await stand.store.agents()] == [("idle", "")]
    await stand.store.leave("agent-1")
    assert not await stand.store.beat("agent-1", "idle")
    assert await stand.store.agents() == ()
    with pytest.raises(Invalid):
        await stand.store.register(Registration(name="two words"))


async def test_each_change_is_told_once_it_is_durable(stand: Stand) -> None:
    everything = frozenset(News)
    async with stand.bus.listen(everything) as wakes:

        async def told() -> tuple[News, str]:
            wake: Wake = await asyncio.wait_for(anext(wakes), 10)
            return wake.news, wake.task

        name = await stand.submitted()
        assert await told() == (News.READY, name)
        lease = (await stand.claimed()).lease
        assert await told() == (News.CHANGED, name)
        await stand.store.renew(lease, 60, TaskProgress(done=1))
        assert await told() == (News.CHANGED, name)
        await stand.store.cancel(name)
        assert {await told(), await told()} == {(News.CANCEL, name), (News.CHANGED, name)}
        waits = await stand.submitted(depends_on=(name,))
        await stand.store.finish(lease, DONE)
        assert {await told() for _ in range(3)} == {
            (News.CHANGED, name),
            (News.CHANGED, waits),
            (News.READY, waits),
        }
