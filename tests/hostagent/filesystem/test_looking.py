"""What listing a folder and searching in it finds."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem.model import Ask, Kind, List, Search


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        yield site


def test_a_list_is_in_order_and_never_follows_a_link(at: Site) -> None:
    at.put("b/inner/deep")
    at.put("a", "12345").chmod(0o600)
    at.put(".hidden")
    (at.work / "out").symlink_to(at.top / "outside")
    os.mkfifo(at.work / "pipe")

    answer = at.ask(List(path="", depth=2))

    assert [(each.path, each.kind) for each in answer.entries] == [
        ("a", Kind.FILE), ("b", Kind.DIRECTORY), ("b/inner", Kind.DIRECTORY),
        ("out", Kind.LINK), ("pipe", Kind.OTHER),
    ]  # fmt: skip
    assert (answer.entries[0].bytes, answer.entries[0].mode) == (5, 0o600)
    assert answer.entries[3].target == str(at.top / "outside")
    assert not answer.truncated
    assert ".hidden" in [each.path for each in at.ask(List(path=".", hidden=True)).entries]


def test_a_list_is_bounded_and_says_so(at: Site) -> None:
    for number in range(9):
        at.put(f"f{number}")

    answer = at.ask(List(path="", max_entries=3))

    assert ([each.path for each in answer.entries], answer.truncated) == (["f0", "f1", "f2"], True)
    assert not at.ask(List(path="", max_entries=9)).truncated


def test_a_file_cannot_be_listed(at: Site) -> None:
    at.put("f")

    assert at.refused(List(path="f")).hint == "read_file reads a file"


def test_names_that_are_no_utf8_are_shown_safely(at: Site) -> None:
    Path(os.fsdecode(os.fsencode(at.work) + b"/caf\xe9")).write_text("x")

    assert [each.path for each in at.ask(List(path="")).entries] == ["caf\\xe9"]
    assert [each.path for each in at.ask(Search(path="", pattern="x")).matches] == ["caf\\xe9"]


def test_a_search_finds_lines_with_their_surroundings_in_order(at: Site) -> None:
    at.put("b.py", "one\nneedle here\r\nthree\n")
    at.put("a/c.py", "needle\n")
    at.put("a/c.txt", "needle\n")

    answer = at.ask(Search(path="", pattern="n[e]+dle", name_glob="*.py", context_lines=1))

    assert [(each.path, each.line, each.text, each.before, each.after) for each in answer.matches] == [
        ("a/c.py", 1, "needle", (), ()),
        ("b.py", 2, "needle here", ("one",), ("three",)),
    ]
    assert (answer.files_searched, answer.files_skipped) == (2, 0)


def test_a_search_leaves_out_heavy_folders_binaries_and_giants_and_counts_them(at: Site) -> None:
    at.put("node_modules/m.js", "needle")
    at.put("binary", b"needle\0")
    at.put("giant", b"needle" + b" " * 8 * 1024 * 1024)
    at.put("plain", "needle")

    answer = at.ask(Search(path="", pattern="needle"))

    assert [each.path for each in answer.matches] == ["plain"]
    assert (answer.files_searched, answer.files_skipped) == (1, 3)
    assert at.ask(Search(path="node_modules", pattern="needle")).matches[0].path == "m.js"
    assert at.ask(Search(path="", pattern="needle", hidden=True)).files_searched == 2


@pytest.mark.parametrize(
    "pattern",
    [
        "^two$", "two", r"\Atwo\Z", r"(?<!\n)two", r"two(?!\s)", r"t[^x]*+$", r"[^x]++$",
        r"two\B|two\b", "(?i)TWO",
        "(?:two|2)$", r"t.o", r"^\w+$", "$", "^", "two|nothing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", ["one\ntwo\nthree x\n", "two", "one\r\ntwo\r\n"])
def test_a_line_matches_as_if_it_stood_alone(at: Site, pattern: str, text: str) -> None:
    at.put("f", text)

    found = [match.line for match in at.ask(Search(path="", pattern=pattern)).matches]

    lines = enumerate(text.removesuffix("\n").replace("\r", "").split("\n"), 1)
    assert found == [number for number, line in lines if re.search(pattern, line)]
    assert 1 in found or 2 in found


def test_a_search_follows_no_link(at: Site) -> None:
    (at.work / "file").symlink_to(at.top / "outside" / "secret")
    (at.work / "folder").symlink_to(at.top / "outside")

    assert at.ask(Search(path="", pattern="secret")).matches == ()


def test_one_file_and_names_can_be_searched(at: Site) -> None:
    at.put("src/x.py", "a.b\naxb\n")

    literal = at.ask(Search(path="src/x.py", pattern="A.B", literal=True, ignore_case=True))
    names = at.ask(Search(path="", name_glob="**/*.py"))

    assert [(each.path, each.line) for each in literal.matches] == [("x.py", 1)]
    assert [(each.path, each.line, each.text) for each in names.matches] == [("src/x.py", 0, "src/x.py")]


def test_names_cannot_be_looked_for_in_a_file(at: Site) -> None:
    at.put("f")

    assert "is a file" in at.refused(Search(path="f", name_glob="*")).message


def test_matches_are_bounded_in_number_and_length(at: Site) -> None:
    at.put("f", ("-" * 5000 + "needle" + "-" * 5000 + "\n") * 5)

    answer = at.ask(Search(path="", pattern="needle", max_matches=3))

    assert (len(answer.matches), answer.truncated) == (3, True)
    assert all(len(each.text) <= 500 and "needle" in each.text for each in answer.matches)


def test_all_matches_together_fit_into_a_message(at: Site) -> None:
    at.put("f", ("needle " + "x" * 490 + "\n") * 3000)

    answer = at.ask(Search(path="", pattern="needle", max_matches=2000, context_lines=10))

    assert answer.truncated
    assert sum(len(each.text) + sum(map(len, each.before + each.after)) for each in answer.matches) < 2**20


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (Search(path="", pattern="("), "pattern"),
        (Search(path="", pattern="x" * 10_000 + "{99999999999}"), "pattern"),
        (Search(path=""), "pattern"),
        (Search(path="", pattern="x", max_matches=2001), "max_matches"),
        (Search(path="", pattern="x", context_lines=11), "context_lines"),
        (Search(path="", name_glob="{"), "name_glob"),
        (Search(path="", name_glob="x" * 257), "name_glob"),
        (List(path="", depth=9), "depth"),
        (List(path="", depth=0), "depth"),
        (List(path="", max_entries=5001), "max_entries"),
    ],
)
def test_what_is_out_of_bounds_is_named(at: Site, ask: Ask, field: str) -> None:
    refusal = at.refused(ask)

    assert (refusal.kind, refusal.field) == ("Invalid", field)
