"""Check a ledger, line by line: `python verify.py FOLDER`, or its files.

Needs nothing but Python and this file, so that it runs on a copy, on another machine. The form of a line
is told in `wand_hostagent/launcher/record.py`; it is written out again here on purpose, and a test keeps
the two equal. The exit code is 0 for a whole ledger, 1 for a damaged one, 2 where there is none to read.
"""

import argparse
import hashlib
import hmac
import json
import re
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST = "0" * 64
NEXT = b"wand ledger: the key of the next record"
WHOLE, DAMAGED, UNREADABLE = 0, 1, 2
_NAME = "verify.py" if __name__ == "__main__" else "wand-hostagent audit verify"
_LINE = re.compile(
    r'\{"seq":(0|[1-9]\d{0,14}),"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)","event":"([a-z][a-z0-9_]*)",'
    r'"fields":(\{.*\}),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","mac":"([0-9a-f]{64})"\}',
    re.ASCII | re.DOTALL,
)
_SEAL_BYTES = len(',"hash":"","mac":""}\n') + 128
_ANCHOR = re.compile(r"wand-ledger seq=(\d+) hash=([0-9a-f]{64})")
_KEYS = struct.Struct("<8sQ32s")  # the beginning of ledger.key: its name, how many records, the last hash
MOST_BEFORE = 100_000_000  # records before the first that is here: so many keys take a minute to make
_LISTS = frozenset({"ledger", "segment", "checkpoint"})
_BEGINS = {"run": "job", "worker": "job", "file": "act"}
_ENDS = {"end": ("job",), "file_end": ("act",), "ambiguous": ("job", "act")}
_whole = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).iterencode
_make: Any = getattr(json.encoder, "c_make_encoder", None)  # made once, it takes half the time
_text = json.encoder.encode_basestring_ascii
_encode = (
    (lambda value, _: _whole(value))
    if _make is None
    else _make(None, None, _text, None, ":", ",", True, False, False)
)
_scan: Any = getattr(json.JSONDecoder(), "scan_once")  # noqa: B009 - typeshed has not heard of it


class Damage(Exception):
    """What is wrong with a line."""


@dataclass(slots=True)
class Known:
    """What is known from elsewhere; what is not given cannot be checked."""

    key: bytes = b""  # of the first record of all
    signer: str = ""  # the public key of the first checkpoint of all
    heads: frozenset[str] = frozenset()  # hashes that must be there
    anchors: Mapping[int, str] = field(default_factory=dict)  # and what the hash of a record must be
    after: str = ""  # the hash of the record before the first that is here; "any" where that may be any
    most_before: int = MOST_BEFORE  # records before it, to whose keys `key` is carried on


