"""How a job ended and what it used: by itself, by a signal, or by a limit that it ran into."""

import os
import signal
from collections.abc import Mapping
from typing import NamedTuple

_LIMIT_SIGNALS: Mapping[int, tuple[str, str]] = {
    signal.SIGXCPU: ("cpu_seconds", "cpu_limit"),
    signal.SIGXFSZ: ("file_size_bytes", "file_size_limit"),
}
_BY_SHELL = 128  # a shell whose command was ended by a signal exits with this and the signal


class Usage(NamedTuple):
    """What the processes of a job used together, and what they ran into."""

    cpu_seconds: float
    peak_memory_bytes: int
    out_of_memory: bool = False
    process_limit: bool = False


class Ending(NamedTuple):
    """How a job ended and what its processes used; the field names are those of the message."""

    job: str
    reason: str
    exit_code: int = 0
    signal: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0  # without control groups of the largest process, never less than our own
    also: tuple[str, ...] = ()  # limits that it ran into, and did not end by


class Known(NamedTuple):
    """What is known of a job when it has ended; `given` is the reason that somebody had to end it."""

    job: str
    given: str
    status: int  # see wait(2)
    wall_seconds: float
    limits: Mapping[str, float]


def ending(known: Known, usage: Usage) -> Ending:
    """How the job ended: what was done to it stands before what it did itself."""
    if not (known.given or known.status or usage.out_of_memory or usage.process_limit):  # as most do
        return _ended(known, usage, "exited")
    killed = os.WIFSIGNALED(known.status)
    own = _own_reason(known, usage)
    reason = known.given or own
    also: tuple[str, ...] = ()
    if own != "exited" or usage.process_limit or os.waitstatus_to_exitcode(known.status) > _BY_SHELL:
        hints = [own, _of_children(known), "process_limit" if usage.process_limit else ""]
        also = tuple(
            hint for hint in dict.fromkeys(hints) if hint.endswith(("_limit", "_memory")) and hint != reason
        )
    return _ended(known, usage, reason)._replace(
        exit_code=0 if killed else os.waitstatus_to_exitcode(known.status),
        signal=os.WTERMSIG(known.status) if killed else 0,
        also=also,
    )


def _ended(known: Known, usage: Usage, reason: str) -> Ending:
    return Ending(
        job=known.job,
        reason=reason,
        wall_seconds=round(known.wall_seconds, 6),
        cpu_seconds=round(usage.cpu_seconds, 6),
        peak_memory_bytes=usage.peak_memory_bytes,
    )


def _own_reason(known: Known, usage: Usage) -> str:
    """What the command itself came to."""
    if usage.out_of_memory:
        return "out_of_memory"
    if not os.WIFSIGNALED(known.status):
        return "exited"
    number = os.WTERMSIG(known.status)
    if number == signal.SIGKILL and usage.cpu_seconds >= known.limits.get("cpu_seconds", float("inf")):
        return "cpu_limit"  # it caught SIGXCPU, and went on
    return _limit_of(number, known.limits) or "signaled"


def _of_children(known: Known) -> str:
    """The limit by which a shell's command ended, where the shell passes that on as its own exit code."""
    if os.WIFSIGNALED(known.status):
        return ""
    return _limit_of(os.waitstatus_to_exitcode(known.status) - _BY_SHELL, known.limits)


def _limit_of(number: int, limits: Mapping[str, float]) -> str:
    name, reason = _LIMIT_SIGNALS.get(number, ("", ""))
    return reason if name in limits else ""
