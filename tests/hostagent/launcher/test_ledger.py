"""The ledger keeps its chain, refuses what was edited, and calls nothing durable that is not."""

import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from support.launcher_client import needs_root
from support.ledgers import chain, events, grown, records
from wand_hostagent.audit import verify
from wand_hostagent.launcher import ed25519, ledgerfile, record
from wand_hostagent.launcher.ledger import Entry, Habits, Ledger
from wand_hostagent.launcher.ledgerfile import FILE
from wand_hostagent.launcher.ledgerkey import KeyFile
from wand_hostagent.launcher.refusal import Refused


def written(folder: Path, *entries: Entry) -> Path:
    ledger = Ledger(str(folder))
    ledger.append(entries)
    ledger.close()
    return folder / FILE


RUNS = (Entry("run", {"job": "a"}), Entry("run", {"job": "b"}), Entry("end", {"job": "a"}))


def test_what_is_appended_is_one_chain_over_many_openings(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path, Entry("refused", {"job": str(number)}), Entry("signal", {"path": "x"}))
    found = chain(tmp_path)
    assert (found.seq, found.damage) == (1 + 6, "")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_has_no_end_is_called_ambiguous_when_it_is_opened_again(tmp_path: Path) -> None:
    written(
        tmp_path,
        *RUNS,
        Entry("file", {"act": "c"}),
        Entry("file", {"act": "d"}),
        Entry("file_end", {"act": "c"}),
    )
    Ledger(str(tmp_path)).close()
    found = [dict(read.fields) for read in records(tmp_path) if read.event == "ambiguous"]
    assert found == [{"job": "b"}, {"act": "d"}]
    Ledger(str(tmp_path)).close()
    assert events(tmp_path)[7:] == ["ambiguous", "ambiguous"]


def test_what_has_no_end_is_remembered_over_checkpoints_and_files(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append(RUNS)
    ledger.turn()
    ledger.checkpoint()
    ledger.close()
    Ledger(str(tmp_path)).close()
    assert dict(records(tmp_path)[-1].fields) == {"job": "b"}


@pytest.mark.parametrize("keep", [1, 40, 200])
def test_a_torn_tail_is_cut_and_the_cut_is_recorded(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path, *RUNS)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:keep].rstrip(b"\n"))
    Ledger(str(tmp_path)).close()
    assert events(tmp_path) == ["ledger", "run", "run", "end", "cut", "ambiguous"]
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    "edit",
    [
        lambda whole: whole.replace(b'"a"', b'"x"', 1),
        lambda whole: whole.partition(b"\n")[2],
        lambda whole: whole.replace(b"\n", b"\n\n", 1),
        lambda whole: whole + b"garbage\n",
        lambda whole: whole + whole,
    ],
)
def test_an_edited_ledger_stops_the_start_and_names_the_record(
    tmp_path: Path, edit: Callable[[bytes], bytes]
) -> None:
    path = written(tmp_path, *RUNS)
    path.write_bytes(edit(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"seq \d|cut off|not JSON"):
        Ledger(str(tmp_path))
    assert path.read_bytes() == before


def test_two_launchers_cannot_write_one_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_hostagent.launcher.ledgerfile._LOCK_SECONDS", 0.05)
    first = Ledger(str(tmp_path))
    with pytest.raises(Refused, match="another launcher"):
        Ledger(str(tmp_path))
    first.close()


def test_a_ledger_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    written(tmp_path, *RUNS).chmod(0o644)
    with pytest.raises(Refused, match="0600"):
        Ledger(str(tmp_path))


def test_a_ledger_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="cannot be opened"):
        Ledger(str(tmp_path))


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_full_disk_refuses_and_lets_go_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(str(tmp_path))
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(Refused) as refused:
            ledger.append(RUNS)
    assert refused.value.kind == "Exhausted"
    ledger.append(RUNS)
    ledger.close()
    assert events(tmp_path) == ["ledger", "run", "run", "end"]


def test_half_a_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, write = Ledger(str(tmp_path)), os.write
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", lambda descriptor, block: write(descriptor, block[:50]))
        with pytest.raises(Refused) as refused:
            ledger.append(RUNS)
    assert refused.value.kind == "Exhausted"
    assert events(tmp_path) == ["ledger"]
    ledger.append(RUNS)
    ledger.close()
    assert events(tmp_path) == ["ledger", "run", "run", "end"]


def test_a_disk_that_failed_once_is_not_believed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(str(tmp_path))
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(Refused, match="EIO"):
            ledger.append(RUNS)
    with pytest.raises(Refused) as refused:
        ledger.append(RUNS)
    assert (refused.value.kind, refused.value.hint) == ("Broken", "restart the launcher")
    ledger.close()


# -- keys --------------------------------------------------------------------------------------------------


