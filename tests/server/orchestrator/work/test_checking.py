"""A task is checked whole before it is accepted, and what is wrong is named."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from support.host import FakeHost
from support.tree import ROOT
from support.work import ANN, Shelf, ref, step, steps
from wand_proto.errors import Invalid
from wand_server.model import Principal, ToolDescription
from wand_server.orchestrator.work.checking import check
from wand_server.orchestrator.work.narrowing import HANDS_OUT
from wand_server.tools.registry import Registry

GET = step("a", "get", name="x")


def refused(work: dict[str, Any], **fields: Any) -> Invalid:
    with pytest.raises(Invalid) as wrong:
        check(work, Shelf(), fields.pop("principal", ANN), **fields)
    return wrong.value


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("neither", {}, "work", "neither"),
    ("both", {"steps": [GET], "goal": "x"}, "work", "both"),
    ("no steps", {"steps": []}, "steps", "must not be empty"),
    ("an unknown field", steps({**GET, "iff": 1}), "steps[0].iff", "there is no such argument"),
    ("an id that is none", steps({**GET, "id": "A b"}), "steps[0].id", "must match"),
    ("an id twice", steps(GET, GET), "steps.a.id", "two steps"),
    ("no such tool", steps(step("a", "gett", name="x")), "steps.a.tool", "did you mean get?"),
    ("no such argument", steps(step("a", "get", nme="x")), "steps.a.arguments.name", "is missing"),
    ("an argument of another type", steps(step("a", "get", name=3)), "steps.a.arguments.name", "string"),
    (
        "an argument out of bounds",
        steps(step("a", "get", name="x", copies=10)),
        "steps.a.arguments.copies",
        "9",
    ),
    (
        "a text for a number",
        steps(step("a", "get", name="x", copies={"$text": ["1"]})),
        "steps.a.arguments.copies",
        "not a text",
    ),
    ("an unknown step", steps(step("a", "get", name=ref("b.text"))), "steps.a.arguments.name", "no step 'b'"),
    (
        "an unknown part",
        steps(step("a", "get", name=ref("a.entries"))),
        "steps.a.arguments.name.$from",
        "a.result",
    ),
    (
        "a form that is none",
        steps(step("a", "get", name={"$form": "x"})),
        "steps.a.arguments.name",
        "$literal",
    ),
    (
        "a form with more",
        steps(step("a", "get", name={"$text": ["x"], "y": 1})),
        "steps.a.arguments.name",
        "$text",
    ),
    ("an item of nothing", steps(step("a", "get", name={"$item": ""})), "steps.a.arguments.name", "for_each"),
    (
        "an item in for_each",
        steps(step("a", "get", name="x", for_each={"$item": ""})),
        "steps.a.for_each",
        "no item",
    ),
    ("no list", steps(step("a", "get", name="x", for_each="abc")), "steps.a.for_each", "must be a list"),
    (
        "too many items",
        steps(step("a", "get", name="x", for_each=[1, 2], at_most=1)),
        "steps.a.for_each",
        "at_most",
    ),
    (
        "after an unknown step",
        steps(step("a", "get", name="x", after=["b"])),
        "steps.a.after[0]",
        "no step 'b'",
    ),
    (
        "a condition that is none",
        steps(step("a", "get", name="x", when={"like": [1, 2]})),
        "steps.a.when.like",
        "equals",
    ),
    (
        "a condition of three",
        steps(step("a", "get", name="x", when={"equals": [1, 2, 3]})),
        "steps.a.when.equals",
        "the two",
    ),
    (
        "an unknown step in a condition",
        steps(step("a", "get", name="x", when={"not": ref("b.failed")})),
        "steps.a.when.not",
        "no step 'b'",
    ),
    ("a result of nothing", steps(GET, result=ref("b.text")), "result", "no step 'b'"),
    ("a tool that nobody has", steps(GET, tools=["gett"]), "tools[0]", "did you mean get?"),
    ("a tool beyond its own list", steps(GET, tools=["names"]), "steps.a.tool", "there are: names"),
    ("no tools at all", steps(GET, tools=[]), "steps.a.tool", "fewer tools"),
    (
        "a change in what only reads",
        steps(step("a", "put", name="x", text="y"), read_only=True),
        "steps.a.tool",
        "get",
    ),
    ("an empty goal", {"goal": ""}, "goal", "must not be empty"),
    ("a goal without turns", {"goal": "x", "turns": 0}, "turns", "at least 1"),
]


@pytest.mark.parametrize(
    ("work", "field", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_what_is_wrong_is_named_with_its_place(work: dict[str, Any], field: str, said: str) -> None:
    wrong = refused(work)
    assert wrong.field == field
    assert said in f"{wrong.message} {wrong.hint}"


def test_of_a_list_whose_only_item_is_wrong_it_is_not_said_that_it_is_empty() -> None:
    assert "empty" not in refused(steps({**GET, "id": "A b"})).message


def test_steps_that_wait_for_each_other_are_named() -> None:
    first = step("first", "get", name=ref("third.text"))
    wrong = refused(
        steps(first, step("second", "get", name="x"), step("third", "get", name=ref("first.text")))
    )
    assert "first for third for first" in wrong.message


def test_a_step_that_refers_to_a_later_one_says_that_it_need_not_wait() -> None:
    early = step("early", "get", name=ref("late.text"))
    late = step("late", "put", name="x", text="y")
    assert 'it says "after"' in refused(steps(early, late)).hint
    check(steps(early, {**late, "after": []}), Shelf(), ANN)


def test_what_a_caller_may_not_call_is_no_step_either() -> None:
    reader = Principal(name="bob", means="api_key", scopes=frozenset({"wand:read"}))
    assert refused(steps(step("a", "add", name="x", text="y")), principal=reader).field == "steps.a.tool"
    check(steps(GET), Shelf(), reader)


def test_what_hands_out_tasks_can_be_withheld() -> None:
    more = steps(step("a", "distribute_task", name="x"))
    check(more, Shelf(), ANN)
    assert refused(more, withheld=HANDS_OUT).field == "steps.a.tool"


def test_data_that_looks_like_a_form_is_written_as_it_is() -> None:
    check(steps(step("a", "get", name={"$literal": "x"})), Shelf(), ANN)
    assert (
        refused(steps(step("a", "get", name={"$literal": {"$from": "x"}}))).field == "steps.a.arguments.name"
    )


def test_a_task_without_tools_may_not_call_one_that_is_in_no_list_either() -> None:
    class Hiding(Shelf):
        def unlisted(self, name: str) -> ToolDescription | None:
            return replace(self.tools[0], name="hidden") if name == "hidden" else None

    hidden = step("a", "hidden", name="x", text="y")
    check(steps(hidden), Hiding(), ANN)
    check(steps(hidden, tools=["hidden"]), Hiding(), ANN)
    for tools in ([], ["get"]):
        with pytest.raises(Invalid):
            check(steps(hidden, tools=tools), Hiding(), ANN)


def test_steps_that_came_as_a_text_are_bounded_too() -> None:
    deep = "[" * 500 + "]" * 500
    given = f'[{{"id": "a", "tool": "get", "arguments": {{"name": {deep}}}}}]'
    assert "deeper" in refused({"steps": given}).message


def test_a_task_is_bounded_in_depth_and_in_size() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    assert "deeper" in refused(steps(GET, result=deep)).message
    assert "bytes" in refused(steps(GET, result="x" * 300_000)).message


EXAMPLES = re.findall(
    r"^```json\n(.*?)^```", (ROOT / "docs/reference/work.md").read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_are_taken(example: str) -> None:
    check(json.loads(example), Registry(FakeHost()), ANN)
