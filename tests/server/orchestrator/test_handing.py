"""Tasks as somebody hands them out: read whole, checked against the tools, made into what is kept."""

import time
from dataclasses import replace
from typing import Any

import pytest

from support.agents import ANN
from support.host import call
from support.tools import FakeTools, described
from wand_proto.errors import WandError
from wand_server.model import Call
from wand_server.orchestrator.handing import Around, Inbox, withheld_from
from wand_server.orchestrator.work import form
from wand_server.ports import NewTask
from wand_server.storage import checking

TOOLS = FakeTools(
    tools=(
        described("echo"),
        described("change", read_only=False, toolset="files"),
        described("distribute_task", read_only=False),
        described("manage_tasks", read_only=False),
    )
)
ECHO = {"steps": [{"tool": "echo", "arguments": {"text": "x"}}]}


def read(*tasks: dict[str, Any], asked: Call | None = None, project: str = "") -> tuple[NewTask, ...]:
    asked = asked or call()._replace(principal=ANN)
    return Inbox(tools=TOOLS).read(asked, tasks, project)


def test_what_it_says_beside_its_work_is_kept_and_its_work_as_it_is() -> None:
    (task,) = read({
        **ECHO, "title": "t", "key": "k", "priority": 5, "attempts": 7, "repeatable": True, "needs": ["gpu"],
        "labels": {"a": "b"}, "keep_days": 1, "deadline_seconds": 60, "delay_seconds": 5, "read_only": True,
    }, project="p1")  # fmt: skip
    now = time.time()

    assert (task.title, task.key, task.priority, task.retries.most_attempts) == ("t", "k", 5, 7)
    assert (task.may_repeat, set(task.needs), dict(task.labels)) == (True, {"gpu"}, {"a": "b"})
    assert (task.project, task.keep_seconds, task.principal) == ("p1", 86400.0, ANN)
    assert task.deadline is not None
    assert 50 < task.deadline - now <= 60
    assert 0 < task.not_before - now <= 5
    assert task.work == {"steps": [{"id": "step-1", **ECHO["steps"][0]}], "read_only": True}


def test_it_waits_for_those_before_it_by_their_keys_and_for_others_by_their_ids() -> None:
    other = "11111111-1111-4111-8111-111111111111"
    first, second = read({**ECHO, "key": "a"}, {**ECHO, "after": ["a", other, "a"]})

    assert second.depends_on == (first.id, other)


def test_a_key_means_a_task_of_the_call_before_one_of_before() -> None:
    around = Around(there={"a": "a-of-before", "b": "b-of-before"})
    first, second = Inbox(tools=TOOLS).read(
        call()._replace(principal=ANN), [{**ECHO, "key": "a"}, {**ECHO, "after": ["a", "b"]}], "", around
    )

    assert second.depends_on == (first.id, "b-of-before")


@pytest.mark.parametrize(
    ("task", "field", "said"),
    [
        ({}, "tasks[1].work", "must have either steps or a goal, and has neither"),
        ({**ECHO, "goal": "x"}, "tasks[1].work", "has both"),
        ({**ECHO, "priority": 101}, "tasks[1].priority", "at most 100"),
        ({**ECHO, "after": ["z"]}, "tasks[1].after", "'z' is no task"),
        ({**ECHO, "scopes": ["wand:admin"]}, "tasks[1]", "needs the scope wand:admin"),
        ({"steps": [{"tool": "ecoh"}]}, "tasks[1].steps.step-1.tool", "did you mean echo?"),
        ({"steps": [{"tool": "change"}], "scopes": ["wand:read"]}, "tasks[1].steps.step-1.tool", "change"),
        ({"steps": [{"tool": "change"}], "read_only": True}, "tasks[1].steps.step-1.tool", "change"),
        ({**ECHO, "colour": "red"}, "tasks[1].colour", "there is no such field"),
        ({"tool": "echo", "arguments": {}}, "tasks[1].tool", "it stands in a step"),
        ({"steps": [{"tool": "echo", "text": "x"}]}, "tasks[1].steps[0].text", "text: there is no such"),
        ({**ECHO, "project": "site"}, "tasks[1].project", "project stands beside tasks"),
        ({**ECHO, "title": "two\nlines"}, "tasks[1].title", "one line of printable characters"),
        ({**ECHO, "needs": ["gpu", "two words"]}, "tasks[1].needs[1]", "must be 1 to 64 of letters"),
        ({**ECHO, "needs": ["gpu"] * 33}, "tasks[1].needs", "at most 32 items"),
        ({**ECHO, "labels": {"team": "a\0"}}, "tasks[1].labels.team", "one line of printable characters"),
        ({**ECHO, "after": ["z"] * 101}, "tasks[1].after", "at most 100 items"),
    ],
)
def test_what_is_wrong_is_named_with_the_task_in_which_it_stands(
    task: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(WandError) as refused:
        read(ECHO, task)

    assert refused.value.field == field
    assert said in str(refused.value)
    assert str(refused.value).count(field) == 1


@pytest.mark.parametrize(
    ("goal", "title"),
    [
        ("می\u200cخواهم بنویسم", "می\u200cخواهم بنویسم"),
        ("ship it \U0001f469\u200d\U0001f4bb", "ship it \U0001f469\u200d\U0001f4bb"),
        ("a\u200b\ufeff\x00\x1b[1m goal\n\nof lines", "a[1m goal of lines"),
    ],
)
def test_a_goal_in_any_script_gives_a_title_that_can_be_kept(goal: str, title: str) -> None:
    (task,) = read({"goal": goal})

    assert task.title == title
    assert checking.tasks([task], time.time()) == (task,)


def within(above: dict[str, Any], *tasks: dict[str, Any]) -> tuple[NewTask, ...]:
    asked = call()._replace(principal=ANN, task="parent")
    return Inbox(tools=TOOLS).read(asked, tasks, "", Around(form.read({"goal": "x", **above})))


def test_a_task_of_a_task_may_call_no_tool_that_this_one_may_not() -> None:
    own = {"tools": ["distribute_task", "echo"]}
    change = {"steps": [{"tool": "change"}]}
    for wish in ({}, {"tools": ["change"]}, {"tools": ["files"]}, {"tools": ["echo", "change"]}):
        with pytest.raises(WandError, match=r"change|files"):
            within(own, {**change, **wish})
    silent, fewer = within(own, ECHO, {**ECHO, "tools": ["echo"]})
    assert (silent.work["tools"], fewer.work["tools"]) == (["distribute_task", "echo"], ["echo"])
    (by_set,) = within({"tools": ["files"]}, {**change, "tools": ["change"]})
    assert by_set.work["tools"] == ["change"]
    assert "tools" not in within({}, change)[0].work
    with pytest.raises(WandError, match="change"):
        within({"read_only": True}, change)
    with pytest.raises(WandError, match="list of names"):
        within(own, {**ECHO, "tools": '["change"]'})


def test_a_task_of_a_task_hands_nothing_out_and_is_its_child() -> None:
    inside = call()._replace(principal=replace(ANN, scopes=ANN.scopes | {"wand:execute"}), task="parent")
    (task,) = read(ECHO, asked=inside)

    assert task.parent == "parent"
    for tool in ("distribute_task", "manage_tasks"):
        with pytest.raises(WandError, match=tool):
            read({"steps": [{"tool": tool}]}, asked=inside)
    assert {"distribute_task", "create_project", "manage_tasks"} <= withheld_from(is_child=True)
    assert withheld_from(is_child=False) == frozenset()
