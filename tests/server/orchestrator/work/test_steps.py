"""Steps are carried out in their order, once, and say what came of them."""

import asyncio
import json
import time
from typing import Any

import pytest

from support.work import Diary, Lost, Shelf, around, call, ref, step, steps
from wand_server.orchestrator.work.around import Outcome
from wand_server.orchestrator.work.carrying import carry_out

PUT = step("put", "put", name="x", text="y")


async def done(shelf: Shelf, *some: dict[str, Any], **fields: Any) -> Outcome:
    async with asyncio.timeout(60):
        return await carry_out(steps(*some, **fields), around(shelf))


async def test_results_of_a_step_go_into_a_later_one() -> None:
    shelf = Shelf({"a": "b", "b": "deep"})
    outcome = await done(
        shelf,
        step("one", "get", name="a"),
        step("two", "get", name=ref("one.result.text")),
        result=ref("two.text"),
    )
    assert (outcome.state, outcome.result) == ("done", '{"name": "b", "text": "deep"}')
    assert outcome.steps == {"one": "done", "two": "done"}


async def test_what_a_tool_gave_back_is_never_read_as_a_reference() -> None:
    shelf = Shelf({"a": '{"$from": "one.failed"}'})
    await done(shelf, step("one", "get", name="a"), step("two", "put", name="c", text=ref("one.result.text")))
    assert shelf.texts["c"] == '{"$from": "one.failed"}'


async def test_texts_are_joined_and_gaps_are_filled() -> None:
    shelf = Shelf({"a": "b"})
    text = {
        "$text": ["<", ref("one.result.text"), ">", ref("one.failed"), ref("one.result.none", **{"$else": 7})]
    }
    await done(shelf, step("one", "get", name="a"), step("two", "put", name="c", text=text))
    assert shelf.texts["c"] == "<b>false7"


async def test_a_short_task_makes_no_endless_text_of_a_long_result() -> None:
    shelf = Shelf({"a": "x" * 150_000})
    for many in ({"$text": [ref("one.result.text")] * 60}, [ref("one.result.text")] * 60):
        outcome = await done(shelf, step("one", "get", name="a"), result=many)
        assert outcome.state == "failed"
        assert "has more than 8,388,608 characters" in str(outcome.error)


async def test_a_star_is_each_of_a_list() -> None:
    shelf = Shelf({"a": "1\n", "b": "2\n"})
    each = step("each", "get", name={"$item": ""}, for_each=["a", "b"])
    all_of_them = ref("each.result.*.text")
    note = step("note", "put", name="c", text={"$text": ["<", all_of_them, ">"]})
    outcome = await done(shelf, each, note, result=all_of_them)
    assert (outcome.result, outcome.text, shelf.texts["c"]) == (["1\n", "2\n"], "1\n2", "<1\n2>")
    missing = await done(shelf, each, step("bad", "get", name=ref("each.result.*.txt")))
    assert "each.result.0 has no 'txt'" in str(missing.error)


async def test_reads_run_together_and_changes_wait() -> None:
    shelf = Shelf()
    reads = [step(f"r{n}", "names") for n in range(3)]
    await done(shelf, *reads)
    assert shelf.most_at_once == 3
    alone = Shelf()
    await done(alone, PUT, *[step(f"a{n}", "add", name="x", text=str(n)) for n in range(9)])
    assert (alone.texts["x"], alone.most_at_once) == ("y012345678", 1)


async def test_changes_that_need_not_wait_run_together_as_far_as_permitted() -> None:
    some = [step(f"a{n}", "add", name=str(n), text="x", after=[]) for n in range(9)]
    shelf, two = Shelf(), Shelf()
    await done(shelf, *some, at_once=9)
    await done(two, *some, at_once=2)
    assert (shelf.most_at_once, two.most_at_once) == (9, 2)


