"""The tools that hand out work: what they ask of the task manager, and what they answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from support.handing import PROJECT, TASK, FakeTasks
from support.host import FakeHost, call
from wand_proto.errors import NotFound
from wand_server import scopes
from wand_server.model import ToolResult
from wand_server.ports.projects import ProjectWanted, Which
from wand_server.tools import projects, taskresources
from wand_server.tools.registry import Registry
from wand_server.tools.resources import HostResources


async def use(fake: FakeTasks, tool: str, progress: Any = None, **arguments: Any) -> ToolResult:
    return await Registry(FakeHost(), projects.entries(fake)).call(tool, arguments, call(progress))


async def test_tasks_are_handed_on_as_they_came() -> None:
    tasks, given = FakeTasks(), [{"goal": "look"}, {"steps": [{"tool": "read_file"}], "extra": [1]}]
    result = await use(tasks, "distribute_task", tasks=given, project="p")

    assert tasks.asked == [("hand out", given, "p")]
    assert result.text.splitlines() == ["Handed out: 2 tasks.", "t1 [queued]", "t2 [queued]"]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("distribute_task", {"tasks": []}, "tasks: must be 1 to 1000 tasks, not 0"),
        ("distribute_task", {"tasks": ["build"]}, "tasks[0]: must be an object"),
        ("manage_tasks", {"action": "get"}, "task: is missing: get is about one task"),
        ("manage_tasks", {"action": "end", "task": "t1"}, "'get', 'list', 'cancel' or 'retry'"),
        ("manage_tasks", {"action": "list", "limit": 501}, "limit: must be 0 to 500, not 501"),
        ("create_project", {"project": "p", "budget_usd": -1}, "budget_usd: must not be negative"),
        ("create_project", {"project": "p" * 65}, "project: must have at most 64 characters, not 65"),
        ("get_project_status", {"project": "p", "wait_seconds": 1e9}, "must be 0 to 86400"),
    ],
)
async def test_what_is_wrong_is_named_with_what_would_be_right(
    tool: str, arguments: dict[str, Any], said: str
) -> None:
    result = await use(FakeTasks(), tool, **arguments)

    assert result.is_error
    assert said in result.text


async def test_a_project_is_made_with_its_folder_and_budget() -> None:
    tasks = FakeTasks()
    await use(tasks, "create_project", project="p", workspace="/w", budget_usd=2)

    assert tasks.asked == [("create", ProjectWanted(name="p", workspace="/w", budget_usd=2.0))]


async def test_a_project_is_waited_for_and_its_progress_told() -> None:
    told: list[tuple[float, float | None, str]] = []

    async def progress(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))

    over = replace(PROJECT, counts={"done": 2, "failed": 1}, over=3, is_over=True, attention=(TASK,))
    tasks = FakeTasks(stands=[PROJECT, over])
    result = await use(tasks, "get_project_status", progress, project="p", wait_seconds=60)

    assert [(done, total) for done, total, _ in told] == [(0, 1), (3, 3)]
    assert result.text.splitlines()[:2] == ["p: 2 done, 1 failed; all is over", "Look at:"]


async def test_a_task_is_waited_for_and_its_result_shown() -> None:
    done = replace(TASK, state="done", is_over=True, result={"result": {"exit_code": 0}, "text": "all built"})
    result = await use(FakeTasks(shown=[TASK, done]), "manage_tasks", action="get", task="t1", wait_seconds=9)

    assert result.text == "t1 build [done]\nall built"
    assert result.structured["task"]["result"]["result"] == {"exit_code": 0}


async def test_whoever_waits_for_the_answer_itself_gets_it_before_clients_give_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projects, "_PATIENCE_SECONDS", 0.0)
    fake = FakeTasks()
    await use(fake, "manage_tasks", action="get", task="t1", wait_seconds=3600)
    await use(fake, "get_project_status", project="p", wait_seconds=3600)

    assert fake.asked == [("task", "t1"), ("project", "p")]


async def test_a_list_says_how_to_go_on() -> None:
    tasks = FakeTasks()
    result = await use(tasks, "manage_tasks", action="list", state="open", project="p")

    assert tasks.asked == [("find", Which(project="p", state="open", limit=20))]
    assert result.text == "t1 build [running, by agent-1, 1 of 2]\nMore: cursor=on"


@pytest.mark.parametrize("action", ["cancel", "retry"])
async def test_a_task_is_cancelled_and_tried_again(action: str) -> None:
    tasks = FakeTasks()
    await use(tasks, "manage_tasks", action=action, task="t1")

    assert tasks.asked == [(action, "t1")]


async def test_agents_are_listed_each_in_a_line() -> None:
    result = await use(FakeTasks(), "list_agents")

    assert result.text.splitlines() == [
        "2 queued; this server keeps 3 agents, 3 to 8",
        "agent-1 (box:1): busy t1",
    ]


@pytest.mark.parametrize(
    ("granted", "opens"),
    [
        ("wand:read", {"get_project_status", "list_agents"}),
        ("wand:execute", {"create_project", "distribute_task", "manage_tasks"}),
        ("wand:admin", {"scale_agents"}),
    ],
)
def test_a_scope_opens_those_that_it_should(granted: str, opens: set[str]) -> None:
    described = [entry.description for entry in projects.entries(FakeTasks())]
    assert {one.name for one in described if scopes.may_call(frozenset({granted}), one)} == opens


@pytest.mark.parametrize(
    ("uri", "asked", "has"),
    [
        ("wand://tasks/t1", ("task", "t1"), ("state", "running")),
        ("wand://projects/my%20web", ("project", "my web"), ("over", 0)),
        ("wand://agents", ("agents",), ("queued", 2)),
    ],
)
async def test_they_are_resources_which_can_be_watched(
    uri: str, asked: tuple[str, ...], has: tuple[str, object]
) -> None:
    tasks = FakeTasks(shown=[TASK, replace(TASK, done=2)], stands=[PROJECT, replace(PROJECT, over=1)])
    resources = HostResources(FakeHost(), taskresources.rooms(tasks))
    content = await resources.read(uri, call())
    before = await resources.state(uri, call())
    same = await resources.state(uri, call())
    await tasks.changed(1)

    assert tasks.asked[0] == asked
    assert json.loads(content.data)[has[0]] == has[1]
    assert before == same
    assert (await resources.state(uri, call()) == before) == (uri == "wand://agents")


async def test_what_is_below_the_agents_is_no_resource() -> None:
    with pytest.raises(NotFound):
        await HostResources(FakeHost(), taskresources.rooms(FakeTasks())).read("wand://agents/x", call())
