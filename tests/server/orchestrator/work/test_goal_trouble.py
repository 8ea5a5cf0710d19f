"""A goal survives servers that fail, and goes on after a restart."""

from typing import Any

import pytest

from support.modelserver import Broken, Refused, Said, calls, says, text, use
from support.work import KEY, Diary, Lost, Shelf, around, goal, reached, results
from wand_server.orchestrator.work.carrying import carry_out

SLOW = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
LONG = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"}}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


# -- servers that fail -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "trouble"),
    [
        ("anthropic", Refused(529, OVERLOADED)),
        ("anthropic", Refused(429, SLOW, {"retry-after": "0"})),
        ("anthropic", Refused(503, "<html>")),
        ("anthropic", Broken(Said([text("half")]), 4, OVERLOADED["error"])),
        ("anthropic", Broken(Said([text("half")]), 4)),
        ("anthropic", Broken(Said([text("half")]), 0)),
        ("chat", Refused(429, {"error": {"message": "slow"}})),
        ("chat", Broken(Said([text("half")]), 2, {"message": "server_error"})),
        ("chat", Broken(Said([text("half")]), 2)),
        ("ollama", Refused(500, {"error": "model runner has unexpectedly stopped"})),
        ("ollama", Broken(Said([text("half")]), 1, "an error was encountered")),
        ("ollama", Broken(Said([text("half")]), 1)),
    ],
)  # fmt: skip
async def test_a_model_that_fails_in_passing_is_asked_again(form: str, trouble: Any) -> None:
    shelf = Shelf()
    outcome, server = await reached(
        shelf, calls(use("add", name="x", text="y")), trouble, trouble, says("Done."), form=form
    )
    assert (outcome.state, outcome.result, shelf.texts) == ("done", "Done.", {"x": "y"})
    assert (len(server.asked), server.asked[1]["messages"]) == (4, server.asked[3]["messages"])


async def test_a_server_that_stays_overloaded_fails_the_attempt_which_may_be_made_later() -> None:
    outcome, server = await reached(Shelf(), *[Refused(529, OVERLOADED)] * 9)
    assert (outcome.state, type(outcome.error).__name__, outcome.may_pass) == ("failed", "Unavailable", True)
    assert len(server.asked) == 6


async def test_a_server_that_wants_more_patience_than_there_is_is_left_alone() -> None:
    outcome, server = await reached(Shelf(), Refused(429, SLOW, {"retry-after": "3600"}))
    assert outcome.error is not None
    assert (type(outcome.error).__name__, outcome.may_pass, len(server.asked)) == ("Exhausted", True, 1)
    assert outcome.after_seconds == 3600
    assert outcome.error.hint == "try again in 3600 s"


@pytest.mark.parametrize(
    ("trouble", "kind", "said"),
    [
        (Refused(401, {"error": {"type": "authentication_error", "message": KEY}}), "Denied", "[secret]"),
        (Refused(400, LONG), "Exhausted", "too long"),
        (Refused(400, {"error": {"type": "invalid_request_error", "message": "odd"}}), "Invalid", "odd"),
        (Refused(404, {"error": {"type": "not_found_error", "message": "model: m"}}), "NotFound", "model: m"),
        (Broken(says("x"), 1, {"type": "authentication_error", "message": "no"}), "Denied", "no"),
    ],
)  # fmt: skip
async def test_what_will_not_pass_is_not_asked_again(trouble: Any, kind: str, said: str) -> None:
    outcome, server = await reached(Shelf(), trouble)
    assert outcome.error is not None
    assert (outcome.state, type(outcome.error).__name__, len(server.asked)) == ("failed", kind, 1)
    assert not outcome.may_pass
    assert said in outcome.error.message
    assert "sk-ant-secret" not in f"{outcome.error}{outcome}"


async def test_without_a_model_a_goal_says_that_there_is_none() -> None:
    outcome = await carry_out(goal(), around(Shelf()))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.hint) == (
        "failed",
        "hand out steps, or have [model] added to the settings",
    )


# -- after a restart ---------------------------------------------------------------------------------------


async def crashed(shelf: Shelf, lose_after: str, *plays: Any) -> Diary:
    """What is kept of an attempt that died when that act was done and not yet written down."""
    diary = Diary(lose_after=lose_after)
    with pytest.raises(Lost):
        await reached(shelf, *plays, diary=diary)
    return Diary(diary.ended_, diary.begun, diary.transcript)


async def test_after_a_restart_a_goal_goes_on_where_it_was() -> None:
    shelf = Shelf()
    diary = await crashed(shelf, "t2.0", calls(use("add", name="x", text="y")), calls(use("get", name="x")))
    outcome, server = await reached(shelf, says("Done."), diary=diary)
    assert (outcome.state, shelf.texts["x"], outcome.usage.turns) == ("done", "y", 3)
    assert [name for name, _ in shelf.called] == ["add", "get", "get"]
    assert len(server.asked) == 1
    assert len(server.asked[0]["messages"]) == 5


async def test_a_call_that_had_begun_is_told_as_unknown_and_not_made_again() -> None:
    shelf = Shelf()
    two = calls(use("add", name="x", text="1"), use("add", name="y", text="22"))
    diary = await crashed(shelf, "t1.0", two)
    outcome, server = await reached(shelf, says("I looked: it is there."), diary=diary)
    assert (outcome.state, outcome.unknown, shelf.texts) == ("done", ("t1.0",), {"x": "1", "y": "22"})
    told = results(server)
    assert told[0][1] is True
    assert "not known" in told[0][0]
    assert told[1][1] is False
    again, _ = await reached(shelf, diary=Diary(diary.ended_, diary.begun, diary.transcript))
    assert (again.state, again.unknown) == ("done", ("t1.0",))


async def test_a_goal_that_waits_for_a_person_goes_on_when_they_have_said_yes() -> None:
    shelf, diary = Shelf(), Diary()
    asked = [("add", "x"), ("add", "approval"), ("get", "approval")]
    some = calls(*(use(tool, name=name, **({"text": "22"} if tool == "add" else {})) for tool, name in asked))
    outcome, _ = await reached(shelf, some, diary=diary)
    assert (outcome.state, shelf.texts) == ("waits", {"x": "22"})
    assert [tool for tool, _ in shelf.called] == ["add", "add"]  # what comes after it may build on it
    assert "approve yes ab12" in outcome.text
    shelf.approved = True
    again, _ = await reached(shelf, says("Done."), diary=diary)
    assert (again.state, shelf.texts) == ("done", {"x": "22", "approval": "22"})
    assert [tool for tool, _ in shelf.called] == ["add", "add", "add", "get"]


async def test_a_goal_that_was_given_up_can_be_tried_again() -> None:
    shelf, diary = Shelf(), Diary()
    await reached(shelf, calls(use("give_up", reason="no")), diary=diary)
    outcome, server = await reached(shelf, calls(use("put", name="x", text="y")), says("Done."), diary=diary)
    assert (outcome.state, shelf.texts) == ("done", {"x": "y"})
    assert "tried again" in server.asked[0]["messages"][-1]["content"][0]["content"]