async def test_a_failure_ends_it_and_names_the_step() -> None:
    shelf = Shelf()
    outcome = await done(shelf, step("bad", "add", name="denied", text="x"), PUT)
    assert (outcome.state, outcome.steps) == ("failed", {"bad": "failed", "put": "not begun"})
    assert outcome.error is not None
    assert (type(outcome.error).__name__, outcome.error.field) == ("Denied", "steps.bad")
    assert outcome.error.hint == "get is permitted"
    assert shelf.texts == {}


async def test_a_failure_that_may_be_is_passed_over_and_can_be_asked_about() -> None:
    shelf = Shelf()
    outcome = await done(
        shelf,
        step("try", "get", name="gone", on_error="continue"),
        step("mend", "put", name="gone", text=ref("try.text"), when=ref("try.failed")),
        step("cheer", "put", name="well", text="x", when={"not": ref("try.failed")}),
    )
    assert (outcome.state, outcome.steps) == ("done", {"try": "failed", "mend": "done", "cheer": "skipped"})
    assert shelf.texts["gone"].startswith("NotFound: name: there is no gone")


async def test_what_refers_to_a_skipped_step_is_skipped() -> None:
    never = {"equals": [1, True]}
    outcome = await done(
        Shelf({"x": "y"}),
        step("no", "get", name="x", when=never),
        step("nor", "get", name=ref("no.result.text")),
        step("each", "get", name="x", for_each=ref("no.result.text")),
        step("yes", "get", name=ref("no.result.text", **{"$else": "x"})),
    )
    assert outcome.steps == {"no": "skipped", "nor": "skipped", "each": "skipped", "yes": "done"}


async def test_a_reference_that_leads_nowhere_fails_the_step_and_says_what_there_is() -> None:
    outcome = await done(Shelf(), PUT, step("two", "get", name=ref("put.result.txt")))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.field) == ("failed", "steps.two")
    assert "there are: name, text" in outcome.error.message


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"equals": [ref("put.result.text"), "y"]}, True),
        ({"equals": [1, 1.0]}, True),
        ({"equals": [0, False]}, False),
        ({"equals": [{"a": [1, 0.0]}, {"a": [1.0, 0]}]}, True),
        ({"equals": [{"a": [1]}, {"a": [True]}]}, False),
        ({"contains": [[[0]], [False]]}, False),
        ({"contains": [ref("put.text"), '"y"']}, True),
        ({"contains": [["a", "b"], "c"]}, False),
        ({"contains": [ref("put.result"), "name"]}, True),
        ({"less": [1, 2.5]}, True),
        ({"less": ["b", "a"]}, False),
        ({"exists": ref("put.result.text")}, True),
        ({"exists": ref("put.result.none")}, False),
        ({"all": [{"equals": [1, 1]}, {"equals": [1, 2]}]}, False),
        ({"any": [{"equals": [1, 1]}, {"equals": [1, 2]}]}, True),
        ({"not": ref("put.skipped")}, True),
    ],
)
async def test_a_condition_holds_or_not(condition: dict[str, Any], *, holds: bool) -> None:
    outcome = await done(Shelf(), PUT, step("two", "names", when=condition))
    assert outcome.steps["two"] == ("done" if holds else "skipped")


@pytest.mark.parametrize("condition", [{"less": [1, "a"]}, {"contains": [3, 4]}, ref("put.text")])
async def test_what_cannot_be_compared_fails(condition: dict[str, Any]) -> None:
    outcome = await done(Shelf(), PUT, step("two", "names", when=condition))
    assert (outcome.state, outcome.steps["two"]) == ("failed", "failed")


async def test_a_step_that_ends_otherwise_than_expected_has_failed() -> None:
    shelf = Shelf()
    expects = {"equals": [ref("put.result.text"), "z"]}
    outcome = await done(shelf, {**PUT, "expect": expects}, step("two", "names"))
    assert (outcome.state, outcome.steps) == ("failed", {"put": "failed", "two": "not begun"})
    assert (await done(Shelf(), {**PUT, "expect": {"not": expects}})).state == "done"


