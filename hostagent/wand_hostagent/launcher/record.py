"""One line a record, each sealed by the one before.

A line is the canonical JSON (keys sorted, no spaces, ASCII) of an object with six members:

    seq     0, 1, 2, …
    time    UTC, as 2031-01-31T12:00:00.000000Z
    event   start run worker signal end lost refused file cut stop, or what the host agent records
    fields  what belongs to the event
    prev    the `hash` of the line before; 64 zeros in the first
    hash    SHA-256 of the canonical JSON of the other five

`audit/verify.py` reads the same form without importing this file; a test keeps the two equal.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from wand_hostagent.launcher.sha256 import hash_of

FIRST = "0" * 64
MEMBERS = frozenset({"seq", "time", "event", "fields", "prev", "hash"})


class Damaged(Exception):
    """A line that is no record, or not the next one; the text says what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the ledger, read."""

    seq: int
    time: str
    event: str
    fields: Mapping[str, Any]
    prev: str
    hash: str


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: Mapping[str, Any] | str) -> bytes:
    """The only bytes that stand for this value."""
    return _CANONICAL.encode(value).encode("ascii")


def now() -> str:
    """The present moment, in the form that a record has."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def seal(seq: int, prev: str, event: str, fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line, its newline included, and its hash."""
    before = b'{"event":%b,"fields":%b,' % (canonical(event), canonical(fields))
    after = b'"prev":"%b","seq":%d,"time":"%b"}' % (prev.encode(), seq, now().encode())
    digest = hash_of(before + after)
    return b'%b"hash":"%b",%b\n' % (before, digest.encode(), after), digest


def read(line: bytes) -> Record:
    """A line, its newline removed, as a record that is whole in itself; its place is not looked at.

    Raises:
        Damaged: it is no record.
    """
    try:
        members = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Damaged("is not JSON") from error
    if not isinstance(members, dict) or members.keys() != MEMBERS or not isinstance(members["fields"], dict):
        raise Damaged("does not have the members of a record")
    if canonical(members) != line:
        raise Damaged("is not in canonical form: the line was written by something else")
    sealed = {name: value for name, value in members.items() if name != "hash"}
    if hash_of(canonical(sealed)) != members["hash"]:
        raise Damaged("has a hash that is not its own: the line was changed")
    return Record(**members)


def follow(record: Record, seq: int, prev: str) -> None:
    """Check that a record stands where it should.

    Raises:
        Damaged: it does not.
    """
    if record.seq != seq:
        raise Damaged(f"has seq {record.seq!r} where {seq} belongs: lines were removed, added or moved")
    if record.prev != prev:
        raise Damaged("does not follow the line before: one of the two was replaced")
