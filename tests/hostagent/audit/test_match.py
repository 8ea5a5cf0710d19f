"""A command is found by its true words by who has the first key, and by nobody else."""

import io
import json
import sys
from pathlib import Path

import pytest

from wand_hostagent import cli
from wand_hostagent.launcher.ledger import Entry, Ledger

WORDS = ["tool", "--password", "hunter2", "a\nb"]


def find(folder: Path, told: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(told))
    return cli.run(["audit", "match", str(folder), "--key", str(folder / "first.key")])


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of two files, with a secret in the second."""
    one = Ledger(str(tmp_path))
    one.append([Entry("run", {"job": "a", "argv": ["ls"]}), Entry("end", {"job": "a"})])
    one.turn()
    one.append([Entry("refused", {"job": "b", "argv": WORDS}), Entry("refused", {"argv": WORDS[:3]})])
    one.close()
    return tmp_path


def test_a_command_is_found_by_its_true_words(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "hunter2" not in (ledger / "ledger.jsonl").read_text()
    assert find(ledger, json.dumps(WORDS), monkeypatch) == 0
    assert find(ledger, "tool\n--password\nhunter2\n", monkeypatch) == 0
    found = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in found] == ["5", "6"]
    assert "--password '*******'" in found[0]


@pytest.mark.parametrize("told", ["ls", json.dumps([*WORDS[:2], "hunter3"]), json.dumps(WORDS[:2])])
def test_other_words_are_not_found(ledger: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    assert find(ledger, told, monkeypatch) == 1


def test_lines_that_do_not_follow_one_another_are_not_searched(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ledger / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    assert find(ledger, "ls", monkeypatch) == 2
    assert "where 4 belongs" in capsys.readouterr().err


def test_another_key_proves_nothing(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads((ledger / "first.key").read_text())
    (ledger / "first.key").chmod(0o600)
    (ledger / "first.key").write_text(json.dumps({**first, "mac_key": "00" * 32}))
    assert find(ledger, json.dumps(WORDS), monkeypatch) == 1


@pytest.mark.parametrize("told", ["", "[1]", "[", "[]"])
def test_what_are_no_words_is_told_so(ledger: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    assert find(ledger, told, monkeypatch) == 2
