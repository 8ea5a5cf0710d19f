"""From the files of a ledger to the place where the next record belongs.

Not all is read: what the keys say was there at the last write must be there, and what came after is followed
from the last record that lists what is open. `audit verify` reads the rest.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from wand_hostagent.launcher import ed25519, record
from wand_hostagent.launcher.ledgerkey import NONE, Keys
from wand_hostagent.launcher.record import Damaged, Record
from wand_hostagent.launcher.unfinished import Unfinished

LISTS = frozenset({"ledger", "segment", "checkpoint"})  # events that name what is open and the next signer


@dataclass(slots=True)
class Found:
    """What a file that is written to holds; the keys are brought up to it."""

    unfinished: Unfinished
    first_seq: int = 0
    first_time: str = ""
    torn: bytes = b""


def recover(descriptor: int, keys: Keys) -> Found:
    """Follow the file from what the keys know of it to its end, and bring the keys up to that.

    Raises:
        Damaged: it is not the file that the keys belong to, or not as it was left.
    """
    size = os.fstat(descriptor).st_size
    found = Found(Unfinished())
    if size == 0:
        if keys.place.seq:
            raise Damaged(f"is empty, and it had {keys.place.seq} records")
        return found
    first = _first(descriptor)
    found.first_seq, found.first_time = (first.seq, first.time) if first else (0, "")
    if first and first.event == "segment" and first.seq == keys.place.seq:
        _begin_segment(keys)  # the launcher died when it had turned over, before the keys said so
    if size < keys.size:
        raise Damaged(f"has {size} bytes and had {keys.size}: its end was cut off")
    found.torn = _follow(descriptor, keys, found.unfinished)
    return found


def _first(descriptor: int) -> Record | None:
    line = next(_lines(descriptor, 0))
    try:
        return record.read(line[:-1]) if line.endswith(b"\n") else None
    except Damaged as damage:
        raise Damaged(f"its first record {damage}") from damage


def _begin_segment(keys: Keys) -> None:
    keys.size = keys.known = 0
    keys.known_seq, keys.known_prev = keys.place.seq, keys.place.prev


def _follow(descriptor: int, keys: Keys, unfinished: Unfinished) -> bytes:
    """Check every line from the known one on; the bytes after the last whole one."""
    seq, prev, at = keys.known_seq, keys.known_prev, keys.known
    sealed, head = keys.place.seq, (keys.place.prev, keys.size)  # from here on we have the keys of records
    for line in _lines(descriptor, at):
        if seq == sealed and (prev, at) != head:
            raise Damaged(f"seq {seq - 1} is not the record that was written there")
        if not line.endswith(b"\n"):
            break
        read = _read(line, seq, prev, keys.place.key if seq >= sealed else b"")
        if seq >= sealed:
            keys.place, keys.size = keys.place.next(read.hash), at + len(line)
        _take(read, keys, unfinished, at)
        seq, prev, at = seq + 1, read.hash, at + len(line)
    else:
        line = b""
    if seq < sealed or prev != keys.place.prev:
        raise Damaged(f"ends with seq {seq - 1}, and it had {sealed} records: its end was cut off")
    return line


def _read(line: bytes, seq: int, prev: str, key: bytes) -> Record:
    try:
        read = record.read(line[:-1])
        record.follow(read, seq, prev)
        if key:
            record.check_mac(read, key)
    except Damaged as damage:
        raise Damaged(f"seq {seq}: {damage}") from damage
    return read


def _take(read: Record, keys: Keys, unfinished: Unfinished, at: int) -> None:
    if read.event not in LISTS:
        unfinished.note(read.event, read.fields)
        return
    unfinished.replace(map(str, read.fields.get("open") or ()))
    keys.known, keys.known_seq, keys.known_prev = at, read.seq, read.prev
    if keys.coming != NONE and read.fields.get("signed_by") == ed25519.public(keys.coming).hex():
        keys.signing, keys.coming = keys.coming, NONE


def _lines(descriptor: int, at: int) -> Iterator[bytes]:
    with open(descriptor, "rb", closefd=False) as lines:
        lines.seek(at)
        yield from lines
