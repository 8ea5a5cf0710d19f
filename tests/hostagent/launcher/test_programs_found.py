"""A program that a name leads to is remembered, and never longer than it is the one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wand_hostagent.launcher import programs, users
from wand_hostagent.launcher.lookout import Lookout
from wand_hostagent.launcher.places import Place
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.programs import Programs
from wand_hostagent.launcher.refusal import Refused


class Bench:
    """Two folders of programs, of which the second has `tool`; `found` says what a name leads to now."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = folder / "first", folder / "second"
        self.profile = Profile(name="p", workspace="/", user=users.own(), path=f"{self.first}:{self.second}")
        self.second.mkdir()
        self.put(self.second)
        self.programs = Programs(Lookout())

    def put(self, folder: Path, mode: int = 0o755) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "tool").write_text("#!/bin/sh\n")
        (folder / "tool").chmod(mode)

    def found(self, word: str = "tool") -> str:
        try:
            return Path(self.programs.find(self.profile, word, Place(-1, "/"))).parent.name
        except Refused as refusal:
            return refusal.kind


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(programs, "is_due", lambda _: True)
    return Bench(tmp_path)


def test_what_was_found_is_not_looked_for_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.found() == "second"
    monkeypatch.setattr(Lookout, "is_calm", lambda *_: True)  # whatever else this machine does in /tmp
    monkeypatch.setattr(programs, "find_program", None)
    assert bench.found() == "second"


@pytest.mark.parametrize(("way", "then"), [("", "second"), ("/.", "NotFound")])
def test_a_whole_path_is_remembered_where_it_lies_in_a_folder_of_the_search_path(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, way: str, then: str
) -> None:
    monkeypatch.setattr(Lookout, "is_calm", lambda *_: True)  # whatever else this machine does in /tmp
    word = f"{bench.second}{way}/tool"
    assert bench.found(word) == "second"
    (bench.second / "tool").unlink()  # which a lookout would have seen
    assert bench.found(word) == then


def test_a_program_of_the_search_path_that_is_removed_is_not_there(bench: Bench) -> None:
    word = str(bench.second / "tool")
    assert bench.found(word) == "second"
    (bench.second / "tool").unlink()
    assert bench.found(word) == "NotFound"


@pytest.mark.parametrize(
    ("happens", "leads_to"),
    [
        (lambda bench: bench.put(bench.first), "first"),
        (lambda bench: (bench.second / "tool").unlink(), "NotFound"),
        (lambda bench: (bench.second / "tool").rename(bench.second / "other"), "NotFound"),
        (lambda bench: bench.second.rename(bench.second.with_name("gone")), "NotFound"),
        (lambda bench: bench.second.rename(bench.first), "first"),
    ],
)
def test_what_happens_in_the_folders_is_seen_at_once(
    bench: Bench, happens: Callable[[Bench], object], leads_to: str
) -> None:
    assert bench.found() == "second"
    happens(bench)
    assert bench.found() == leads_to


@pytest.mark.parametrize("before", ["plain", "link"])
def test_what_could_be_run_without_its_folder_changing_is_looked_at_each_time(
    bench: Bench, before: str, tmp_path: Path
) -> None:
    if before == "plain":
        bench.put(bench.first, 0o644)
    else:
        bench.first.mkdir()
        (bench.first / "tool").symlink_to(tmp_path / "target")
    assert bench.found() == "second"
    if before == "plain":
        (bench.first / "tool").chmod(0o755)
    else:
        (tmp_path / "target").write_text("")
        (tmp_path / "target").chmod(0o755)
    assert bench.found() == "first"