@dataclass(slots=True)
class Chain:
    """What has been read so far, and the first thing that was wrong."""

    known: Known = field(default_factory=Known)
    lines: int = 0
    seq: int = 0  # of the next record
    begins: int = 0
    head: str = FIRST
    key: bytes = b""
    signer: str = ""
    signed: int = 0  # records that a signature covers
    signatures: int = 0
    times: tuple[str, str] = ("", "")
    unfinished: dict[str, str] = field(default_factory=dict)  # and since when each is
    unseen: set[str] = field(default_factory=set)  # heads that have not come yet
    damage: str = ""

    def __post_init__(self) -> None:
        self.key, self.signer, self.unseen = self.known.key, self.known.signer, set(self.known.heads)

    def add(self, line: bytes) -> None:
        """Read the next line, its newline included; sets `damage` where it is not what it should be."""
        self.lines += 1
        try:
            self._add(line)
        except Damage as damage:
            self.damage = str(damage)

    def _add(self, line: bytes) -> None:
        seq, time, event, packed, prev, digest, mac = _parted(line)
        number = int(seq)
        if self.lines == 1 and number > 0:
            self._begin(number, prev)
        if number != self.seq:
            found = f"seq is {number} where {self.seq} belongs"
            raise Damage(f"{found}: lines were removed, added or moved (seq)")
        if prev != self.head:
            raise Damage("it does not follow the line before: one of the two was replaced (prev)")
        fields = _fields(packed)
        hashed = hashlib.sha256(line[:-_SEAL_BYTES])
        if hashed.hexdigest() != digest:
            raise Damage("its hash is not its own: it was changed (hash)")
        if self.key:
            if hmac.digest(self.key, hashed.digest(), "sha256").hex() != mac:
                raise Damage("it was not sealed with the launcher's key: somebody else wrote it (mac)")
            self.key = hashlib.sha256(NEXT + self.key).digest()
        if self.known.anchors or self.unseen:
            self._anchored(digest)
        self._take(event, fields, time)
        self.seq, self.head = number + 1, digest

    def _begin(self, seq: int, prev: str) -> None:
        """The first line that is here is not the first of all."""
        if not self.known.after:
            raise Damage(f"it is record {seq} and not the first: what was before is not here (begin)")
        if self.known.after not in {"any", prev}:
            raise Damage("it does not follow the record whose hash was kept (after)")
        if self.key and seq > self.known.most_before:
            raise Damage(
                f"it says that it is record {seq}, whose seal cannot be checked before {seq} keys are made, "
                "one from the other: a forged number would draw that out for hours. If it may be right, say "
                f"--most-before {seq} (begin)"
            )
        self.seq = self.begins = self.signed = seq
        self.head = prev
        for _ in range(seq if self.key else 0):
            self.key = hashlib.sha256(NEXT + self.key).digest()
        self.signer = ""  # it is the first of all, and has signed long ago

    def _anchored(self, digest: str) -> None:
        if self.known.anchors.get(self.seq, digest) != digest:
            raise Damage("it is not the record whose hash was anchored (anchor)")
        self.unseen.discard(digest)

    def _take(self, event: str, fields: dict[str, Any], time: str) -> None:
        self.times = (self.times[0] or time, time)
        if event == "checkpoint":
            self._check_signature(fields)
        elif event in {"ledger", "segment"}:
            named = str(fields.get("signed_by"))
            if self.signer not in {"", named}:
                raise Damage("it names another signer than the one before it did (signature)")
            self.signer = named
        if event in _LISTS and self.seq == self.begins:
            names = fields.get("open")
            if names is not None and not isinstance(names, list):
                raise Damage("its list of what has begun is none (form)")
            self.unfinished = dict.fromkeys(map(str, names or ()), "before what is here")
        if event in _BEGINS:
            self.unfinished[f"{_BEGINS[event]} {fields.get(_BEGINS[event], '')}"] = time
        for kind in _ENDS.get(event, ()):
            self.unfinished.pop(f"{kind} {fields.get(kind, '')}", None)

    def _check_signature(self, fields: dict[str, Any]) -> None:
        coming = str(fields.get("signed_by"))
        said = f"wand ledger checkpoint\nseq {self.seq}\nprev {self.head}\nsigned_by {coming}\n".encode()
        if self.signer:
            try:
                good = is_signed(
                    bytes.fromhex(self.signer), said, bytes.fromhex(str(fields.get("signature")))
                )
            except ValueError:
                good = False
            if not good:
                raise Damage("its signature is not that of the key that was announced (signature)")
            self.signed, self.signatures = self.seq + 1, self.signatures + 1
        self.signer = coming

    def finish(self) -> None:
        """Say what is missing now that no line comes any more."""
        later = [seq for seq in self.known.anchors if seq >= self.seq]
        if self.damage:
            return
        if later:
            self.damage = f"record {max(later)} was anchored and is not here: the end was cut off (end)"
        elif self.unseen:
            self.damage = (
                "no line has the hash that was kept elsewhere: lines were cut off or replaced (head)"
            )


def check(lines: Iterable[bytes], known: Known | None = None) -> Chain:
    """Follow the chain to its end, or to the first line that breaks it."""
    chain = Chain(known or Known())
    for line in lines:
        chain.add(line)
        if chain.damage:
            break
    chain.finish()
    return chain


def canonical(value: Any) -> str:
    """The only letters that stand for this value."""
    return "".join(_encode(value, 0))


def _parted(line: bytes) -> tuple[str, ...]:
    if not line.endswith(b"\n"):
        raise Damage(f"{len(line)} bytes without an end: a write was cut off, or is under way (torn)")
    try:
        parts = _LINE.fullmatch(line[:-1].decode("ascii"))
    except UnicodeDecodeError:
        parts = None
    if parts is None:
        raise Damage("it is no record (form)")
    return parts.groups()


