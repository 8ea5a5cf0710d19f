"""A short run of each fuzzer, from fixed seeds; `./dev fuzz` is the long one."""

import stat

import pytest

from fuzz import files, indoors, live, words
from fuzz.__main__ import shares
from wand_hostagent.launcher.planning import Planner
from wand_hostagent.launcher.protocol import folder_of

IN_SHORT = 1500


@pytest.mark.parametrize("seed", [1, 2])
def test_every_message_is_answered_once_and_nothing_is_left_open(seed: int) -> None:
    assert indoors.batch(seed, IN_SHORT) > 10


def test_a_real_launcher_survives_a_mad_host_agent() -> None:
    assert live.batch(1, 400) > 2


def test_every_file_of_a_profile_is_read_or_denied_in_words() -> None:
    assert files.batch(1, IN_SHORT) > 50


def test_a_defect_of_the_service_does_not_go_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planner, "plan", lambda *_: 1 // 0)
    with pytest.raises(indoors.Wrong, match="ZeroDivisionError"):
        indoors.batch(1, 200)


def test_a_descriptor_that_is_left_open_does_not_go_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "wand_hostagent.launcher.reports.Reports.forget", lambda self, job: self.kept.pop(job, None)
    )
    with pytest.raises(indoors.Wrong, match="left open"):
        indoors.batch(1, IN_SHORT)


def test_a_start_that_no_profile_permits_does_not_go_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_hostagent.launcher.profile.Profile.admits", lambda *_: True)
    with pytest.raises(indoors.Wrong, match="was started for"):
        indoors.batch(1, IN_SHORT)


def test_a_reader_that_falls_over_does_not_go_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat, "S_ISREG", lambda _: True)  # a folder is read as a file
    with pytest.raises(IsADirectoryError):
        files.batch(1, IN_SHORT)


@pytest.mark.parametrize("count", [1, 100, 20_000, 1_000_000])
def test_the_shares_are_all_there_is(count: int) -> None:
    found = shares(count, 7)
    assert sum(size for kind, _, size in found if kind != "files") == count
    assert all(size > 0 for _, _, size in found)


def test_no_two_principals_have_one_folder() -> None:
    names = [
        *words._TEXTS,
        "A",
        "a",
        ".",
        "..",
        "=2E",
        ".x",
        "=2Ex",
        "x" * 300,
        "x" * 301,
        "/",
        "=2F",
        "é",
        "=C3=A9",
    ]
    assert len({folder_of(name) for name in names}) == len(set(names))
    assert not [name for name in names if "/" in folder_of(name) or folder_of(name) in {"", ".", ".."}]
    assert max(len(folder_of(name)) for name in names) <= 200