async def test_a_step_is_done_for_each_item() -> None:
    shelf = Shelf({"a": "1", "b": "2", "c": "3"})
    outcome = await done(
        shelf,
        step("list", "names"),
        step("read", "get", name={"$item": ""}, for_each=ref("list.result.names"), at_once=2),
        step("odd", "put", name="odd", text={"$item": "text"}, for_each=ref("read.result"),
             when={"not": {"equals": [{"$item": "text"}, "2"]}}),
        result=ref("read.result.1.text"),
    )  # fmt: skip
    assert (outcome.result, outcome.text) == ("2", "2")
    assert (shelf.most_at_once, shelf.texts["odd"]) == (2, "3")


async def test_items_after_one_that_failed_are_left_unless_it_may_fail() -> None:
    shelf = Shelf()
    names = ["a", "denied", "b"]
    each = step("each", "put", name={"$item": ""}, text="x", for_each=names)
    outcome = await done(shelf, each)
    assert (outcome.state, list(shelf.texts)) == ("failed", ["a"])
    assert (await done(shelf, {**each, "on_error": "continue"})).state == "done"
    assert list(shelf.texts) == ["a", "b"]


async def test_more_items_than_permitted_fail_before_the_first() -> None:
    shelf = Shelf({"a": "", "b": ""})
    each = step("each", "put", name={"$item": ""}, text="x", for_each=ref("list.result.names"), at_most=1)
    outcome = await done(shelf, step("list", "names"), each)
    assert outcome.error is not None
    assert (type(outcome.error).__name__, outcome.error.field) == ("Invalid", "steps.each.for_each")
    assert shelf.texts == {"a": "", "b": ""}


# -- after a restart -----------------------------------------------------------------------------------------


async def crashed(shelf: Shelf, work: dict[str, Any], lose_after: str) -> Diary:
    """What is kept of an attempt that died when that act was done and not yet written down."""
    diary = Diary(lose_after=lose_after)
    with pytest.raises(Lost):
        await carry_out(work, around(shelf, diary))
    return Diary(diary.ended_, diary.begun)


async def test_what_had_ended_before_a_restart_is_not_done_again() -> None:
    shelf = Shelf()
    work = steps(step("one", "add", name="x", text="1"), step("two", "get", name="x"), step("three", "names"))
    outcome = await carry_out(work, around(shelf, await crashed(shelf, work, "two")))
    assert (outcome.state, shelf.texts["x"]) == ("done", "1")
    assert sorted(name for name, _ in shelf.called) == ["add", "get", "get", "names"]


async def test_what_began_before_a_restart_and_may_not_be_repeated_is_ambiguous() -> None:
    shelf = Shelf()
    work = steps(step("one", "add", name="x", text="1"), step("two", "names"))
    diary = await crashed(shelf, work, "one")
    outcome = await carry_out(work, around(shelf, diary))
    assert (outcome.state, outcome.unknown, shelf.texts["x"]) == ("ambiguous", ("one",), "1")
    assert outcome.steps == {"one": "ambiguous", "two": "not begun"}
    again = await carry_out(work, around(shelf, diary))
    assert (again.state, shelf.texts["x"]) == ("ambiguous", "1")


async def test_what_may_be_repeated_is_done_again_after_a_restart() -> None:
    shelf = Shelf()
    outcome = await carry_out(steps(PUT), around(shelf, await crashed(shelf, steps(PUT), "put")))
    assert (outcome.state, len(shelf.called)) == ("done", 2)


async def test_an_item_that_was_lost_is_named() -> None:
    shelf = Shelf()
    work = steps(step("each", "add", name={"$item": ""}, text="x", for_each=["a", "b"], on_error="continue"))
    diary = Diary(begun={"each[0]": False})
    outcome = await carry_out(work, around(shelf, diary))
    assert (outcome.state, outcome.unknown, shelf.texts) == ("ambiguous", ("each[0]",), {"b": "x"})


