"""Show a ledger to a person: `audit show` what is there, `audit tail` what comes."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from wand_hostagent.audit.telling import line, subject, why_of
from wand_hostagent.audit.verify import files_of
from wand_hostagent.launcher.record import Damaged, Record, read

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_REFUSALS = frozenset({"refused", "sign_in_refused", "connect_refused", "approval_refused"})
_LOOK_SECONDS = 0.2
_LAST_BYTES = 1 << 18


@dataclass(slots=True)
class Filter:
    """Which records are let through; what is not said lets everything through."""

    job: str = ""
    who: str = ""
    since: str = ""
    until: str = ""
    event: str = ""
    denied: bool = False
    jobs: set[str] = field(default_factory=set)  # those of `who`: their later records name only the job

    def lets(self, record: Record) -> bool:
        """Whether this record is to be shown; to be asked of each, in their order."""
        if self.who and not self._concerns(record):
            return False
        if (self.job and subject(record.fields) != self.job) or (self.event and record.event != self.event):
            return False
        if self.denied and record.event not in _REFUSALS:
            return False
        return self.since <= record.time and (not self.until or record.time < self.until)

    def _concerns(self, record: Record) -> bool:
        named, why = subject(record.fields), why_of(record)
        if self.who in [why.get(name) for name in ("principal", "on_behalf_of", "client", "peer")]:
            self.jobs.add(named)
            return True
        return bool(named) and named in self.jobs


def main(argv: Sequence[str]) -> int:
    """Print the records of a ledger, as far as the filters let them through."""
    parser = _parser("show", "Show a ledger of Wand.")
    told = parser.parse_args(argv)
    chosen = _chosen(told)
    try:
        for path in files_of(told.files):
            with path.open("rb") as lines:
                _print(show(lines, chosen))
    except OSError as error:
        return _unreadable("show", told.files, error)
    return 0


def tail(argv: Sequence[str]) -> int:
    """Print the last records of a ledger, and with `-f` those that come, until interrupted."""
    parser = _parser("tail", "Show the end of a ledger of Wand.")
    parser.add_argument(
        "-n", type=int, default=20, metavar="N", help="how many records; 20 where it is not given"
    )
    parser.add_argument("-f", action="store_true", help="go on with what comes, in the next file too")
    told = parser.parse_args(argv)
    chosen = _chosen(told)
    try:
        path = files_of(told.files)[-1]
        with path.open("rb") as lines:
            _print(_last(lines, chosen, told.n))
            if told.f:
                _print(show(_following(path, lines), chosen))
    except OSError as error:
        return _unreadable("tail", told.files, error)
    except KeyboardInterrupt:
        return 0
    return 0


def moment(text: str) -> str:
    """A point in time as records write it; a number with a unit is that long ago."""
    try:
        if text[-1:] in _UNITS and text[:-1].isdigit():
            when = datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        else:
            when = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 2031-01-31T12:00:00Z or 2h") from error
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def show(lines: Iterable[bytes], chosen: Filter) -> Iterator[str]:
    """The lines that a person reads."""
    for number, raw in enumerate(lines, start=1):
        try:
            record = read(raw.rstrip(b"\n"))
        except Damaged as damage:
            yield f"line {number} {damage}; `audit verify` tells more"
            continue
        if chosen.lets(record):
            yield line(record)


def _last(lines: BinaryIO, chosen: Filter, count: int) -> list[str]:
    """The last of them, from the end of the file; it is left at its end."""
    lines.seek(max(0, lines.seek(0, 2) - _LAST_BYTES))
    whole = list(islice(lines, 1, None)) if lines.tell() else list(lines)
    while whole and not whole[-1].endswith(b"\n"):
        lines.seek(-len(whole.pop()), 2)  # it is being written
    return list(show(whole, chosen))[-count:] if count > 0 else []


def _following(path: Path, lines: BinaryIO) -> Iterator[bytes]:
    """Each line once it is whole; where another file has taken the place of this one, the lines of that."""
    rest = b""
    while True:
        part = lines.readline()
        rest += part
        if rest.endswith(b"\n"):
            yield rest
            rest = b""
        elif not part and _is_replaced(path, lines):
            with path.open("rb") as following:
                yield from _following(path, following)
        elif not part:
            sys.stdout.flush()
            time.sleep(_LOOK_SECONDS)


def _is_replaced(path: Path, lines: BinaryIO) -> bool:
    """Whether the name leads to another file now, and nothing more will come in this one."""
    try:
        return path.stat().st_ino != Path(f"/proc/self/fd/{lines.fileno()}").stat().st_ino
    except FileNotFoundError:
        return False


# -- the commands' words ---------------------------------------------------------------------------------


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"wand-hostagent audit {name}", description=description)
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="the ledger's folder, or its files"
    )
    parser.add_argument("--job", default="", metavar="ID", help="only this job, or this use of a file tool")
    whose = "only what this principal, client, or person behind it asked for"
    parser.add_argument("--who", "--principal", default="", metavar="NAME", help=whose)
    parser.add_argument("--event", default="", metavar="EVENT", help="only records of this kind")
    parser.add_argument("--denied", action="store_true", help="only what was refused")
    times = "2031-01-31, 2031-01-31T12:00:00Z, 90s, 15m, 2h, 3d"
    parser.add_argument("--since", type=moment, metavar="WHEN", help=times)
    parser.add_argument("--until", type=moment, metavar="WHEN", help="the same")
    return parser


def _chosen(told: argparse.Namespace) -> Filter:
    return Filter(told.job, told.who, told.since or "", told.until or "", told.event, told.denied)


def _print(shown: Iterable[str]) -> None:
    for one in shown:
        sys.stdout.write(one + "\n")


def _unreadable(name: str, files: Sequence[Path], error: OSError) -> int:
    sys.stderr.write(f"wand-hostagent audit {name}: {error.filename or files[0]}: {error.strerror}\n")
    return 2
