"""What .gitignore leaves out is what git says it does."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem.ignoring import NO_RULES, Rules, rules_of
from wand_hostagent.filesystem.model import List, Search

FILES = (
    "a.log", "keep.log", "b.txt", "build/x", "src/build/y", "src/a.log", "src/deep/er/z.tmp", "doc/frotz",
    "frotz", "src/#hash", "!bang", "src/sub/only", "only", "d/e/f/g", "with space", "src/keep.log",
)  # fmt: skip
IGNORES = {
    ".gitignore": "*.log\n!keep.log\n# no rule\n\nbuild/\n/frotz\n\\#hash\n\\!bang\nd/**/g\nwith space\n[\n",
    "src/.gitignore": "*.tmp\n/sub/only\n!a.log\n",
}


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        for name in FILES:
            site.put(name, "needle")
        for name, text in IGNORES.items():
            site.put(name, text)
        yield site


def not_ignored(at: Site, folder: str = ".") -> set[str]:
    """What git would add, below a folder of the workspace."""
    subprocess.run(["git", "init", "-q", at.work], check=True)
    words = ["git", "-C", str(at.work / folder), "ls-files", "-z", "-o", "--exclude-standard", "."]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {name for name in told.split("\0") if name and not Path(name).name.startswith(".")}


@pytest.mark.parametrize("folder", [".", "src"])
def test_what_is_searched_is_what_git_would_add(at: Site, folder: str) -> None:
    found = at.ask(Search(path=folder, pattern="needle"))
    everything = at.ask(Search(path=folder, pattern="needle", hidden=True))

    assert {match.path for match in found.matches} == not_ignored(at, folder)
    assert found.files_skipped
    assert len(everything.matches) > len(found.matches)


def test_an_ignored_folder_is_named_and_not_entered_unless_that_is_asked(at: Site) -> None:
    seen = {entry.path for entry in at.ask(List(path="", depth=3)).entries}
    all_seen = {entry.path for entry in at.ask(List(path="", depth=3, hidden=True)).entries}
    inside = {entry.path for entry in at.ask(List(path="build", depth=3)).entries}

    assert "build" in seen
    assert "build/x" not in seen
    assert {"build/x", "src/build/y"} <= all_seen
    assert inside == {"x"}


def test_a_line_that_is_no_glob_states_nothing() -> None:
    rules = Rules((("", "", rules_of("[\n!\n/\n   \n")),))

    assert not rules.leave_out("x", is_folder=False)
    assert not NO_RULES.leave_out("x", is_folder=True)


def test_a_rule_that_would_take_for_ever_states_nothing(at: Site) -> None:
    at.put("a/" * 40 + "f")
    at.put(".gitignore", "**/a" * 12 + "/**/b\n" + "*a" * 60 + "*b\n*.log\n")
    at.put("a" * 200)

    seen = {entry.path for entry in at.ask(List(path="", depth=8)).entries}

    assert "a" * 200 in seen
    assert rules_of("**/a" * 12) == ()
    assert len(rules_of("a/**/b/**")) == 1
