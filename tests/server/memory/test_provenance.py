"""What was taken from a tool's result is known by its words, so much of them, and no more is kept."""

import pytest

from wand_server.memory import ranking
from wand_server.memory.provenance import Seen, is_trusted

RESULT = "From a page:\n\tThe quick   brown-fox jumps over the lazy dog.\nYours"


@pytest.mark.parametrize(
    ("note", "found"),
    [
        ("Remember: the quick brown fox jumps over the lazy dog", "web_search"),
        ("THE QUICK BROWN FOX, JUMPS!", "web_search"),
        ("the lazy dog", "web_search"),
        ("quick brown", ""),
        ("The brown fox quickly jumps over a lazy cat", ""),
        ("he quick brown fox jumps over", ""),
        ("", ""),
    ],
)
def test_a_run_of_words_is_known_again(note: str, found: str) -> None:
    seen = Seen()
    seen.told("ann", "web_search", RESULT)
    assert seen.tool_that_told("ann", note) == found
    assert seen.tool_that_told("bob", note) == ""


def test_the_newest_result_is_named_and_the_oldest_are_let_go() -> None:
    seen = Seen()
    seen.told("ann", "first", "one two three four five six seven")
    for number in range(40):
        seen.told("ann", f"tool{number}", "alpha beta gamma delta epsilon zeta" + "." * 1000)
    assert seen.tool_that_told("ann", "one two three four five six") == ""
    assert seen.tool_that_told("ann", "alpha beta gamma delta epsilon zeta") == "tool39"


@pytest.mark.parametrize(("source", "trusted"), [(" Person ", True), ("the user", True), ("persona", False)])
def test_a_person_is_known_by_that_word(source: str, *, trusted: bool) -> None:
    assert is_trusted(source) is trusted


def test_what_stands_high_in_several_rankings_comes_first() -> None:
    assert ranking.joined([["a", "b", "c"], ["c", "b"]]) == ["c", "b", "a"]
    assert ranking.joined([["a"], []]) == ["a"]
    assert ranking.joined([]) == []
