"""The ledger: files of sealed lines, durable before the act.

A write that fails is taken back, and nothing is done: a full disk refuses (Exhausted) until there is room
again; a disk that fails refuses (Broken) until the launcher starts anew and has read the file.

`ledger.jsonl` is written to. When it has grown large or old it becomes `ledger-SEQ.jsonl`, after the number
of its first record, and another begins with a record that goes on where it stopped.
"""

import errno
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import is_not
from pathlib import Path
from typing import Any, NamedTuple

from wand_hostagent.launcher import ed25519, ledgerfile, lookback, record, strike
from wand_hostagent.launcher.digest import sha256
from wand_hostagent.launcher.ledgerfile import COMING, FILE
from wand_hostagent.launcher.ledgerkey import NONE, KeyFile
from wand_hostagent.launcher.recovery import Found, recover
from wand_hostagent.launcher.refusal import Refused, reason_of

MOST_BYTES = 64 * 2**20
MOST_DAYS = 30.0
_UNTELLABLE = (TypeError, ValueError, LookupError, AttributeError, RecursionError)  # by no record


class Entry(NamedTuple):
    """What is to be recorded; the ledger gives it its place, its time and its seal."""

    event: str
    fields: Mapping[str, Any]


class _Sealed(NamedTuple):
    """Entries as lines, from the place where the first of them belongs to that after the last."""

    begin: record.Place
    entries: Sequence[Entry]
    lines: Sequence[bytes]
    end: record.Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """When the ledger turns over to another file and when it signs what it has, and what it strikes out."""

    most_bytes: int = MOST_BYTES  # of one file
    most_seconds: float = MOST_DAYS * 86400
    checkpoint_records: int = 4096
    checkpoint_seconds: float = 600.0
    secrets: tuple[str, ...] = ()  # names beside those that strike.py knows


@dataclass(frozen=True, slots=True)
class Head:
    """The last record: who keeps this elsewhere can tell later whether all before it is as it was."""

    seq: int
    hash: str


