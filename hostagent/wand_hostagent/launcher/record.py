"""One line a record, each sealed by the one before and under a key that is gone when the next is written.

A line is a JSON object of seven members in this order, without spaces, in ASCII; nothing else is a record:

    seq     0, 1, 2, … through all files of the ledger
    time    UTC, as 2031-01-31T12:00:00.000000Z
    event   docs/reference/ledger.md has them all
    fields  what belongs to the event, its keys sorted
    prev    the `hash` of the line before; 64 zeros in the first
    hash    SHA-256 of the line up to here: from its brace to the quote that ends `prev`
    mac     HMAC-SHA-256 of the 32 bytes of the hash, under the key of this record

The key of the next record is SHA-256 of `NEXT` and the key of this one (`next_key`), so that who has a key
can check and write what follows, and nothing that came before. `audit/verify.py` reads the same form
without importing this file; a test keeps the two equal.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from wand_hostagent.launcher import jsontext
from wand_hostagent.launcher.digest import hmac_sha256, sha256

FIRST = "0" * 64
NEXT = b"wand ledger: the key of the next record"
MEMBERS = ("seq", "time", "event", "fields", "prev", "hash", "mac")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HEX = re.compile(r"[0-9a-f]{64}")
_encode = jsontext.encoder(ascii_alone=True, sort_keys=True)


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
    mac: str


class Place(NamedTuple):
    """Where a record stands: its number, the hash of the one before, and the key that seals it."""

    seq: int
    prev: str
    key: bytes

    def next(self, digest: str) -> "Place":
        """The place after a record that has this hash."""
        return Place(self.seq + 1, digest, next_key(self.key))


def next_key(key: bytes) -> bytes:
    """The key of the record after the one that `key` seals."""
    following: bytes = sha256(NEXT + key).digest()
    return following


def canonical(value: Any) -> bytes:
    """The only bytes that stand for this value."""
    return _encode(value).encode("ascii")


def now() -> str:
    """The present moment, in the form that a record has."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def seal(place: Place, event: str, fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line that belongs there, its newline included, and its hash."""
    body = _body(place.seq, now(), event, fields, place.prev)
    hashed = sha256(body)
    mac = hmac_sha256(place.key, hashed.digest()).hex()
    digest: str = hashed.hexdigest()
    return b'%b,"hash":"%b","mac":"%b"}\n' % (body, digest.encode(), mac.encode()), digest


def _body(seq: int, time: str, event: str, fields: Mapping[str, Any], prev: str) -> bytes:
    return (
        f'{{"seq":{seq},"time":"{time}","event":"{event}","fields":{_encode(fields)},"prev":"{prev}"'
    ).encode("ascii")


def read(line: bytes) -> Record:
    """A line, its newline removed, as a record that is whole in itself; its place is not looked at.

    Raises:
        Damaged: it is no record.
    """
    try:
        members = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Damaged("is not JSON") from error
    if not isinstance(members, dict) or tuple(members) != MEMBERS or not _fits(members):
        raise Damaged("does not have the members of a record")
    seal = f',"hash":"{members["hash"]}","mac":"{members["mac"]}"}}'.encode()
    body = _body(*(members[name] for name in MEMBERS[:5]))
    if body + seal != line:
        raise Damaged("is not in canonical form: the line was written by something else")
    if sha256(body).hexdigest() != members["hash"]:
        raise Damaged("has a hash that is not its own: the line was changed")
    return Record(**members)


def _fits(members: Mapping[str, Any]) -> bool:
    texts = ("time", "event", "prev", "hash", "mac")
    return (
        all(isinstance(members[name], str) for name in texts)
        and isinstance(members["fields"], dict)
        and type(members["seq"]) is int
        and bool(_TIME.fullmatch(members["time"]) and EVENT.fullmatch(members["event"]))
        and all(_HEX.fullmatch(members[name]) for name in texts[2:])
    )


def follow(record: Record, seq: int, prev: str) -> None:
    """Check that a record stands where it should.

    Raises:
        Damaged: it does not.
    """
    if record.seq != seq:
        raise Damaged(f"has seq {record.seq} where {seq} belongs: lines were removed, added or moved")
    if record.prev != prev:
        raise Damaged("does not follow the line before: one of the two was replaced")


def check_mac(record: Record, key: bytes) -> None:
    """Check that a record was sealed under this key.

    Raises:
        Damaged: it was not.
    """
    if hmac_sha256(key, bytes.fromhex(record.hash)).hex() != record.mac:
        raise Damaged("is not sealed by the launcher's key: somebody else wrote it")


def to_sign(seq: int, prev: str, signed_by: str) -> bytes:
    """What a checkpoint signs: its place, so all that is before it, and the key that comes next."""
    return f"wand ledger checkpoint\nseq {seq}\nprev {prev}\nsigned_by {signed_by}\n".encode("ascii")
