"""Lines of a ledger, made without a launcher, and whole ledgers, made by its own code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wand_hostagent.audit import verify
from wand_hostagent.launcher import record
from wand_hostagent.launcher.ledger import Entry, Habits, Ledger

KEY = bytes(range(32))


def lines_of(*events: tuple[str, dict[str, Any]]) -> list[bytes]:
    """The lines that tell of these events, sealed from KEY on."""
    lines, place = [], record.Place(0, record.FIRST, KEY)
    for event, fields in events:
        line, digest = record.seal(place, event, fields)
        lines.append(line)
        place = place.next(digest)
    return lines


def events(folder: Path) -> list[str]:
    """The events in all files of a ledger, in order."""
    return [read.event for read in records(folder)]


def records(folder: Path) -> list[record.Record]:
    """The records in all files of a ledger."""
    files = verify.files_of([folder])
    return [record.read(line) for path in files for line in path.read_bytes().splitlines()]


def chain(folder: Path, **known: Any) -> verify.Chain:
    """What the verifier says of a ledger, its first key and its key file being at hand."""
    key, signer = verify.read_key(folder / "first.key")
    anchors = verify.last_written([folder]) | known.pop("anchors", {})
    told = verify.Known(key=key, signer=signer, anchors=anchors, **known)
    return verify.check_files(verify.files_of([folder]), told)[0]


def grown(
    folder: Path, habits: Habits | None = None, count: int = 40, turns: Sequence[int] = (9, 25)
) -> Path:
    """A ledger in several files with records of several sorts, its launcher gone in order."""
    ledger = Ledger(str(folder), habits)
    for number in range(count):
        job = f"job-{number // 2}"
        fields: dict[str, Any] = {
            "job": job,
            "argv": ["touch", f"file {number}"],
            "limits": {"wall_seconds": 0.5},
        }
        ledger.append([Entry("end", {"job": job, "exit_code": 0}) if number % 2 else Entry("run", fields)])
        if number in turns:
            ledger.turn()
        elif number == 15:
            ledger.checkpoint()
    ledger.checkpoint()
    ledger.close()
    return folder