class Ledger:
    """The open files, at their end."""

    def __init__(self, folder: str, habits: Habits | None = None) -> None:
        """Open, lock and check the ledger in `folder`; cut a torn tail; call what has no end ambiguous.

        Raises:
            Refused: it cannot be opened, or its end is not as it was left.
        """
        self._folder = Path(folder)
        self.path = str(self._folder / FILE)
        self.broken = ""
        self._habits = habits or Habits()
        self._strike = strike.Pattern(self._habits.secrets)
        self._unsigned, self._first_seq, self._began = 0, 0, 0.0
        self._signed_at = time.monotonic()
        self._is_behind = False
        self._descriptor = ledgerfile.open_file(self._folder)
        try:
            self._key = KeyFile(self._folder)
        except Refused:
            os.close(self._descriptor)
            raise
        self._keys = self._key.keys
        try:
            ledgerfile.lock(self._key.descriptor, self.path)
            self._key.reload()
            self._keys = self._key.keys
            self._ahead = _nothing(self._keys.place)
            self._recover()
        except Refused:
            self.close()
            raise

    # -- writing -----------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], *, keys_later: bool = False) -> None:
        """Write the entries and wait until the disk has them; the keys move on too, or later by `keep_up`.

        Raises:
            Refused: it has not; nothing was written, and nothing may be done.
        """
        if self.broken:
            raise Refused("Broken", f"the ledger failed earlier: {self.broken}", hint="restart the launcher")
        if self._is_behind:
            self._keep_keys()
        sealed = self._sealed(entries)
        block = b"".join(sealed.lines)
        self._write(block)
        self._keys.place = sealed.end
        self._ahead = _nothing(sealed.end)  # which lets go of the keys that were used
        self._keys.size += len(block)
        self._unsigned += len(entries)
        for entry in entries:
            self._unfinished.note(entry.event, entry.fields)
        self._is_behind = True  # records are durable without it; it must only not stay so
        if not keys_later:
            self.keep_up()

    def seal_ahead(self, entries: Sequence[Entry]) -> None:
        """Do what can be done of `append` before the time: these will be the first that are written then."""
        with suppress(*_UNTELLABLE):
            self._ahead = self._sealed(entries)

    def _sealed(self, entries: Sequence[Entry]) -> "_Sealed":
        """The entries as lines that go on where the ledger ends; those that are sealed already stay so."""
        ahead = self._ahead
        if ahead.begin is not self._keys.place or not _begins_with(entries, ahead.entries):
            ahead = _nothing(self._keys.place)
        lines, place = list(ahead.lines), ahead.end
        for entry in entries[len(lines) :]:
            line, digest = record.seal(place, entry.event, self._strike(entry.fields, place.key))
            lines.append(line)
            place = place.next(digest)
        return _Sealed(ahead.begin, tuple(entries), lines, place)

    def keep_up(self) -> None:
        """Let the disk have the keys of the next record, and no longer those of the last, if it can."""
        if self._is_behind:
            with suppress(Refused):
                self._keep_keys()

    def last(self, before: int | None = None) -> list[str]:
        """The last lines, or those before the record of that number: one file's, as many as a message holds.

        Raises:
            Refused: they cannot be read.
        """
        try:
            if before is None or before > self._first_seq:
                return lookback.lines_before(self._descriptor, self._keys.size, before)
            with lookback.kept_before(self._folder, before) as kept:
                return lookback.lines_before(*kept, before) if kept else []
        except OSError as error:
            raise Refused("Broken", f"the ledger cannot be read: {reason_of(error.errno or 0)}") from error

    def can_tell(self, entry: Entry) -> bool:
        """Whether the entry can be written as a record at all."""
        place = self._keys.place
        try:
            record.seal(place, entry.event, self._strike(entry.fields, place.key))
        except _UNTELLABLE:
            return False
        return True

    def close(self) -> None:
        os.close(self._descriptor)
        self._key.close()

    def _write(self, block: bytes) -> None:
        try:
            short = os.write(self._descriptor, block) != len(block)
        except OSError as error:
            raise self._taken_back(error.errno or errno.EIO) from error
        if short:
            raise self._taken_back(errno.ENOSPC)
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:  # what is on the disk now, nobody knows: fsync(2)
            self.broken = reason_of(error.errno or errno.EIO)
            raise Refused("Broken", f"the ledger cannot be made durable: {self.broken}") from error

    def _taken_back(self, number: int) -> Refused:
        try:
            os.ftruncate(self._descriptor, self._keys.size)
        except OSError:
            self.broken = reason_of(number)
        refusal = self._refusal(number)
        if refusal.kind == "Broken":
            self.broken = reason_of(number)
        return refusal

    def _refusal(self, number: int) -> Refused:
        return ledgerfile.refusal(self.path, number, broken=bool(self.broken))

    def _keep_keys(self, *, durable: bool = False) -> None:
        """Let the disk have the keys of the next record, and no longer those of the last."""
        try:
            self._key.write(durable=durable)
        except OSError as error:
            raise self._refusal(error.errno or errno.EIO) from error
        self._is_behind = False

    # -- signing -----------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The last record."""
        return Head(self._keys.place.seq - 1, self._keys.place.prev)

    @property
    def unsigned(self) -> int:
        """How many records came since the last checkpoint."""
        return self._unsigned

    @property
    def wants_checkpoint(self) -> bool:
        """Whether it is time for one."""
        waited = time.monotonic() - self._signed_at
        return self._unsigned >= self._habits.checkpoint_records or (
            self._unsigned > 0 and waited >= self._habits.checkpoint_seconds
        )

    def checkpoint(self) -> Head:
        """Sign all records so far, with a key that signs once; the record names the key that comes next.

        Raises:
            Refused: it could not be written.
        """
        keys = self._keys
        keys.coming = os.urandom(32)
        self._keep_keys(durable=True)  # or a crash could leave a record that names a key nobody has
        at, place, signer = keys.size, keys.place, ed25519.public(keys.coming).hex()
        signature = ed25519.sign(keys.signing, record.to_sign(place.seq, place.prev, signer))
        fields = {"open": self._unfinished.names(), "signed_by": signer, "signature": signature.hex()}
        self.append([Entry("checkpoint", fields)])
        keys.signing, keys.coming = keys.coming, NONE
        self._know(at, place)
        return self.head

    def _know(self, at: int, place: record.Place) -> None:
        """A record of what is open and who signs next lies at `at`."""
        self._keys.known, self._keys.known_seq, self._keys.known_prev = at, place.seq, place.prev
        self._unsigned, self._signed_at = 0, time.monotonic()
        self._is_behind = True
        with suppress(Refused):
            self._keep_keys()

    # -- turning over ------------------------------------------------------------------------------------

    @property
    def wants_turning(self) -> bool:
        """Whether the file has grown too large, or too old."""
        age = time.time() - self._began
        return self._keys.size >= self._habits.most_bytes or age >= self._habits.most_seconds

    def turn(self) -> Head:
        """Sign the file, keep it under its number, and go on in another.

        Raises:
            Refused: that could not be done, and the file is written to as before.
        """
        self.checkpoint()
        coming, kept = self._folder / COMING, self._folder / ledgerfile.kept_name(self._first_seq)
        place = self._keys.place
        fields = {"after": kept.name, **self._lists()}
        line, digest = record.seal(place, "segment", fields)
        try:
            descriptor = ledgerfile.begin(coming, line)
        except OSError as error:
            raise self._refusal(error.errno or errno.EIO) from error
        try:
            ledgerfile.put_aside(self._descriptor, kept, coming)
        except OSError as error:
            os.close(descriptor)
            self.broken = reason_of(error.errno or errno.EIO)  # which file has the name, nobody knows
            raise Refused("Broken", f"the ledger cannot begin another file: {self.broken}") from error
        os.close(self._descriptor)
        self._descriptor, self._keys.size, self._keys.place = descriptor, len(line), place.next(digest)
        self._first_seq, self._began = place.seq, time.time()
        self._know(0, place)
        return self.head

    def _lists(self) -> dict[str, Any]:
        return {
            "open": self._unfinished.names(),
            "signed_by": ed25519.public(self._keys.signing).hex(),
        }

    # -- the start ---------------------------------------------------------------------------------------

    def _recover(self) -> None:
        with suppress(FileNotFoundError):
            (self._folder / COMING).unlink()
        try:
            found = recover(self._descriptor, self._keys)
        except record.Damaged as damage:
            raise Refused(
                "Broken",
                f"{self.path}: {damage}",
                hint=f"keep {self._folder} as evidence and move it aside; the launcher then begins anew",
            ) from damage
        self._unfinished = found.unfinished
        self._first_seq, self._began = found.first_seq, _seconds(found.first_time)
        if found.torn:
            self._cut(found)
        if self._keys.place.seq == 0:
            self.append([Entry("ledger", {"id": os.urandom(8).hex(), **self._lists()})])
        if ambiguous := found.unfinished.as_fields():
            self.append([Entry("ambiguous", fields) for fields in ambiguous])

    def _cut(self, found: Found) -> None:
        """Remove the last, unfinished line: its act was never done, for the line was never durable."""
        os.ftruncate(self._descriptor, self._keys.size)
        if self._keys.place.seq:
            fields = {"bytes": len(found.torn), "sha256": sha256(found.torn).hexdigest()}
            self.append([Entry("cut", fields)])


def _nothing(place: record.Place) -> _Sealed:
    return _Sealed(place, (), (), place)


def _begins_with(entries: Sequence[Entry], first: Sequence[Entry]) -> bool:
    """Whether those very ones come first."""
    return len(first) <= len(entries) and not any(map(is_not, first, entries))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else time.time()
