"""What the task manager tells and does, for whoever asks: their own, and of others' nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from support.agents import ANN, Crew, crew
from support.host import call
from support.tools import FakeTools
from wand_proto.errors import Conflict, Denied, Invalid, NotFound
from wand_server.lifecycle import TaskState
from wand_server.model import ToolDescription
from wand_server.orchestrator import manager
from wand_server.orchestrator.choosing import Size
from wand_server.orchestrator.handing import Inbox
from wand_server.orchestrator.manager import Manager
from wand_server.orchestrator.showing import task_shown
from wand_server.ports import Registration
from wand_server.ports.projects import ProjectWanted, Which
from wand_server.scopes import InsufficientScope

ECHO = {"steps": [{"tool": "echo", "arguments": {"text": "x"}}]}
LATER = {**ECHO, "delay_seconds": 3600}
BOB = replace(ANN, name="bob", credential="k2")
ROOT = replace(BOB, name="root", scopes=ANN.scopes | {"wand:admin"})
ann, bob, root = (call()._replace(principal=one) for one in (ANN, BOB, ROOT))


@asynccontextmanager
async def managed(folder: Path) -> AsyncIterator[tuple[Manager, Crew, list[tuple[str, int]]]]:
    scaled: list[tuple[str, int]] = []

    async def scale(by: str, count: int) -> None:
        scaled.append((by, count))

    async with crew(folder, size=Size(count=2, most=4)) as its:
        inbox = Inbox(tools=FakeTools())
        yield Manager(store=its.store, bus=its.bus, inbox=inbox, pool=its.pool, scale_to=scale), its, scaled


async def test_others_see_nothing_of_a_task_or_a_project_and_an_administrator_sees_all(
    tmp_path: Path,
) -> None:
    async with managed(tmp_path) as (its, _, _):
        await its.create_project(ann, ProjectWanted(name="web"))
        (task,) = await its.hand_out(ann, [LATER], "web")
        for ask in (its.task(bob, task.id), its.cancel(bob, task.id), its.retry(bob, task.id)):
            with pytest.raises(NotFound):
                await ask
        with pytest.raises(NotFound, match="none; create_project makes one"):
            await its.project(bob, "web")
        with pytest.raises(NotFound):
            await its.hand_out(bob, [{**ECHO, "after": [task.id]}], "")
        assert (await its.find(bob, Which())).tasks == ()
        assert (await its.task(root, task.id)).title == "echo"
        assert (await its.project(root, "web")).counts == {"queued": 1}


async def test_a_task_waits_for_one_of_before_by_its_key(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crew, _):
        (first,) = await its.hand_out(ann, [{**LATER, "key": "a"}], "")
        second = [{**ECHO, "key": "b", "after": ["a"]}]
        (waits,) = await its.hand_out(ann, second, "")

        assert (await crew.store.get(waits.id)).depends_on == (first.id,)
        assert [one.id for one in await its.hand_out(ann, second, "")] == [waits.id], "asked twice"
        assert (await its.task(ann, "b")).id == waits.id
        for name in ("c", "", "b\n"):
            with pytest.raises(NotFound, match="you have no task"):
                await its.task(ann, name)
        for name, asks in (("c", ann), ("a", bob)):  # a key is one principal's
            with pytest.raises(Invalid, match=f"'{name}' is no task"):
                await its.hand_out(asks, [{**ECHO, "after": [name]}], "")


async def test_what_is_there_is_given_again_though_what_it_waited_for_is_gone(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, _, _):
        gone = "11111111-1111-4111-8111-111111111111"
        (task,) = await its.hand_out(ann, [{**LATER, "key": "b"}], "")
        for after in ("a", gone):
            (again,) = await its.hand_out(ann, [{**LATER, "key": "b", "after": [after]}], "")
            assert (again.id, again.is_new) == (task.id, False)


async def test_tasks_that_were_handed_out_go_round_in_no_circle(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crew, _):
        await its.hand_out(ann, [{**LATER, "key": "a"}], "")
        await its.hand_out(ann, [{**LATER, "key": "b", "after": ["a"]}], "")
        (a,) = await its.hand_out(ann, [{**LATER, "key": "a", "after": ["b"]}], "")

        assert (await crew.store.get(a.id)).depends_on == (), "it is there already, and stays as it is"
        with pytest.raises(Invalid, match="'d' is no task"):
            await its.hand_out(
                ann, [{**LATER, "key": "c", "after": ["d"]}, {**LATER, "key": "d", "after": ["c"]}], ""
            )


async def test_another_key_of_the_same_party_sees_them(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, _, _):
        (task,) = await its.hand_out(ann, [LATER], "")
        again = ann._replace(principal=replace(ANN, credential="another"))
        assert (await its.task(again, task.id)).id == task.id


async def test_a_project_is_told_at_a_glance(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crewed, _):
        await its.create_project(ann, ProjectWanted(name="web", budget_usd=3))
        good, cancelled = await its.hand_out(ann, [ECHO, LATER], "web")
        await crewed.ended(good.id)
        assert not (await its.project(ann, "web")).is_over
        assert (await its.cancel(ann, cancelled.id)).state == "cancelled"
        shown = await its.project(ann, "web")
        assert (shown.counts, shown.over, shown.is_over) == ({"done": 1, "cancelled": 1}, 2, True)
        assert (shown.budget_usd, shown.spent_usd) == (3, 0)
        with pytest.raises(Conflict, match="project: there is a project 'web' already"):
            await its.create_project(ann, ProjectWanted(name="web"))
        with pytest.raises(Invalid):
            await its.create_project(ann, ProjectWanted(name=" "))


async def test_only_what_has_ended_badly_is_done_again_and_only_what_has_not_is_cancelled(
    tmp_path: Path,
) -> None:
    async with managed(tmp_path) as (its, crewed, _):
        done, waits = await its.hand_out(ann, [ECHO, LATER], "")
        await crewed.ended(done.id)
        with pytest.raises(Conflict, match="it is done"):
            await its.retry(ann, done.id)
        with pytest.raises(Conflict, match="it has ended"):
            await its.cancel(ann, done.id)
        with pytest.raises(Conflict, match="it is queued"):
            await its.retry(ann, waits.id)
        await its.cancel(ann, waits.id)
        assert (await its.retry(ann, waits.id)).state in {"queued", "running", "done"}
        assert done.title == "echo"
        stops = replace(await crewed.store.get(done.id), state=TaskState.RUNNING, cancel_asked=True)
        assert task_shown(stops, {}).message == "it is asked to stop"


async def test_what_waits_for_a_task_that_was_cancelled_is_refused_by_the_name_of_its_field(
    tmp_path: Path,
) -> None:
    async with managed(tmp_path) as (its, _, _):
        (gone,) = await its.hand_out(ann, [LATER], "")
        await its.cancel(ann, gone.id)
        with pytest.raises(Conflict, match=f"after: {gone.id} is cancelled"):
            await its.hand_out(ann, [{**ECHO, "after": [gone.id]}], "")


async def test_a_project_has_a_name_in_any_script(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, _, _):
        name = "می\u200cخواهم \U0001f469\u200d\U0001f4bb"
        assert (await its.create_project(ann, ProjectWanted(name=name))).name == name
        with pytest.raises(Invalid, match="must be a name"):
            await its.create_project(ann, ProjectWanted(name="a\u202eb"))


async def test_what_had_to_be_done_by_a_time_that_is_over_is_not_done_again(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crewed, _):
        (late,) = await its.hand_out(ann, [{**LATER, "deadline_seconds": 1.0}], "")
        await crewed.ended(late.id)
        with pytest.raises(Conflict, match="its deadline has passed"):
            await its.retry(ann, late.id)


async def test_others_have_their_turn_while_many_tasks_are_read(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watched(FakeTools):
        def describe(self) -> tuple[ToolDescription, ...]:
            seen.append("read")
            return super().describe()

    async def others() -> None:
        while True:
            seen.append("turn")
            await asyncio.sleep(0)

    async with managed(tmp_path) as (its, _, _):
        watched = replace(its, inbox=Inbox(tools=Watched()))
        beside = asyncio.create_task(others())
        await watched.hand_out(ann, [LATER] * 3, "")
        beside.cancel()
    first, last = seen.index("read"), len(seen) - 1 - seen[::-1].index("read")
    assert seen[first:last].count("turn") >= 2


@pytest.mark.parametrize("task", ["", "\0", "\ud800", "x" * 64])
async def test_what_is_no_id_is_no_task(tmp_path: Path, task: str) -> None:
    async with managed(tmp_path) as (its, _, _):
        with pytest.raises(NotFound):
            await its.task(ann, task)


async def test_what_a_task_hands_out_stays_in_its_project(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crewed, _):
        for name in ("web", "other"):
            await its.create_project(ann, ProjectWanted(name=name, budget_usd=1))
        (above,) = await its.hand_out(ann, [LATER], "web")
        inside = ann._replace(task=above.id)
        with pytest.raises(Denied, match="belongs to that project"):
            await its.hand_out(inside, [LATER], "other")
        (child,) = await its.hand_out(inside, [LATER], "")
        assert (await its.task(ann, child.id)).project == "web"
        narrow = {**LATER, "tools": ["echo"]}
        (above,) = await its.hand_out(ann, [narrow], "")
        (child,) = await its.hand_out(ann._replace(task=above.id), [LATER], "")
        assert (await crewed.store.get(child.id)).work["tools"] == ["echo"]


async def test_a_sign_in_has_nothing_done_again_that_it_may_not_do(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, _, _):
        (task,) = await its.hand_out(ann, [LATER], "")
        await its.cancel(ann, task.id)
        narrow = ann._replace(principal=replace(ANN, scopes=frozenset({"wand:read"})))
        with pytest.raises(InsufficientScope, match="wand:write"):
            await its.retry(narrow, task.id)
        again = await its.retry(ann, task.id)
        assert (again.state, again.message) == ("queued", "last time: cancelled by ann")


async def test_tasks_are_found_by_state_and_page(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crewed, _):
        (done,) = await its.hand_out(ann, [ECHO], "")
        await crewed.ended(done.id)
        await its.hand_out(ann, [LATER] * 3, "")
        assert [one.id for one in (await its.find(ann, Which(state="ended"))).tasks] == [done.id]
        first = await its.find(ann, Which(state="open", limit=2))
        rest = await its.find(ann, Which(state="open", limit=2, after=first.more))
        assert (len(first.tasks), len(rest.tasks), rest.more) == (2, 1, "")
        with pytest.raises(Invalid, match="there are: open, ended, blocked"):
            await its.find(ann, Which(state="finished"))


async def test_one_party_has_so_many_open_tasks_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "_MOST_OPEN", 3)
    async with managed(tmp_path) as (its, _, _):
        await its.hand_out(ann, [LATER] * 3, "")
        with pytest.raises(Denied, match="3 of your tasks have not ended"):
            await its.hand_out(ann, [ECHO], "")
        assert len(await its.hand_out(bob, [LATER], "")) == 1


async def test_agents_are_told_as_they_are_and_others_tasks_are_not(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, crewed, _):
        await crewed.store.register(Registration(name="elsewhere", process="far:1"))
        (task,) = await crewed.hand_out(needs=frozenset({"far"}))
        claimed = await crewed.store.claim("elsewhere", frozenset({"far"}), 60)
        assert claimed is not None
        for asks, sees in ((ann, task), (bob, ""), (root, task)):
            told = {one.name: one for one in (await its.agents(asks)).agents}
            assert (told["elsewhere"].state, told["elsewhere"].task) == ("busy", sees)
        assert sum(one.state == "idle" for one in told.values()) == 2


async def test_only_an_administrator_scales_and_it_is_known_who(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, _, scaled):
        with pytest.raises(InsufficientScope):
            await its.scale(ann, 4)
        told = await its.scale(root, 4)
        assert scaled == [("root", 4)]
        assert told.bounds == (2, 4)


async def test_whoever_waits_hears_of_a_change_at_once(tmp_path: Path) -> None:
    async with managed(tmp_path) as (its, _, _):
        (task,) = await its.hand_out(ann, [{**ECHO, "delay_seconds": 0.3}], "")
        while (await its.task(ann, task.id)).state != TaskState.DONE:
            await its.changed(30)
