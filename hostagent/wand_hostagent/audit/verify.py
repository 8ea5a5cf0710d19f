"""Check a ledger, line by line: `python verify.py ledger.jsonl`.

Needs nothing but Python and this file, so that it runs on a copy, on another machine. The form of a line
is told in `wand_hostagent/launcher/record.py`; it is written out again here on purpose, and a test keeps
the two equal. The exit code is 0 for a whole ledger, 1 for a damaged one, 2 where there is none to read.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST = "0" * 64
MEMBERS = {"seq", "time", "event", "fields", "prev", "hash"}
WHOLE, DAMAGED, UNREADABLE = 0, 1, 2


@dataclass(slots=True)
class Chain:
    """What has been read so far, and the first thing that was wrong."""

    kept: str = FIRST  # a hash that is known from elsewhere
    has_kept: bool = False
    lines: int = 0
    seq: int = 0
    head: str = FIRST
    first_time: str = ""
    last_time: str = ""
    open_jobs: dict[str, str] = field(default_factory=dict)  # and since when each is open
    damage: str = ""

    def add(self, line: bytes) -> None:
        """Read the next line, its newline included; sets `damage` where it is not what it should be."""
        self.lines += 1
        if not line.endswith(b"\n"):
            self.damage = f"{len(line)} bytes without an end: a write was cut off, or is under way (torn)"
            return
        members = _members(line[:-1])
        self.damage = _damage(line[:-1], members) or self._misplaced(members)
        if not self.damage:
            self._take(members)

    def _misplaced(self, members: dict[str, Any]) -> str:
        if members["seq"] != self.seq:
            found = f"seq is {members['seq']!r} where {self.seq} belongs"
            return f"{found}: lines were removed, added or moved (seq)"
        if members["prev"] != self.head:
            return "it does not follow the line before: one of the two was replaced (prev)"
        return ""

    def _take(self, members: dict[str, Any]) -> None:
        self.seq, self.head, self.last_time = self.seq + 1, members["hash"], members["time"]
        self.first_time = self.first_time or members["time"]
        self.has_kept |= self.head == self.kept
        job = str(members["fields"].get("job", ""))
        if members["event"] in {"run", "worker"}:
            self.open_jobs[job] = members["time"]
        elif members["event"] in {"end", "lost"}:
            self.open_jobs.pop(job, None)


def check(lines: Iterable[bytes], kept: str = FIRST) -> Chain:
    """Follow the chain to its end, or to the first line that breaks it."""
    chain = Chain(kept=kept, has_kept=kept == FIRST)
    for line in lines:
        chain.add(line)
        if chain.damage:
            break
    return chain


def canonical(members: dict[str, Any]) -> bytes:
    """The only bytes that stand for these members."""
    packed = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return packed.encode("ascii")


def _members(line: bytes) -> dict[str, Any]:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _damage(line: bytes, members: dict[str, Any]) -> str:
    """What is wrong with a line by itself."""
    if members.keys() != MEMBERS or not isinstance(members["fields"], dict):
        return "it is no record (form)"
    if canonical(members) != line:
        return "its bytes are not in canonical form: something else wrote it (canonical)"
    sealed = {name: value for name, value in members.items() if name != "hash"}
    if hashlib.sha256(canonical(sealed)).hexdigest() != members["hash"]:
        return "its hash is not its own: it was changed (hash)"
    return ""


def report(chain: Chain) -> list[str]:
    """What a person is told."""
    if chain.damage:
        said = [
            f"DAMAGED at line {chain.lines}: {chain.damage}",
            f"the {chain.seq} lines before it are whole",
        ]
    else:
        said = [f"whole: {chain.seq} records"]
    if not chain.has_kept:
        said.append("DAMAGED: no line has the hash that was kept elsewhere: lines were cut off or replaced")
    if chain.seq:
        said.append(f"from {chain.first_time} to {chain.last_time}")
    said.append(f"head: {chain.head}  (lines cut off at the end show only against a head kept elsewhere)")
    said += [f"open: {job!r} since {since}" for job, since in chain.open_jobs.items()]
    return said


def main(argv: Sequence[str]) -> int:
    """Check the file that is named and print what was found."""
    parser = argparse.ArgumentParser(prog="audit verify", description="Check a ledger of Wand.")
    parser.add_argument("file", type=Path, metavar="FILE", help="ledger.jsonl, or a copy of it")
    parser.add_argument(
        "--head",
        default=FIRST,
        metavar="HASH",
        help="a hash that was kept elsewhere: it must be on one of the lines",
    )
    told = parser.parse_args(argv)
    try:
        with told.file.open("rb") as lines:
            chain = check(lines, told.head)
    except OSError as error:
        sys.stderr.write(f"audit verify: {told.file}: {error.strerror}\n")
        return UNREADABLE
    sys.stdout.write("\n".join(report(chain)) + "\n")
    return WHOLE if chain.has_kept and not chain.damage else DAMAGED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
