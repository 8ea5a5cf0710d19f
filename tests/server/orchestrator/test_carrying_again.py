"""What an agent does with a task: under whose authority, what is done again, and what never."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from support.agents import ANN, Crew, counts_on, store_in
from support.tools import described
from wand_proto.errors import Ambiguous, Denied, NeedsApproval, Unavailable, WandError
from wand_server import lifecycle
from wand_server.lifecycle import TaskState
from wand_server.model import Call, ToolDescription, ToolResult, refusal
from wand_server.orchestrator.agents import Means
from wand_server.orchestrator.carrying import Carrier, act_of, past_of
from wand_server.orchestrator.choosing import Size
from wand_server.orchestrator.pool import Pool
from wand_server.ports import Checkpoint, NewProject, NewTask, Step, StepBegins, StepEnds


@dataclass
class Tools:
    """`look` reads, `change` changes; each answers with the next of `answers`, then with its text."""

    answers: list[WandError] = field(default_factory=list)
    calls: list[tuple[str, str, Call]] = field(default_factory=list)

    def describe(self) -> tuple[ToolDescription, ...]:
        return described("look"), described("change", read_only=False, toolset="files")

    def unlisted(self, _: str) -> ToolDescription | None:
        return None

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        self.calls.append((name, arguments.get("text", ""), call))
        if self.answers and arguments.get("text") == "fails":
            return refusal(self.answers.pop(0))
        return ToolResult(text="done", structured={"text": arguments.get("text", "")})

    @property
    def asked(self) -> list[str]:
        return [text for _, text, _ in self.calls]


@asynccontextmanager
async def at_work(folder: Path, tools: Tools, agents: int = 1) -> AsyncIterator[Crew]:
    async with store_in(folder) as (store, bus):
        means = Means(store=store, work=Carrier(store=store, tools=tools), is_over=counts_on)
        async with Pool(means, bus, Size(count=agents, most=agents)) as pool:
            yield Crew(store, bus, pool)


def steps(*texts: str, tool: str = "change") -> dict[str, Any]:
    each = [{"id": f"s{at}", "tool": tool, "arguments": {"text": text}} for at, text in enumerate(texts)]
    return {"steps": each}


async def test_each_call_is_its_callers_and_names_agent_and_task(tmp_path: Path) -> None:
    tools = Tools()
    async with at_work(tmp_path, tools) as its:
        (task,) = await its.hand_out(steps("a"))
        ended = await its.ended(task)

    (_, _, call) = tools.calls[0]
    assert (call.principal, call.task, call.agent) == (ANN, task, ended.agent)
    assert ended.result == {"result": {"text": "a"}, "text": "done", "steps": {"s0": "done"}}


async def test_what_may_pass_is_tried_again_and_what_was_done_is_not(tmp_path: Path) -> None:
    tools = Tools([Unavailable("the link is down")])
    async with at_work(tmp_path, tools) as its:
        new = NewTask(principal=ANN, work=steps("a", "fails", "b"), retries=_AT_ONCE)
        await its.store.submit([new])
        ended = await its.ended(new.id)

    assert (ended.state, ended.attempt) == (TaskState.DONE, 2)
    assert tools.asked == ["a", "fails", "fails", "b"]


async def test_a_refusal_ends_it_and_a_person_may_have_it_done_again(tmp_path: Path) -> None:
    tools = Tools([Denied("rm is denied", hint="git is permitted")])
    async with at_work(tmp_path, tools) as its:
        (task,) = await its.hand_out(steps("a", "fails", "b"))
        failed = await its.ended(task)
        assert failed.error is not None
        assert (failed.state, failed.error.kind) == (TaskState.FAILED, "Denied")
        assert tools.asked == ["a", "fails"]
        await its.store.retry(task)
        assert (await its.ended(task)).state is TaskState.DONE

    assert tools.asked == ["a", "fails", "fails", "b"]


async def test_what_nobody_knows_is_ambiguous_and_done_again_only_at_a_persons_word(tmp_path: Path) -> None:
    tools = Tools([Ambiguous("the link broke")])
    async with at_work(tmp_path, tools) as its:
        (task,) = await its.hand_out(steps("a", "fails"))
        assert (await its.ended(task)).state is TaskState.AMBIGUOUS
        await its.store.retry(task)
        assert (await its.ended(task)).state is TaskState.DONE

    assert tools.asked == ["a", "fails", "fails"]


async def test_an_act_that_waits_for_a_person_is_tried_until_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_ASK_AGAIN_SECONDS", 0.02)
    tools = Tools([NeedsApproval("waits for approval ab12", hint="say yes: approve yes ab12")] * 3)
    async with at_work(tmp_path, tools) as its:
        (task,) = await its.hand_out(steps("a", "fails", "b"))
        waiting = await its.until(task, lambda found: found.state is TaskState.WAITING)
        (other,) = await its.hand_out(steps("x", tool="look"))
        assert (await its.ended(other)).state is TaskState.DONE  # the one agent is free meanwhile
        ended = await its.ended(task)

    assert waiting.error is not None
    assert waiting.error.kind == "NeedsApproval"
    assert (ended.state, ended.attempt) == (TaskState.DONE, 1)
    assert [one for one in tools.asked if one != "x"] == ["a", *["fails"] * 4, "b"]


async def test_an_agent_that_died_in_an_act_leaves_it_undone_by_others(tmp_path: Path) -> None:
    tools = Tools()
    async with store_in(tmp_path) as (store, _):
        new = NewTask(principal=ANN, work=steps("a", "b"))
        await store.submit([new])
        dead = await store.claim("dead", frozenset(), 0.2)
        assert dead is not None
        await store.checkpoint(dead.lease, Checkpoint(begins=(StepBegins(key="s0"),)))
        await asyncio.sleep(0.25)
    async with at_work(tmp_path, tools) as its:
        assert (await its.ended(new.id)).state is TaskState.AMBIGUOUS

    assert tools.asked == []


@pytest.mark.parametrize(("tool", "again"), [("look", ["a", "b"]), ("change", ["b"])])
async def test_one_that_died_between_acts_is_followed_by_another_that_goes_on(
    tmp_path: Path, tool: str, again: list[str]
) -> None:
    tools = Tools()
    async with store_in(tmp_path) as (store, _):
        new = NewTask(principal=ANN, work=steps("a", "b", tool=tool), retries=_AT_ONCE)
        await store.submit([new])
        dead = await store.claim("dead", frozenset(), 0.2)
        assert dead is not None
        await store.checkpoint(
            dead.lease, Checkpoint(begins=(StepBegins(key="s0", may_repeat=tool == "look"),))
        )
        if tool == "change":
            end = {"text": "done", "result": {}, "is_error": False, "kind": "", "waits": ""}
            await store.checkpoint(dead.lease, Checkpoint(ended=(StepEnds(key="s0", result=end),)))
        await asyncio.sleep(0.25)
    async with at_work(tmp_path, tools) as its:
        ended = await its.ended(new.id)

    assert (ended.state, ended.attempt) == (TaskState.DONE, 2)
    assert sorted(tools.asked) == again


async def test_a_projects_tasks_begin_in_its_folder(tmp_path: Path) -> None:
    tools = Placed()
    async with at_work(tmp_path, tools) as its:
        project = await its.store.create_project(NewProject(principal=ANN, name="web", workspace="web"))
        (task,) = await its.hand_out(
            {"steps": [{"id": "s", "tool": "change", "arguments": {"path": "a"}}]}, project=project.id
        )
        await its.ended(task)

    assert tools.paths == ["web/a"]


class Placed(Tools):
    """Its tool takes a path."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    def describe(self) -> tuple[ToolDescription, ...]:
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        return (replace(described("change", read_only=False, toolset="files"), input_schema=schema),)

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        self.paths.append(arguments["path"])
        return await super().call(name, {}, call)


def step(key: str, result: Any = None, *, ended: bool = True) -> Step:
    now = time.time()
    return Step(key=key, token=1, may_repeat=False, began=now, ended=now if ended else None, result=result)


def test_of_what_was_done_several_times_the_last_counts(tmp_path: Path) -> None:
    good, bad = {"is_error": False}, {"is_error": True, "kind": "Denied"}
    kept = (step("s0", bad), step("s0~1", good), step("s1[3]", good), step("s2", ended=False))
    task = _Task(work=steps("a", "b", "c"), attempt=2)

    past = past_of(task, kept)  # type: ignore[arg-type]  # what it looks at

    assert past.ended == {"s0": good, "s1[3]": good}
    assert past.begun == {"s2": False}
    assert act_of("s1[3]~2") == "s1[3]"


@dataclass
class _Task:
    work: dict[str, Any]
    attempt: int


_AT_ONCE = replace(NewTask(principal=ANN, work={}).retries, base_seconds=0.0)