def _fields(packed: str) -> dict[str, Any]:
    try:
        fields, end = _scan(packed, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise Damage("its fields are not JSON (form)") from error
    try:
        same = end == len(packed) and canonical(fields) == packed
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise Damage("its bytes are not in canonical form: something else wrote it (canonical)")
    found: dict[str, Any] = fields
    return found


# -- Ed25519 (RFC 8032), to check with -------------------------------------------------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether that key has signed that message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, once = _point(public), _point(signature[:32])
    factor = int.from_bytes(signature[32:], "little")
    if key is None or once is None or factor >= _ORDER:
        return False
    asked = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    base = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert base is not None
    left, right = _times(base, factor), _plus(once, _times(key, asked))
    return (
        (left[0] * right[2] - right[0] * left[2]) % _P == 0 == (left[1] * right[2] - right[1] * left[2]) % _P
    )


def _point(packed: bytes) -> _Point | None:
    number = int.from_bytes(packed, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


def _times(point: _Point, factor: int) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        factor >>= 1
    return total


def _plus(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


# -- files -----------------------------------------------------------------------------------------------


def files_of(places: Sequence[Path]) -> list[Path]:
    """The files of a ledger, oldest first: those that are named, or those in a folder."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            kept = sorted(place.glob("ledger-[0-9]*.jsonl"))
            found += [*kept, *(path for path in (place / "ledger.jsonl",) if path.exists())]
        else:
            found.append(place)
    if not found:
        raise FileNotFoundError(2, "no ledger.jsonl is there")
    return found


def check_files(files: Sequence[Path], known: Known) -> tuple[Chain, str]:
    """The chain through all files, and where it broke."""
    chain = Chain(known)
    for path in files:
        before = chain.lines
        with path.open("rb") as lines:
            for line in lines:
                chain.add(line)
                if chain.damage:
                    return chain, f"{path.name}, line {chain.lines - before}"
    chain.finish()
    return chain, "the end"


def read_key(path: Path) -> tuple[bytes, str]:
    """The first key and the first signer, as `audit key` wrote them; raises ValueError where it did not."""
    told = json.loads(path.read_text())
    try:
        key, signer = bytes.fromhex(told["mac_key"]), str(told["signed_by"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"it has no {error}") from error
    if len(key) != 32 or not re.fullmatch("[0-9a-f]{64}", signer):
        raise ValueError("its keys are not of 32 bytes")
    return key, signer


def read_anchors(path: Path) -> dict[int, str]:
    """The heads in a file of any form: a log, an export of the journal, a file that was written to."""
    text = path.read_text(errors="replace")
    return {int(seq): digest for seq, digest in _ANCHOR.findall(text)}


def _pruned(places: Sequence[Path]) -> str:
    """The hash of the last record that `audit prune` removed from a folder, if it did."""
    for place in places:
        if (place / "pruned.json").is_file():
            return str(json.loads((place / "pruned.json").read_text()).get("hash", ""))
    return ""


def last_written(places: Sequence[Path]) -> dict[int, str]:
    """The last record of all, if the launcher's own key file lies there to say it."""
    for place in places:
        try:
            with (place / "ledger.key").open("rb") as keys:
                _, count, digest = _KEYS.unpack(keys.read(_KEYS.size))
        except (OSError, struct.error):
            continue
        return {count - 1: digest.hex()} if count else {}
    return {}


# -- the command -----------------------------------------------------------------------------------------


def report(chain: Chain, where: str, count: int) -> list[str]:
    """What a person is told."""
    here = chain.seq - chain.begins
    if chain.damage:
        said = [f"DAMAGED at {where}: {chain.damage}", f"the {here} records before it are whole"]
    else:
        said = [f"whole: {here} records in {count} file{'s' if count > 1 else ''}"]
    if chain.begins:
        said.append(f"begins with record {chain.begins}; what was before is not here")
    if here:
        said.append(f"from {chain.times[0]} to {chain.times[1]}")
    said.append(
        f"signatures: {chain.signatures}, the last covers the records up to {chain.signed - 1}"
        if chain.signatures
        else "signatures: none yet"
    )
    if not chain.known.signer:
        said.append(
            "  by the keys that the ledger itself names: --key or --signer tells whether they are right"
        )
    said.append(
        "seals: checked with the first key" if chain.known.key else "seals: not checked, for want of --key"
    )
    said.append(f"head: seq={chain.seq - 1} hash={chain.head}")
    said += [f"open: {name} since {since}" for name, since in chain.unfinished.items()]
    return said


def main(argv: Sequence[str]) -> int:
    """Check the files that are named and print what was found."""
    told = _parser().parse_args(argv)
    try:
        files = files_of(told.files)
        key, signer = read_key(told.key) if told.key else (b"", "")
        anchors = last_written(told.files)
        for path in told.anchors:
            anchors |= read_anchors(path)
        known = Known(
            key=key,
            signer=told.signer or signer,
            heads=frozenset(told.head),
            anchors=anchors,
            after=told.after or _pruned(told.files),
            most_before=told.most_before,
        )
        chain, where = check_files(files, known)
    except OSError as error:
        sys.stderr.write(f"{_NAME}: {error.filename or told.files[0]}: {error.strerror}\n")
        return UNREADABLE
    except ValueError as error:
        sys.stderr.write(f"{_NAME}: {told.key}: not a key of a ledger: {error}\n")
        return UNREADABLE
    sys.stdout.write("\n".join(report(chain, where, len(files))) + "\n")
    return DAMAGED if chain.damage else WHOLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_NAME, description="Check a ledger of Wand.")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="its folder, or files, oldest first"
    )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="the first key, as `audit key` has given it out"
    )
    parser.add_argument(
        "--signer", default="", metavar="HEX", help="the first public key, where --key is not at hand"
    )
    parser.add_argument(
        "--head", default=[], action="append", metavar="HASH", help="a hash that must be there"
    )
    parser.add_argument(
        "--anchors",
        type=Path,
        default=[],
        action="append",
        metavar="FILE",
        help="a log in which heads were anchored",
    )
    parser.add_argument(
        "--after", default="", metavar="HASH", help="of the last record that is not here any more"
    )
    parser.add_argument(
        "--most-before",
        type=int,
        default=MOST_BEFORE,
        metavar="N",
        help="with --key, how many records may be missing before the first (%(default)s: a minute)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
