"""A ledger that was touched is found out, with the line and what is wrong with it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wand_hostagent.audit import verify
from wand_hostagent.launcher import record

PROGRAM = Path(verify.__file__)


def lines_of(*events: tuple[str, dict[str, object]]) -> list[bytes]:
    lines, prev = [], record.FIRST
    for seq, (event, fields) in enumerate(events):
        line, prev = record.seal(seq, prev, event, fields)
        lines.append(line)
    return lines


GOOD = lines_of(
    ("start", {"pid": 1}),
    ("run", {"job": "a", "argv": ["é\x1b", "\ud800"], "limits": {"wall_seconds": 0.1}}),
    ("run", {"job": "b"}),
    ("end", {"job": "a", "wall_seconds": 1e-07}),
    ("refused", {"job": "c"}),
)


def changed(lines: list[bytes], index: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in lines[index]
    return [*lines[:index], lines[index].replace(old, new), *lines[index + 1 :]]


@pytest.mark.parametrize(
    ("touch", "line", "kind"),
    [
        (lambda lines: changed(lines, 1, b'"a"', b'"x"'), 2, "hash"),
        (lambda lines: changed(lines, 3, b'"seq":3', b'"seq":9'), 4, "hash"),
        (lambda lines: changed(lines, 2, b'"job":"b"', b'"job": "b"'), 3, "canonical"),
        (lambda lines: changed(lines, 0, b'"pid":1', b'"pid":1,"pid":1'), 1, "canonical"),
        (lambda lines: [*lines[:2], *lines[3:]], 3, "seq"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "seq"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "seq"),
        (lambda lines: lines[1:], 1, "seq"),
        (lambda lines: [lines_of(("start", {"pid": 2}))[0], *lines[1:]], 2, "prev"),
        (lambda lines: [*lines, b"\n"], 6, "form"),
        (lambda lines: [*lines, b"{}\n"], 6, "form"),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], 5, "torn"),
    ],
)
def test_the_first_line_that_was_touched_is_named(
    touch: Callable[[list[bytes]], list[bytes]], line: int, kind: str
) -> None:
    chain = verify.check(touch(list(GOOD)))
    assert chain.lines == line
    assert chain.damage.endswith(f"({kind})")


@pytest.mark.parametrize("line", [*GOOD, b"{}\n", b'{"seq":NaN}\n', b"[" * 100_000 + b"\n"])
def test_verify_and_the_launcher_agree_on_a_line(line: bytes) -> None:
    members = verify._members(line[:-1])
    damaged = bool(verify._damage(line[:-1], members))
    try:
        record.read(line[:-1])
    except record.Damaged:
        assert damaged
    else:
        assert not damaged
        assert verify.canonical(members) == record.canonical(members) == line[:-1]


def test_it_runs_alone_and_says_what_is_open_and_where_the_chain_ends(tmp_path: Path) -> None:
    (tmp_path / "check.py").write_bytes(PROGRAM.read_bytes())
    (tmp_path / "copy.jsonl").write_bytes(b"".join(GOOD))
    argv = [sys.executable, "-I", "-S", str(tmp_path / "check.py"), str(tmp_path / "copy.jsonl")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "whole: 5 records" in done.stdout
    assert "open: 'b'" in done.stdout
    assert record.read(GOOD[-1][:-1]).hash in done.stdout


def test_what_was_cut_off_shows_against_a_hash_that_was_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, kept = tmp_path / "copy.jsonl", record.read(GOOD[-1][:-1]).hash
    path.write_bytes(b"".join(GOOD))
    assert verify.main([str(path), "--head", kept]) == verify.WHOLE
    path.write_bytes(b"".join(GOOD[:-1]))
    assert verify.main([str(path)]) == verify.WHOLE
    assert verify.main([str(path), "--head", kept]) == verify.DAMAGED
    assert "cut off" in capsys.readouterr().out


def test_a_ledger_that_is_not_there_is_another_matter_than_a_damaged_one(tmp_path: Path) -> None:
    assert verify.main([str(tmp_path / "none")]) == verify.UNREADABLE
