"""A record in words, for a person: one line, in which nothing that a caller wrote moves the cursor."""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from wand_hostagent.launcher.record import Record

_ENDINGS = {
    "exited": "exited with {exit_code}",
    "signaled": "was ended by signal {signal}",
    "timed_out": "ran out of time",
    "cancelled": "was cancelled",
    "output_limit": "wrote more than it may",
    "not_started": "could not be started: {kind}: {message}",
}


def subject(fields: Mapping[str, Any]) -> str:
    """The job, or the use of a file tool, that a record is about."""
    return str(fields.get("job") or fields.get("act") or "")


def why_of(record: Record) -> Mapping[str, Any]:
    why = record.fields.get("why")
    return why if isinstance(why, dict) else record.fields


def line(record: Record) -> str:
    try:
        told = _TELLERS.get(record.event, _other)(record)
    except (TypeError, ValueError, LookupError, AttributeError):  # not as we write it: shown as it is
        told = _other(record)
    return _printable(f"{record.time[:19]}Z  {record.seq:>6}  {record.event:10} {told}")


def _run(record: Record) -> str:
    fields, why = record.fields, why_of(record)
    rule = f", by rule {why['rule']!r}" if why.get("rule") else ""
    where = f"{fields.get('profile')}, {fields.get('directory')}"
    return f"{fields.get('job')}  {_who(why)}: {_command(fields)}  ({where}{rule})"


def _dispatch(record: Record) -> str:
    fields, why = record.fields, why_of(record)
    where = f"on {fields.get('backend')}, by rule {why.get('rule')!r}"
    return f"{fields.get('job')}  {_who(why)}: {_command(fields)}  ({where})"


def _dispatch_signal(record: Record) -> str:
    return f"{record.fields['job']}  signal {record.fields['signal']}, on {record.fields['backend']}"


def _refused(record: Record) -> str:
    fields, why = record.fields, why_of(record)
    said = next((fields[name] for name in ("message", "say", "reason", "rule") if fields.get(name)), "")
    return f"{subject(fields)}  {_who(why)}: {_command(fields)}  {said}"


def _file(record: Record) -> str:
    return f"{subject(record.fields)}  {_who(record.fields)}: {_command(record.fields)}"


def _file_end(record: Record) -> str:
    fields = record.fields
    outcome = "done" if fields.get("ok") else f"not done: {fields.get('kind')}: {fields.get('message')}"
    return f"{subject(fields)}  {_command(fields)}  {outcome}"


def _end(record: Record) -> str:
    fields = record.fields
    told = _ENDINGS.get(str(fields.get("reason")), "ended: {reason}")
    usage = ""
    if "wall_seconds" in fields:
        usage = (
            f"  after {fields['wall_seconds']:.3f} s, {fields.get('cpu_seconds', 0):.3f} s of it computing"
        )
    return f"{fields.get('job')}  {told.format_map(_Missing(fields))}{usage}"


def _ambiguous(record: Record) -> str:
    kind = "job" if "job" in record.fields else "change of a file"
    return f"{subject(record.fields)}  this {kind} was under way when the launcher died; its end nobody knows"


def _output(record: Record) -> str:
    fields = record.fields
    stdout, stderr = fields.get("stdout_bytes", "?"), fields.get("stderr_bytes", "?")
    return f"{fields.get('job')}  wrote {stdout} bytes, and {stderr} to stderr"


def _checkpoint(record: Record) -> str:
    return f"signed: all {record.seq} records before it"


def _start(record: Record) -> str:
    fields = record.fields
    return f"launcher {fields.get('pid')}; enforced: {', '.join(map(str, fields.get('enforced', [])))}"


def _other(record: Record) -> str:
    parts = (f"{name}={_text(value)}" for name, value in record.fields.items() if value not in ("", None))
    return " ".join(parts)


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


def _asked(record: Record) -> str:
    fields = record.fields
    return f"{fields.get('approval')}  {_who(fields)}: {_command(fields)}  {fields.get('message', '')}"


def _answered(record: Record) -> str:
    fields = record.fields
    by = f"{fields['by']}, to " if fields.get("by") else ""
    return f"{fields.get('approval')}  {by}{_who(fields)}  (rule {fields.get('rule')!r})"


def _operation(record: Record) -> str:
    fields = record.fields
    mark = "" if fields.get("read_only") else "  (changes something)"
    return f"{subject(fields)}  {_who(fields)}: {fields['operation']}{mark}"


def _operation_end(record: Record) -> str:
    fields = record.fields
    failed = fields.get("failure")
    outcome = f"not done: {failed}: {fields.get('message')}" if failed else "done"
    return f"{subject(fields)}  {fields['operation']}  {outcome}  after {fields['seconds']:.3f} s"


def _config(record: Record) -> str:
    fields = record.fields
    return f"{fields['by']} changes {fields['of']}: {', '.join(fields['changed'])}"


def _policy_read(record: Record) -> str:
    fields = record.fields
    came = f"cannot be read: {fields['error']}" if fields.get("error") else f"digest {fields['policy']}"
    return f"{fields['by']}: {came}"


def _input(record: Record) -> str:
    fields = record.fields
    parts = [f"{fields['bytes']} bytes"] if fields.get("bytes") else []
    parts += [what for name, what in (("interrupt", "Ctrl-C"), ("end", "the end")) if fields.get(name)]
    return f"{fields['job']}  {_who(fields)}: {' and '.join(parts) or 'nothing'}"


def _signal(record: Record) -> str:
    return f"{record.fields['job']}  signal {record.fields['signal']}: {record.fields['reason']}"


def _sign_in_refused(record: Record) -> str:
    fields = record.fields
    times = f"  ({fields['times']} times)" if fields.get("times", 1) != 1 else ""
    where = fields.get("address") or fields.get("uri") or fields.get("by")
    return f"{where}: {fields['why']}{times}"


def _where(fields: Mapping[str, Any]) -> str:
    return f"{fields['host']}:{fields.get('port')}" if fields.get("host") else "where nobody can read"


def _who(why: Mapping[str, Any]) -> str:
    who = str(why.get("principal") or "nobody named")
    behalf = why.get("on_behalf_of")
    named = f"{who} for {behalf}" if behalf else who
    return f"{named} ({_task_of(why)})" if why.get("task") else named


def _task_of(why: Mapping[str, Any]) -> str:
    """For which task that was handed out, and by which agent."""
    agent = why.get("agent")
    return f"task {why.get('task')}" + (f", by {agent}" if agent else "")


def _command(fields: Mapping[str, Any]) -> str:
    argv = fields.get("argv")
    if isinstance(argv, list):
        return shlex.join(map(str, argv))
    if operation := fields.get("operation"):
        return str(operation)
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
    "config": _config,
    "policy_read": _policy_read,
    "input": _input,
    "signal": _signal,
    "sign_in_refused": _sign_in_refused,
    "run": _run,
    "worker": _run,
    "dispatch": _dispatch,
    "dispatch_end": _end,
    "dispatch_signal": _dispatch_signal,
    "refused": _refused,
    "file": _file,
    "file_end": _file_end,
    "end": _end,
    "ambiguous": _ambiguous,
    "output": _output,
    "checkpoint": _checkpoint,
    "start": _start,
    "approval_asked": _asked,
    "approval_given": _answered,
    "approval_refused": _answered,
    "approval_used": _answered,
    "approval_expired": _answered,
    "operation": _operation,
    "operation_end": _operation_end,
    "connect": _connect,
    "connect_end": _connect_end,
    "connect_refused": _connect_refused,
}
