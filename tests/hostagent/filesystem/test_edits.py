"""Replacements in a text, all or none, and the difference that is shown."""

import pytest

from wand_hostagent.filesystem import edits
from wand_hostagent.filesystem.model import Replacement
from wand_hostagent.filesystem.refusal import Refused


def change(old: str, new: str, *, every: bool = False) -> Replacement:
    return Replacement(old_text=old, new_text=new, every=every)


@pytest.mark.parametrize(
    ("text", "replacements", "result"),
    [
        ("a b c", [change("b", "x")], "a x c"),
        ("a b b", [change("b", "x", every=True)], "a x x"),
        ("a b", [change("a", "b "), change("b  b", "z")], "z"),
        ("a\r\nb\r\n", [change("a\nb", "x\ny")], "x\r\ny\r\n"),
        ("a\r\nb\r\n", [change("a\r\nb", "x\r\ny\r\nz")], "x\r\ny\r\nz\r\n"),
        ("a\r\nb\n", [change("a\r\n", "x\n")], "x\nb\n"),
        ("\ufeffa\n", [change("a", "b")], "\ufeffb\n"),
        ("\ufeffa\n", [change("a\n", "")], "\ufeff"),
        ("no end", [change("end", "end\n")], "no end\n"),
        ("grüße", [change("ü", "y")], "gryße"),
    ],
)
def test_replacements_are_made_in_order_and_the_rest_stays(
    text: str, replacements: list[Replacement], result: str
) -> None:
    assert edits.apply(text, replacements) == result


@pytest.mark.parametrize(
    ("text", "replacements", "field", "says"),
    [
        ("a", [], "replacements", "at least one"),
        ("a", [change("", "x")], "replacements[0].old_text", "must not be empty"),
        ("a", [change("b", "x")], "replacements[0].old_text", "does not occur"),
        ("x\nb\nb c\nb", [change("b", "x")], "replacements[0].old_text", "occurs 3 times, on lines 2, 3, 4"),
        ("aaa", [change("aa", "x")], "replacements[0].old_text", "occurs 2 times, on lines 1, 1"),
        ("b\n" * 12, [change("b", "x")], "replacements[0].old_text", "9, 10 …; it must occur once"),
        ("a", [change("a", "b"), change("c", "d")], "replacements[1].old_text", "does not occur"),
        ("a", [change("a", "a")], "replacements", "change nothing"),
        ("a b", [change("a", "b "), change("b  b", "a b")], "replacements", "change nothing"),
        ("a" * 5000, [change("a", "b" * 1000, every=True)], "replacements[0].new_text", "larger than"),
    ],
)
def test_what_does_not_fit_is_named(
    text: str, replacements: list[Replacement], field: str, says: str
) -> None:
    with pytest.raises(Refused) as caught:
        edits.apply(text, replacements)

    assert (caught.value.kind, caught.value.field) == ("Invalid", field)
    assert says in caught.value.message


def test_a_text_that_is_nearly_there_gets_a_hint() -> None:
    with pytest.raises(Refused) as caught:
        edits.apply("one\n    two\nthree", [change("  two  \nthree", "x")])

    assert "its first line stands on line 2" in caught.value.hint


def test_a_difference_in_the_middle_of_a_long_file_has_its_line_numbers() -> None:
    lines = [f"line {number}\n" for number in range(1, 100_001)]
    changed = [*lines[:49_999], "changed\n", *lines[50_000:]]

    diff = edits.difference("".join(lines), "".join(changed), "/f")

    assert diff == (
        "--- /f\n+++ /f\n@@ -49997,7 +49997,7 @@\n line 49997\n line 49998\n line 49999\n"
        "-line 50000\n+changed\n line 50001\n line 50002\n line 50003\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("x\n" * 50_000, "y\n" * 50_000), ("x\n", "y" * 100_000), ("a\nb\n" * 999, "b\na\n" * 999)],
)
def test_a_difference_is_bounded(old: str, new: str) -> None:
    assert len(edits.difference(old, new, "/f")) < edits.DIFF_CHARACTERS + 200


def test_a_missing_line_end_is_told() -> None:
    assert edits.difference("a", "b", "/f").endswith(
        "-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    )
