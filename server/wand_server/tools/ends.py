"""How a command ended in words: which limit it ran into, how large that is, and what to do."""

import signal
from collections.abc import Mapping
from typing import NamedTuple

from wand_server.ports import CommandOutcome, JobEnd, Reason
from wand_server.tools import render


class _Limit(NamedTuple):
    """A limit that ends a command, or that it runs into and goes on."""

    name: str
    ended: str  # what happened, `{most}` being the limit
    advice: str


_WHAT_HAPPENED: Mapping[Reason, str] = {
    "signaled": "The command was ended by a signal that did not come from Wand.",
    "timed_out": "The time limit ran out, so the command and all that it started were ended; what it printed "
    "until then is below. Give a larger timeout_seconds, or run less at once.",
    "cancelled": "The call was cancelled, so the command and all that it started were ended.",
    "output_limit": "The command printed more than is permitted and was ended, with all that it started. "
    "Redirect its output to a file, or filter it.",
    "lost": "The launcher died while the command ran. The command was ended with it; how far it came is not "
    "known. Look at what it changed before you run it again.",
}
UNKNOWN = "nobody knows how it ended, or whether it runs on. Look at what it changed before you run it again"
_LIMITS: Mapping[Reason, _Limit] = {
    "out_of_memory": _Limit(
        "memory_bytes",
        "The command and all that it started needed more memory than the {most} that they may have together, "
        "so the kernel ended them",
        "Do less at once (fewer parallel jobs, smaller pieces); files in /tmp and /dev/shm count too.",
    ),
    "process_limit": _Limit(
        "processes",
        "A process or thread could not be made: the command may have {most} at once",
        "Run fewer at the same time, as with make -j2; what failed may have been left undone.",
    ),
    "disk_limit": _Limit(
        "disk_bytes",
        "The command added more to the disk than the {most} that it may, so it was ended with all that it "
        "started",
        "What it wrote is still there: remove what is not needed.",
    ),
    "cpu_limit": _Limit(
        "cpu_seconds",
        "The command computed for longer than the {most} of processor time that it may use, so it was ended",
        "Run less at once.",
    ),
    "file_size_limit": _Limit(
        "file_size_bytes",
        "A file became larger than the {most} that any may have, so the program that wrote it was ended",
        "Write less, or several smaller files.",
    ),
}
_RAISING = "The limit {name} is set by the profile and the policy; a call cannot raise it."
_NO_MEMORY = "The machine ran out of memory, and the kernel ended the command with all that it started."


def notes(outcome: CommandOutcome) -> list[str]:
    """What has to be said of the end; nothing where a command just exited."""
    told = [_told(reason, outcome.limits) for reason in (outcome.reason, *outcome.also)]
    if outcome.backend not in ("", "native"):
        told = [_elsewhere(outcome), *told[outcome.reason == "lost" :]]
    return [text for text in dict.fromkeys(told) if text]


def _elsewhere(outcome: CommandOutcome) -> str:
    """Where it ran, and that nobody knows how it went where that is so."""
    if outcome.reason != "lost":
        return f"It ran on {outcome.backend}."
    return (
        f"The link to {outcome.backend} broke while the command ran: it may have ended, or run on. How far "
        "it came is not known. Look at what it changed before you run it again."
    )


def _told(reason: Reason, limits: Mapping[str, float]) -> str:
    limit = _LIMITS.get(reason)
    if limit is None:
        return _WHAT_HAPPENED.get(reason, "")
    if limit.name not in limits:
        return _NO_MEMORY if reason == "out_of_memory" else f"{limit.ended.format(most='amount')}."
    most = _amount(limit.name, limits[limit.name])
    return f"{limit.ended.format(most=most)}. {limit.advice} {_RAISING.format(name=limit.name)}"


def _amount(name: str, amount: float) -> str:
    if name.endswith("_seconds"):
        return render.seconds(amount)
    return render.size(amount) if name.endswith("_bytes") else f"{amount:.0f} processes"


def said(end: JobEnd) -> str:
    """An end in a few words."""
    if end.exit_code is None and end.signal is None:
        return end.reason.replace("_", " ")
    by = f"exit code {end.exit_code}" if end.signal is None else f"ended by {signal_name(end.signal)}"
    return by if end.reason in {"exited", "signaled"} else f"{by} ({end.reason})"


def signal_name(number: int | None) -> str | None:
    """A signal as people write it."""
    if not number:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
