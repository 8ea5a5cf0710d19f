"""The ledger keeps its chain, refuses what was edited, and calls nothing durable that is not."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wand_hostagent.audit import verify
from wand_hostagent.launcher import record
from wand_hostagent.launcher.ledger import FILE, Entry, Ledger
from wand_hostagent.launcher.refusal import Refused


def events(folder: Path) -> list[str]:
    return [record.read(line).event for line in (folder / FILE).read_bytes().splitlines()]


def written(folder: Path, *entries: Entry) -> Path:
    ledger = Ledger(str(folder))
    ledger.append(entries)
    ledger.close()
    return folder / FILE


RUNS = (Entry("run", {"job": "a"}), Entry("run", {"job": "b"}), Entry("end", {"job": "a"}))


def test_what_is_appended_is_one_chain_over_many_openings(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path, Entry("refused", {"job": str(number)}), Entry("file", {"path": "x"}))
    chain = verify.check((tmp_path / FILE).read_bytes().splitlines(keepends=True))
    assert (chain.seq, chain.damage) == (6, "")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_jobs_without_an_end_are_called_lost_when_it_is_opened_again(tmp_path: Path) -> None:
    written(tmp_path, *RUNS)
    Ledger(str(tmp_path)).close()
    assert events(tmp_path) == ["run", "run", "end", "lost"]
    Ledger(str(tmp_path)).close()
    assert events(tmp_path)[4:] == []


@pytest.mark.parametrize("keep", [1, 40, 200])
def test_a_torn_tail_is_cut_and_the_cut_is_recorded(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path, *RUNS)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:keep].rstrip(b"\n"))
    Ledger(str(tmp_path)).close()
    assert events(tmp_path) == ["run", "run", "end", "cut", "lost"]
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
def test_an_edited_ledger_stops_the_start_and_names_the_line(
    tmp_path: Path, edit: Callable[[bytes], bytes]
) -> None:
    path = written(tmp_path, *RUNS)
    path.write_bytes(edit(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"line \d"):
        Ledger(str(tmp_path))
    assert path.read_bytes() == before


def test_two_launchers_cannot_write_one_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_hostagent.launcher.ledger._LOCK_SECONDS", 0.05)
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
    assert events(tmp_path) == ["run", "run", "end"]


def test_half_a_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, write = Ledger(str(tmp_path)), os.write
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", lambda descriptor, block: write(descriptor, block[:50]))
        with pytest.raises(Refused) as refused:
            ledger.append(RUNS)
    assert refused.value.kind == "Exhausted"
    assert (tmp_path / FILE).read_bytes() == b""
    ledger.append(RUNS)
    ledger.close()
    assert events(tmp_path) == ["run", "run", "end"]


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
