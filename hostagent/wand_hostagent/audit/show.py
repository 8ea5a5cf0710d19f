"""Show a ledger to a person: one line a record, of one job or one principal, or only what was denied."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wand_hostagent.launcher.record import Damaged, Record, read

_DENIALS = frozenset({"refused", "connect_refused"})
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ENDINGS = {
    "exited": "exited with {exit_code}",
    "signaled": "was ended by signal {signal}",
    "timed_out": "ran out of time",
    "cancelled": "was cancelled",
    "output_limit": "wrote more than it may",
    "out_of_memory": "needed more memory than it may have",
    "disk_limit": "added more to the disk than it may",
    "cpu_limit": "computed for longer than it may",
    "file_size_limit": "wrote a larger file than it may",
    "not_started": "could not be started: {kind}: {message}",
}


def main(argv: Sequence[str]) -> int:
    """Print the records of the file that is named, as far as the filters let them through."""
    parser = argparse.ArgumentParser(prog="audit show", description="Show a ledger of Wand.")
    parser.add_argument("file", type=Path, metavar="FILE", help="ledger.jsonl, or a copy of it")
    parser.add_argument("--job", default="", metavar="ID", help="only this job, or this use of a file tool")
    parser.add_argument("--principal", default="", metavar="NAME", help="only what this principal asked for")
    parser.add_argument("--denied", action="store_true", help="only what was refused")
    times = "2031-01-31, 2031-01-31T12:00:00Z, 90s, 15m, 2h, 3d"
    parser.add_argument("--since", type=moment, metavar="WHEN", help=times)
    told = parser.parse_args(argv)
    try:
        with told.file.open("rb") as lines:
            for shown in show(lines, told.job, told.principal, denied=told.denied, since=told.since or ""):
                sys.stdout.write(shown + "\n")
    except OSError as error:
        sys.stderr.write(f"audit show: {told.file}: {error.strerror}\n")
        return 2
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


def show(
    lines: Iterable[bytes], job: str = "", principal: str = "", *, denied: bool = False, since: str = ""
) -> Iterator[str]:
    """The lines that a person reads."""
    jobs: set[str] = set()  # those of the principal: their later records name only the job
    for number, line in enumerate(lines, start=1):
        try:
            record = read(line.rstrip(b"\n"))
        except Damaged as damage:
            yield f"line {number} {damage}; `audit verify` tells more"
            continue
        if principal and not _concerns(record, principal, jobs):
            continue
        if (job and _id(record.fields) != job) or (denied and record.event not in _DENIALS):
            continue
        if record.time >= since:
            yield _line(record)


def _concerns(record: Record, principal: str, jobs: set[str]) -> bool:
    job = _id(record.fields)
    if _why(record).get("principal") == principal:
        jobs.add(job)
        return True
    return bool(job) and job in jobs


def _id(fields: Mapping[str, Any]) -> str:
    """The job, or the use of a file tool, that a record is about."""
    return str(fields.get("job") or fields.get("act") or "")


def _why(record: Record) -> Mapping[str, Any]:
    why = record.fields.get("why")
    return why if isinstance(why, dict) else record.fields


def _line(record: Record) -> str:
    tell = _TELLERS.get(record.event, _other)
    return _printable(f"{record.time[:19]}Z  {record.seq:>6}  {record.event:8} {tell(record)}")


def _run(record: Record) -> str:
    fields, why = record.fields, _why(record)
    rule = f", by rule {why['rule']!r}" if why.get("rule") else ""
    where = f"{fields.get('profile')}, {fields.get('directory')}"
    return f"{fields.get('job')}  {_who(why)}: {_command(fields)}  ({where}{rule})"


def _refused(record: Record) -> str:
    fields, why = record.fields, _why(record)
    said = next((fields[name] for name in ("message", "say", "reason", "rule") if fields.get(name)), "")
    return f"{_id(fields)}  {_who(why)}: {_command(fields)}  {said}"


def _file(record: Record) -> str:
    return f"{_id(record.fields)}  {_who(record.fields)}: {_command(record.fields)}"


def _file_end(record: Record) -> str:
    fields = record.fields
    outcome = "done" if fields.get("ok") else f"not done: {fields.get('kind')}: {fields.get('message')}"
    return f"{_id(fields)}  {_command(fields)}  {outcome}"


def _end(record: Record) -> str:
    fields = record.fields
    told = _ENDINGS.get(str(fields.get("reason")), "ended: {reason}")
    usage = ""
    if "wall_seconds" in fields:
        usage = (
            f"  after {fields['wall_seconds']:.3f} s, {fields.get('cpu_seconds', 0):.3f} s of it computing"
        )
    return f"{fields.get('job')}  {told.format_map(_Missing(fields))}{usage}"


def _lost(record: Record) -> str:
    return f"{record.fields.get('job')}  ended together with an earlier launcher; how, nobody knows"


def _connect(record: Record) -> str:
    addresses = ", ".join(map(str, record.fields.get("addresses", [])))
    return f"{record.fields.get('job')}  {_who(record.fields)}: to {_where(record.fields)} ({addresses})"


def _connect_end(record: Record) -> str:
    fields = record.fields
    why = f": {fields['why']}" if fields.get("why") else ""
    moved = f"{fields.get('sent_bytes', '?')} bytes out, {fields.get('received_bytes', '?')} in"
    return f"{fields.get('job')}  {_where(fields)} ended, {moved}{why}"


def _connect_refused(record: Record) -> str:
    fields = record.fields
    more = f"  ({fields['more']} more before)" if fields.get("more") else ""
    return f"{fields.get('job')}  {_who(fields)}: not to {_where(fields)}: {fields.get('why')}{more}"


def _where(fields: Mapping[str, Any]) -> str:
    return f"{fields['host']}:{fields.get('port')}" if fields.get("host") else "where nobody can read"


def _start(record: Record) -> str:
    fields = record.fields
    return f"launcher {fields.get('pid')}; enforced: {', '.join(map(str, fields.get('enforced', [])))}"


def _other(record: Record) -> str:
    parts = (f"{name}={_text(value)}" for name, value in record.fields.items() if value not in ("", None))
    return " ".join(parts)


def _who(why: Mapping[str, Any]) -> str:
    who = str(why.get("principal") or "nobody named")
    behalf = why.get("on_behalf_of")
    return f"{who} for {behalf}" if behalf else who


def _command(fields: Mapping[str, Any]) -> str:
    argv = fields.get("argv")
    if isinstance(argv, list):
        return shlex.join(map(str, argv))
    return f"{fields.get('verb', '')} {shlex.quote(str(fields.get('path', '')))}".strip()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _printable(text: str) -> str:
    """What a caller wrote must not move the cursor or colour the screen."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class _Missing(dict[str, Any]):
    """Fields of which one that is not there reads as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


_TELLERS: Mapping[str, Callable[[Record], str]] = {
    "run": _run,
    "worker": _run,
    "refused": _refused,
    "file": _file,
    "file_end": _file_end,
    "end": _end,
    "lost": _lost,
    "start": _start,
    "connect": _connect,
    "connect_end": _connect_end,
    "connect_refused": _connect_refused,
}