def test_the_key_moves_on_with_every_batch_and_the_old_one_is_nowhere(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    seen = set()
    for number in range(5):
        ledger.append([Entry("refused", {"n": number})])
        seen.add(ledger._keys.place.key)
        assert KeyFile(tmp_path).keys.place.key == ledger._keys.place.key
    assert len(seen) == 5
    ledger.close()
    left = (tmp_path / "ledger.key").read_bytes()
    assert sum(key in left for key in seen) == 1
    assert verify.read_key(tmp_path / "first.key")[0] not in left


def test_a_checkpoint_is_signed_by_the_key_that_was_announced_and_that_key_is_gone(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    seeds = [ledger._keys.signing]
    for _ in range(3):
        ledger.checkpoint()
        seeds.append(ledger._keys.signing)
    ledger.close()
    announced = [read.fields["signed_by"] for read in records(tmp_path)]
    assert announced == [ed25519.public(seed).hex() for seed in seeds]
    left = (tmp_path / "ledger.key").read_bytes()
    assert [seed in left for seed in seeds] == [False, False, False, True]
    assert chain(tmp_path).signatures == 3


@pytest.mark.parametrize("step", range(1, 7))
def test_a_launcher_that_dies_in_a_checkpoint_or_a_turn_goes_on(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are written to the disk a few times in a turn: the process ends before one of these times."""
    ledger = Ledger(str(tmp_path))
    ledger.append(RUNS)
    times = 0

    def dying(self: KeyFile, *, durable: bool = False) -> None:
        nonlocal times
        times += 1
        if times == step:
            raise SystemExit
        write(self, durable=durable)

    write = KeyFile.write
    with monkeypatch.context() as patched, suppress(SystemExit):
        patched.setattr(KeyFile, "write", dying)
        ledger.turn()
    ledger.close()
    again = Ledger(str(tmp_path))
    again.turn()
    again.close()
    found = chain(tmp_path)
    assert (found.damage, found.unfinished) == ("", {})
    assert found.signed == found.seq - 1


@pytest.mark.parametrize("gone", ["ledger.key", "ledger.jsonl"])
def test_a_ledger_that_is_not_whole_is_not_begun_anew(tmp_path: Path, gone: str) -> None:
    written(tmp_path, *RUNS)
    (tmp_path / gone).unlink()
    with pytest.raises(Refused) as refused:
        Ledger(str(tmp_path))
    assert "move" in refused.value.hint


def test_a_ledger_as_it_was_earlier_is_not_gone_on_with(tmp_path: Path) -> None:
    path = written(tmp_path, *RUNS)
    early = path.read_bytes()
    written(tmp_path, Entry("refused", {}))
    path.write_bytes(early)
    with pytest.raises(Refused, match="cut off"):
        Ledger(str(tmp_path))


def test_records_that_somebody_added_without_the_key_stop_the_start(tmp_path: Path) -> None:
    path = written(tmp_path, *RUNS)
    other = written(tmp_path / "other", *RUNS, Entry("refused", {}))
    path.write_bytes(path.read_bytes() + other.read_bytes().splitlines(keepends=True)[4])
    with pytest.raises(Refused, match="seq 4"):
        Ledger(str(tmp_path))


# -- more than one file ------------------------------------------------------------------------------------


def test_a_file_that_begins_with_a_long_list_is_gone_on_with(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append([Entry("file", {"act": f"{number}" + "x" * 60000}) for number in range(20)])
    ledger.turn()
    ledger.close()
    ledger = Ledger(str(tmp_path))
    ledger.turn()
    ledger.close()
    assert len(verify.files_of([tmp_path])) == 3
    assert chain(tmp_path).damage == ""


def test_a_ledger_turns_over_and_all_of_it_is_one_chain(tmp_path: Path) -> None:
    folder = grown(tmp_path / "ledger")
    names = [path.name for path in verify.files_of([folder])]
    assert names == ["ledger-000000000000.jsonl", "ledger-000000000012.jsonl", "ledger.jsonl"]
    modes = [path.stat().st_mode & 0o777 for path in verify.files_of([folder])]
    assert modes == [0o400, 0o400, 0o600]
    assert chain(folder).damage == ""
    with closing(Ledger(str(folder))) as ledger:
        assert (ledger.turn(), ledger.head.seq > 0) == (
            ledger.head,
            True,
        )  # what is told elsewhere is the last record
        assert ledger.checkpoint() == ledger.head


@pytest.mark.parametrize(
    ("habits", "wants"),
    [(Habits(), False), (Habits(most_bytes=1000), True), (Habits(most_seconds=0), True)],
)
def test_a_ledger_wants_to_turn_over_when_it_is_large_or_old(
    tmp_path: Path, habits: Habits, *, wants: bool
) -> None:
    ledger = Ledger(str(tmp_path), habits)
    ledger.append(RUNS)
    assert ledger.wants_turning == wants
    ledger.close()


def test_only_the_end_of_a_ledger_is_read_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append([Entry("refused", {"text": "x" * 1000})] * 500)
    ledger.checkpoint()
    ledger.close()
    read, parse = [], record.read

    def reading(line: bytes) -> record.Record:
        read.append(line)
        return parse(line)

    monkeypatch.setattr(record, "read", reading)
    Ledger(str(tmp_path)).close()
    assert len(read) == 2  # the first line of the file, and the checkpoint


def test_a_disk_without_room_for_another_file_keeps_the_one_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append(RUNS)
    with monkeypatch.context() as full:
        full.setattr(ledgerfile, "begin", failing(errno.ENOSPC))
        with pytest.raises(Refused) as refused:
            ledger.turn()
    assert refused.value.kind == "Exhausted"
    ledger.append(RUNS)
    ledger.turn()
    ledger.close()
    assert chain(tmp_path).damage == ""


@pytest.mark.root
@needs_root
def test_a_disk_that_is_really_full_stops_acts_loses_nothing_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=True)
    try:
        ledger, taken = Ledger(str(tmp_path / "ledger")), 0
        with pytest.raises(Refused, match="ENOSPC") as refused:  # noqa: PT012 - the last of many fails
            while True:
                ledger.append([Entry("refused", {"n": taken, "text": "x" * 500})])
                taken += 1
        assert refused.value.kind == "Exhausted"
        assert "make room" in refused.value.hint
        with pytest.raises(Refused):
            ledger.turn()
        assert [read.fields["n"] for read in records(tmp_path / "ledger")[1:]] == list(range(taken))
        subprocess.run(["mount", "-o", "remount,size=1m", tmp_path], check=True)
        ledger.append([Entry("refused", {"n": taken})])
        ledger.turn()
        ledger.close()
        found = chain(tmp_path / "ledger")
        assert (found.damage, found.seq) == ("", 1 + taken + 1 + 2)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
