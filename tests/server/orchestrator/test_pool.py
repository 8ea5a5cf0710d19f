"""The agents of a process: tasks in turn, as many agents as the queue asks for, the sick replaced."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.agents import DONE, Crew, crew, store_in
from support.waiting import until
from wand_server.lifecycle import TaskState
from wand_server.orchestrator.attempt import Attempt, Clocks
from wand_server.orchestrator.choosing import Ability, AgentState, Size
from wand_server.orchestrator.pool import Habits
from wand_server.ports import Outcome, Registration


async def test_tasks_go_to_the_agents_in_turn(tmp_path: Path) -> None:
    had: list[str] = []

    async def work(agent: str, _: Attempt) -> Outcome:
        had.append(agent)
        return DONE

    async with crew(tmp_path, work) as its:
        for _ in range(6):
            (task,) = await its.hand_out()
            await its.ended(task)

    assert len(set(had[:3])) == 3
    assert had[:3] == had[3:]


async def test_a_busy_agent_is_passed_over_and_none_has_two_tasks(tmp_path: Path) -> None:
    at_work: dict[str, int] = {}
    go = asyncio.Event()

    async def work(agent: str, attempt: Attempt) -> Outcome:
        at_work[agent] = at_work.get(agent, 0) + 1
        if attempt.claimed.task.title == "long":
            await go.wait()
        return DONE

    async with crew(tmp_path, work) as its:
        (long,) = await its.hand_out(title="long")
        held = (await its.until(long, lambda task: task.state is TaskState.RUNNING)).agent
        assert await its.states(await its.hand_out(*[{}] * 20)) == [TaskState.DONE] * 20
        assert at_work.pop(held) == 1
        assert sorted(at_work.values()) == [10, 10]
        go.set()
        assert (await its.ended(long)).state is TaskState.DONE


async def test_what_needs_a_capability_waits_for_an_agent_that_has_it(tmp_path: Path) -> None:
    async with crew(tmp_path) as plain:
        (task,) = await plain.hand_out(needs=frozenset({"gpu"}))
        (other,) = await plain.hand_out()
        await plain.ended(other)
        assert (await plain.store.get(task)).state is TaskState.QUEUED

        able = Habits(name="able", ability=Ability(capabilities=frozenset({"gpu"})), health_seconds=0.2)
        async with crew(tmp_path, habits=able):
            assert (await plain.ended(task)).agent.startswith("able-")


async def test_a_label_is_something_that_a_task_can_need(tmp_path: Path) -> None:
    north = Habits(ability=Ability(labels=frozenset({"site=north"})), health_seconds=0.2)
    async with crew(tmp_path, habits=north) as its:
        (task,) = await its.hand_out(needs=frozenset({"site=north"}))
        (other,) = await its.hand_out(needs=frozenset({"site=south"}))
        assert (await its.ended(task)).state is TaskState.DONE
        assert (await its.store.get(other)).state is TaskState.QUEUED
        assert {"site": "north"} in [one.labels for one in await its.store.agents()]


async def test_many_waiting_tasks_bring_more_agents_and_they_go_when_the_queue_is_empty(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()

    async def work(_: str, __: Attempt) -> Outcome:
        await go.wait()
        return DONE

    async with crew(tmp_path, work, size=Size(count=1, most=4, queued_each=2)) as its:
        tasks = await its.hand_out(*[{}] * 12)
        await until(lambda: its.pool.busy() == 4)
        assert len(its.pool.agents) == 4
        go.set()
        assert set(await its.states(tasks)) == {TaskState.DONE}
        await until(lambda: len(its.pool.agents) == 1)
        await until_agents(its, lambda names: names == set(its.pool.agents))


async def test_it_is_made_smaller_without_ending_a_task(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def work(_: str, __: Attempt) -> Outcome:
        await go.wait()
        return DONE

    async with crew(tmp_path, work) as its:
        tasks = await its.hand_out({}, {}, {})
        await until(lambda: its.pool.busy() == 3)
        its.pool.resize(Size(count=1, most=1))
        await until(lambda: any(one.state is AgentState.STOPPING for one in its.pool.agents.values()))
        go.set()
        assert await its.states(tasks) == [TaskState.DONE] * 3
        await until(lambda: len(its.pool.agents) == 1)


async def test_an_agent_that_hangs_is_replaced_and_another_goes_on_with_its_task(tmp_path: Path) -> None:
    begun: list[str] = []
    let_go = asyncio.Event()

    async def work(agent: str, attempt: Attempt) -> Outcome:
        begun.append(agent)
        while attempt.claimed.task.attempt == 1 and not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue  # it does not hear
        return DONE

    async with crew(tmp_path, work, size=Size(count=1, most=1)) as its:
        (task,) = await its.hand_out(may_repeat=True)
        await until(lambda: begun)
        its.pool.agents[begun[0]].give_back()
        ended = await its.ended(task)
        assert (ended.state, ended.attempt, len(set(begun))) == (TaskState.DONE, 2, 2)
        assert begun[0] not in its.pool.agents
        let_go.set()


async def test_work_that_breaks_costs_its_task_and_no_agent(tmp_path: Path, caplog: Any) -> None:
    async def work(_: str, attempt: Attempt) -> Outcome:
        if attempt.claimed.task.title == "bad":
            raise RuntimeError("the secret is 1234")
        return DONE

    async with crew(tmp_path, work, size=Size(count=1, most=1)) as its:
        (bad,) = await its.hand_out(title="bad")
        (good,) = await its.hand_out()
        ended = await its.ended(bad)
        assert ended.error is not None
        assert (ended.state, ended.error.kind) == (TaskState.FAILED, "Broken")
        assert "1234" not in ended.error.message
        assert (await its.ended(good)).state is TaskState.DONE
    assert any(record.exc_info for record in caplog.records)


async def test_a_drain_lets_what_runs_end_and_takes_nothing_more(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def work(_: str, __: Attempt) -> Outcome:
        await go.wait()
        return DONE

    async with crew(tmp_path, work, size=Size(count=1, most=1)) as its:
        first, second = await its.hand_out({}, {})
        await its.until(first, lambda found: found.state is TaskState.RUNNING)
        draining = asyncio.create_task(its.pool.drain(20))
        await asyncio.sleep(0)
        go.set()
        assert await draining
        assert (await its.ended(first)).state is TaskState.DONE
        assert (await its.store.get(second)).state is TaskState.QUEUED


async def test_what_does_not_end_in_time_is_given_back_at_a_drain(tmp_path: Path) -> None:
    async def work(_: str, __: Attempt) -> Outcome:
        await asyncio.Event().wait()
        return DONE

    async with crew(tmp_path, work, size=Size(count=1, most=1)) as its:
        (task,) = await its.hand_out()
        await its.until(task, lambda _: its.pool.busy() == 1)
        assert not await its.pool.drain(0.05)
        assert (await its.store.get(task)).state is TaskState.QUEUED


async def test_pools_of_several_processes_share_what_there_is(tmp_path: Path) -> None:
    async with crew(tmp_path) as one, crew(tmp_path) as other:
        tasks = await one.hand_out(*[{}] * 40)
        assert set(await other.states(tasks)) == {TaskState.DONE}
        assert len(await one.store.agents()) == 6


async def test_an_agent_that_was_not_heard_of_for_long_is_forgotten(tmp_path: Path) -> None:
    async with store_in(tmp_path) as (store, _):
        await store.register(Registration(name="old"))
    async with crew(tmp_path, habits=Habits(health_seconds=0.1)) as its:
        await until_agents(its, lambda names: "old" not in names)
        assert len(await its.store.agents()) == 3


async def test_a_task_is_begun_when_its_time_has_come_and_not_before(tmp_path: Path) -> None:
    async with crew(tmp_path) as its:
        (task,) = await its.hand_out(not_before=time.time() + 0.3)
        ended = await its.ended(task)
        assert ended.started is not None
        assert ended.started >= ended.run_at


async def until_agents(its: Crew, true: Callable[[set[str]], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if true({one.name for one in await its.store.agents()}):
                return
            await asyncio.sleep(0.01)


async def test_what_was_put_off_begins_when_its_time_has_come_and_nobody_has_to_look_for_it(
    tmp_path: Path,
) -> None:
    async with crew(tmp_path, clocks=Clocks(lease_seconds=3600)) as its:
        (first,) = await its.hand_out()
        await its.ended(first)  # the first sweep is over
        (later,) = await its.hand_out(not_before=time.time() + 0.2)
        assert (await its.ended(later)).state is TaskState.DONE