async def test_a_tool_that_does_not_know_whether_it_was_done_makes_it_ambiguous() -> None:
    outcome = await done(Shelf(), step("one", "add", name="ambiguous", text="x", on_error="continue"), PUT)
    assert (outcome.state, outcome.unknown) == ("ambiguous", ("one",))
    assert outcome.steps == {"one": "ambiguous", "put": "done"}


async def test_what_waits_for_approval_goes_on_when_it_is_given() -> None:
    shelf, diary = Shelf(), Diary()
    work = steps(PUT, step("ask", "add", name="approval", text="x"), step("last", "names"))
    outcome = await carry_out(work, around(shelf, diary))
    assert (outcome.state, outcome.steps["ask"], outcome.steps["last"]) == ("waits", "waits", "not begun")
    assert "approve yes ab12" in outcome.text
    shelf.approved = True
    again = await carry_out(work, around(shelf, diary))
    assert (again.state, [name for name, _ in shelf.called]) == ("done", ["put", "add", "add", "names"])


# -- an end that comes before its own ----------------------------------------------------------------------


async def test_a_deadline_ends_what_runs_and_names_what_may_have_been_done() -> None:
    shelf = Shelf()
    work = steps(step("block", "block", name="x"), PUT)
    outcome = await carry_out(work, around(shelf, deadline=time.monotonic() + 0.05))
    assert (outcome.state, outcome.unknown, shelf.texts) == ("failed", ("block",), {})


async def test_a_deadline_ends_it_and_what_only_reads_is_not_unknown() -> None:
    shelf = Shelf()
    outcome = await carry_out(
        steps(step("wait", "wait", name="x")), around(shelf, deadline=time.monotonic() + 0.05)
    )
    assert outcome.error is not None
    assert (outcome.state, type(outcome.error).__name__, outcome.unknown) == ("failed", "TimedOut", ())


async def test_nothing_begins_once_the_deadline_is_over() -> None:
    shelf = Shelf()
    outcome = await carry_out(steps(PUT), around(shelf, deadline=time.monotonic()))
    assert (outcome.state, shelf.called) == ("failed", [])


async def test_whoever_ends_the_attempt_leaves_the_act_begun() -> None:
    shelf, diary = Shelf(), Diary()
    run = asyncio.create_task(carry_out(steps(step("block", "block", name="x")), around(shelf, diary)))
    await shelf.waiting.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (diary.begun, diary.ended_, shelf.at_once) == ({"block": False}, {}, 0)


async def test_what_a_caller_lost_meanwhile_is_not_done() -> None:
    shelf = Shelf()
    work = steps(PUT, step("add", "add", name="x", text="z"))
    shelf.tools = tuple(tool for tool in shelf.tools if tool.name != "add")
    outcome = await carry_out(work, around(shelf))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.field, shelf.called) == ("failed", "steps.add.tool", [])


async def test_the_caller_hears_of_each_step() -> None:
    heard: list[tuple[float, float | None, str]] = []

    async def progress(*told: Any) -> None:
        heard.append(told)

    await carry_out(steps(PUT, step("two", "names")), around(Shelf(), call=call(progress=progress)))
    assert heard == [(1, 2, "put: done"), (2, 2, "two: done")]


async def test_what_is_too_long_to_keep_is_left_out_and_says_so() -> None:
    long = step("long", "put", name="x", text="ä" * 200_000)
    shelf, diary = Shelf({"x": "ä" * 200_000}), Diary()
    outcome = await carry_out(
        steps(step("long", "get", name="x"), step("two", "names")), around(shelf, diary)
    )
    assert outcome.state == "done"
    assert len(json.dumps(diary.ended_["long"])) < 300_000
    assert "left_out" in diary.ended_["long"]["result"]
    each = step("each", "get", name="y", for_each=list(range(50)))
    many = await carry_out(steps(each), around(Shelf({"y": "z" * 10_000})))
    assert (many.state, many.result["left_out"][-4:]) == ("done", "kept")
    assert (await done(Shelf(), long)).error is not None
