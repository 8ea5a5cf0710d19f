"""What agents carry out is in the store: what was said, what it cost, what became of it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.agents import Crew, crew, store_in
from support.modelserver import ModelServer, Refused, calls, says, use
from support.work import ANN, Shelf, goal, ref, step, steps, thinking
from wand_server import lifecycle
from wand_server.lifecycle import Retries, TaskState
from wand_server.orchestrator import carrying
from wand_server.orchestrator.carrying import Carrier
from wand_server.orchestrator.choosing import Size
from wand_server.orchestrator.work.around import Budget
from wand_server.ports import NewProject, NewTask, Task

BUSY = Refused(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
AGAIN = Retries(most_attempts=3, base_seconds=0.01, ceiling_seconds=0.02)


@dataclass
class Shop:
    """Agents with a shelf and a model that is played."""

    crew: Crew
    shelf: Shelf
    server: ModelServer

    async def done(self, work: dict[str, Any], **fields: Any) -> Task:
        """The task with that work, once it has ended."""
        task = NewTask(principal=ANN, work=work, **{"retries": Retries(most_attempts=1), **fields})
        (handed,) = await self.crew.store.submit([task])
        return await self.crew.ended(handed.id)


@asynccontextmanager
async def shop(folder: Path, *plays: Any, **budget: Any) -> AsyncIterator[Shop]:
    shelf = Shelf()
    async with thinking(*plays) as (model, server), store_in(folder) as (store, _):
        carrier = Carrier(store=store, tools=shelf, model=model, budget=Budget(**budget))
        async with crew(folder, carrier, size=Size(count=1, most=1)) as agents:
            yield Shop(agents, shelf, server)


async def test_steps_are_carried_out_and_their_results_are_kept(tmp_path: Path) -> None:
    async with shop(tmp_path) as our:
        task = await our.done(steps(step("one", "add", name="x", text="y"), step("two", "get", name="x")))
        kept = await our.crew.store.steps(task.id)
    assert (task.state, our.shelf.texts) == (TaskState.DONE, {"x": "y"})
    assert task.result["result"] == {"name": "x", "text": "y"}
    assert [(one.key, one.ended is not None) for one in kept] == [("one", True), ("two", True)]


async def test_a_step_that_ended_otherwise_than_expected_is_done_again_when_a_person_wants_it(
    tmp_path: Path,
) -> None:
    look = step("look", "get", name="x", expect={"equals": [ref("look.result.text"), "y"]})
    async with shop(tmp_path) as our:
        our.shelf.texts["x"] = "z"
        task = await our.done(steps(step("note", "add", name="n", text="1"), look))
        assert task.state == TaskState.FAILED
        our.shelf.texts["x"] = "y"
        await our.crew.store.retry(task.id)
        again = await our.crew.ended(task.id)
    assert (again.state, our.shelf.texts["n"]) == (TaskState.DONE, "1")


async def test_all_that_is_said_about_a_goal_is_in_its_transcript(tmp_path: Path) -> None:
    async with shop(tmp_path, calls(use("add", name="x", text="y")), says("Done.")) as our:
        task = await our.done(goal())
        entries = await our.crew.store.transcript(task.id)
    assert (task.state, task.result["text"], our.shelf.texts) == (TaskState.DONE, "Done.", {"x": "y"})
    assert [entry.content["role"] for entry in entries] == ["user", "assistant", "user", "assistant"]
    assert (task.spent.input_tokens, task.spent.output_tokens) == (200, 20)
    assert task.spent.cost_micros == 900


async def test_what_a_task_spends_is_missing_to_the_others_of_its_project(tmp_path: Path) -> None:
    plays = [calls(use("names"))] * 9
    async with shop(tmp_path, *plays) as our:
        project = NewProject(principal=ANN, name="p", budget={"cost_usd": 0.0065})
        await our.crew.store.create_project(project)
        first = await our.done(goal(turns=1), project=project.id)
        second = await our.done(goal(), project=project.id)
    assert first.error is not None
    assert second.error is not None
    assert ("turns" in first.error.message, "dollars" in second.error.message) == (True, True)
    assert len(our.server.asked) == 6  # of both together; alone the second had asked six times


async def test_a_model_that_is_busy_is_asked_again_by_a_later_attempt(tmp_path: Path) -> None:
    async with shop(tmp_path, calls(use("add", name="x", text="y")), *[BUSY] * 6, says("Done.")) as our:
        task = await our.done(goal(), retries=AGAIN)
    assert (task.state, our.shelf.texts) == (TaskState.DONE, {"x": "y"})
    assert len(our.server.asked) == 8
    assert task.spent.cost_micros == 900


async def test_a_model_is_not_asked_before_it_says(tmp_path: Path) -> None:
    slow = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    async with shop(tmp_path, Refused(429, slow, {"retry-after": "3600"})) as our:
        (handed,) = await our.crew.store.submit([NewTask(principal=ANN, work=goal(), retries=AGAIN)])
        task = await our.crew.until(handed.id, lambda found: found.attempt == 1 and found.error is not None)
    assert task.error is not None
    assert (task.state, task.error.kind) == (TaskState.QUEUED, "Exhausted")
    assert 3500 < task.run_at - time.time() <= 3600


async def test_a_budget_that_is_used_up_is_not_tried_again(tmp_path: Path) -> None:
    async with shop(tmp_path, *[calls(use("names"))] * 9, turns=2) as our:
        task = await our.done(goal(), retries=AGAIN)
    assert task.error is not None
    assert (task.state, task.error.kind, task.attempt) == (TaskState.FAILED, "Exhausted", 1)
    assert len(our.server.asked) == 2


async def test_a_goal_that_was_given_up_goes_on_when_a_person_wants_it_again(tmp_path: Path) -> None:
    plays = [calls(use("give_up", reason="nailed")), calls(use("add", name="x", text="y")), says("Done.")]
    async with shop(tmp_path, *plays) as our:
        task = await our.done(goal())
        assert task.error is not None
        assert (task.state, task.error.message) == (TaskState.FAILED, "given up: nailed")
        await our.crew.store.retry(task.id)
        again = await our.crew.ended(task.id)
    assert (again.state, our.shelf.texts) == (TaskState.DONE, {"x": "y"})
    assert len(our.server.asked[-1]["messages"]) == 5


async def test_a_goal_goes_on_after_its_agent_died_and_its_model_is_told_what_nobody_knows(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, calls(use("block", name="x"))) as our:
        (handed,) = await our.crew.store.submit([NewTask(principal=ANN, work=goal())])
        await our.shelf.waiting.wait()
    async with shop(tmp_path, says("I looked: it is there.")) as our:
        task = await our.crew.ended(handed.id)
    assert (task.state, task.result["unknown"]) == (TaskState.DONE, ["t1.0"])
    assert our.shelf.called == []
    (told,) = our.server.asked[0]["messages"][-1]["content"]
    assert (told["is_error"], "not known" in told["content"]) == (True, True)


async def test_a_long_conversation_is_taken_up_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "_ENTRIES_AT_ONCE", 2)
    plays = [calls(use("names"))] * 4
    async with shop(tmp_path, *plays, calls(use("give_up", reason="no"))) as our:
        task = await our.done(goal())
    async with shop(tmp_path, says("Done.")) as our:
        await our.crew.store.retry(task.id)
        again = await our.crew.ended(task.id)
    assert again.state == TaskState.DONE
    assert len(our.server.asked[0]["messages"]) == 11


async def test_a_goal_that_fails_with_an_act_in_doubt_is_ambiguous(tmp_path: Path) -> None:
    plays = [calls(use("add", name="ambiguous", text="y")), calls(use("give_up", reason="no"))]
    async with shop(tmp_path, *plays) as our:
        task = await our.done(goal())
    assert task.error is not None
    assert (task.state, task.error.kind) == (TaskState.AMBIGUOUS, "Ambiguous")
    assert "t1.0" in task.error.message


async def test_a_goal_waits_for_a_person_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_ASK_AGAIN_SECONDS", 0.01)
    async with shop(tmp_path, calls(use("add", name="approval", text="y")), says("Done.")) as our:
        (handed,) = await our.crew.store.submit([NewTask(principal=ANN, work=goal())])
        waits = await our.crew.until(handed.id, lambda task: task.state is TaskState.WAITING)
        await our.crew.until(handed.id, lambda _: our.crew.pool.busy() == 0)  # its agent is free
        our.shelf.approved = True
        task = await our.crew.ended(handed.id)
    assert waits.error is not None
    assert "on the host, and nowhere else: approve yes ab12" in waits.error.message
    assert (task.state, task.attempt, our.shelf.texts) == (TaskState.DONE, 1, {"approval": "y"})
    assert len(our.server.asked) == 2
