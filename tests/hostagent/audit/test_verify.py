"""A ledger that was touched is found out, with the line and what is wrong with it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.ledgers import KEY, chain, events, grown, lines_of
from wand_hostagent.audit import verify
from wand_hostagent.launcher import record
from wand_hostagent.launcher.ledger import Entry, Ledger

PROGRAM = Path(verify.__file__)
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
        (lambda lines: changed(lines, 3, b'"seq":3', b'"seq":9'), 4, "seq"),
        (lambda lines: changed(lines, 2, b'"job":"b"', b'"job": "b"'), 3, "canonical"),
        (lambda lines: changed(lines, 1, b"\\ud800", b"\\uD800"), 2, "canonical"),
        (lambda lines: changed(lines, 0, b'"pid":1', b'"pid":1,"pid":1'), 1, "canonical"),
        (lambda lines: changed(lines, 0, b'"seq":0', b'"seq":00'), 1, "form"),
        (lambda lines: changed(lines, 0, b'"seq":0', b'"seq":' + b"9" * 5000), 1, "form"),
        (lambda _: lines_of(("segment", {"open": 5})), 1, "form"),
        (lambda lines: [*lines[:2], *lines[3:]], 3, "seq"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "seq"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "seq"),
        (lambda lines: [lines_of(("start", {"pid": 2}))[0], *lines[1:]], 2, "prev"),
        (lambda lines: [*lines, b"\n"], 6, "form"),
        (lambda lines: [*lines, b"{}\n"], 6, "form"),
        (lambda lines: [*lines, b"\xff" * 400 + b"\n"], 6, "form"),
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
    try:
        members = verify._parted(line)
        fields = verify._fields(members[3])
    except verify.Damage:
        with pytest.raises(record.Damaged):
            record.read(line[:-1])
    else:
        read = record.read(line[:-1])
        assert members == (str(read.seq), read.time, read.event, members[3], read.prev, read.hash, read.mac)
        assert fields == read.fields


def test_who_has_no_key_cannot_write_a_line_that_the_key_confirms() -> None:
    forged, place = [], record.Place(0, record.FIRST, bytes(32))
    for line in GOOD:
        read = record.read(line[:-1])
        again, digest = record.seal(place, read.event, {**read.fields, "job": "x"})
        forged.append(again)
        place = place.next(digest)
    assert verify.check(forged).damage == ""
    assert verify.check(forged, verify.Known(key=KEY)).damage.endswith("(mac)")
    assert verify.check(GOOD, verify.Known(key=KEY)).damage == ""


def test_it_runs_alone_and_says_what_is_open_and_where_the_chain_ends(tmp_path: Path) -> None:
    (tmp_path / "check.py").write_bytes(PROGRAM.read_bytes())
    (tmp_path / "copy.jsonl").write_bytes(b"".join(GOOD))
    argv = [sys.executable, "-I", "-S", str(tmp_path / "check.py"), str(tmp_path / "copy.jsonl")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "whole: 5 records" in done.stdout
    assert "open: job b since" in done.stdout
    assert f"head: seq=4 hash={record.read(GOOD[-1][:-1]).hash}" in done.stdout


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


@pytest.mark.parametrize(
    "around", ["{}\n", "Nov 25 12:00:00 host wand-launcher[7]: {}\n", '{{"MESSAGE":"{}"}}\n']
)
def test_an_anchor_is_found_in_whatever_stands_around_it(tmp_path: Path, around: str) -> None:
    path, log = tmp_path / "copy.jsonl", tmp_path / "log"
    last = record.read(GOOD[-1][:-1])
    log.write_text(around.format(f"wand-ledger seq={last.seq} hash={last.hash}"))
    path.write_bytes(b"".join(GOOD))
    assert verify.main([str(path), "--anchors", str(log)]) == verify.WHOLE
    path.write_bytes(b"".join(GOOD[:-1]))
    assert verify.main([str(path), "--anchors", str(log)]) == verify.DAMAGED
    path.write_bytes(b"".join([*GOOD[:-1], lines_of(*[("refused", {"job": "d"})] * 5)[4]]))
    assert verify.main([str(path), "--anchors", str(log)]) == verify.DAMAGED


def test_a_ledger_that_is_not_there_is_another_matter_than_a_damaged_one(tmp_path: Path) -> None:
    assert verify.main([str(tmp_path / "none")]) == verify.UNREADABLE
    assert verify.main([str(tmp_path)]) == verify.UNREADABLE


# -- signatures ------------------------------------------------------------------------------------------


def test_signatures_are_those_of_everybody_s_ed25519() -> None:
    private = Ed25519PrivateKey.from_private_bytes(KEY)
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"so")
    assert verify.is_signed(public, b"so", signature)
    assert not verify.is_signed(public, b"no", signature)
    assert not verify.is_signed(public, b"so", signature[:32] + bytes(32))
    assert not verify.is_signed(public, b"so", signature[:63])
    assert not verify.is_signed(b"\xff" * 32, b"so", signature)


def test_a_ledger_of_many_files_is_one_signed_chain(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    found = chain(folder)
    assert (found.damage, found.unfinished) == ("", {})
    assert found.signed == found.seq
    assert found.signatures == events(folder).count("checkpoint") == 4


def test_a_chain_that_somebody_began_anew_is_signed_by_the_wrong_key(tmp_path: Path) -> None:
    ours, theirs = grown(tmp_path / "ours"), grown(tmp_path / "theirs")
    key, signer = verify.read_key(ours / "first.key")
    files = verify.files_of([theirs])
    assert verify.check_files(files, verify.Known())[0].damage == ""
    assert verify.check_files(files, verify.Known(signer=signer))[0].damage.endswith("(signature)")
    assert verify.check_files(files, verify.Known(key=key))[0].damage.endswith("(mac)")


def test_files_from_the_middle_say_where_they_begin_and_that_can_be_checked(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    first, *rest = verify.files_of([folder])
    key, signer = verify.read_key(folder / "first.key")
    last = record.read(first.read_bytes().splitlines()[-1])
    found, _ = verify.check_files(rest, verify.Known(key=key, signer=signer, after=last.hash))
    assert (found.damage, found.begins) == ("", last.seq + 1)
    assert verify.check_files(rest, verify.Known(after="any"))[0].damage == ""
    assert verify.check_files(rest, verify.Known(after="0" * 64))[0].damage.endswith("(after)")
    assert verify.check_files(rest, verify.Known())[0].damage.endswith("(begin)")
    assert verify.check_files([first, rest[1]], verify.Known())[0].damage.endswith("(seq)")


def test_a_forged_number_does_not_keep_who_checks_busy_for_hours() -> None:
    place, forged = record.Place(10**14, record.FIRST, bytes(32)), []
    for line in GOOD:
        read = record.read(line[:-1])
        sealed, digest = record.seal(place, read.event, read.fields)
        forged.append(sealed)
        place = place.next(digest)
    found = verify.check(forged, verify.Known(key=KEY, after="any"))
    assert found.lines == 1
    assert "--most-before 100000000000000 (begin)" in found.damage
    assert not verify.check(forged, verify.Known(after="any")).damage


def test_what_is_really_so_far_on_is_checked_where_that_is_said() -> None:
    late = GOOD[3:]
    few, enough = (
        verify.check(late, verify.Known(key=KEY, after="any", most_before=most)) for most in (2, 3)
    )
    assert few.damage.endswith("(begin)")
    assert (enough.damage, enough.begins) == ("", 3)


def test_an_end_that_was_cut_off_beside_the_launcher_s_own_key_file_is_found(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    path = folder / "ledger.jsonl"
    assert verify.main([str(folder)]) == verify.WHOLE
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    assert verify.main([str(folder)]) == verify.DAMAGED


def test_what_a_signature_does_not_cover_yet_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.checkpoint()
    ledger.append([Entry("refused", {})])
    ledger.close()
    assert verify.main([str(tmp_path), "--key", str(tmp_path / "first.key")]) == verify.WHOLE
    said = capsys.readouterr().out
    assert "signatures: 1, the last covers the records up to 1" in said
    assert "seals: checked" in said
