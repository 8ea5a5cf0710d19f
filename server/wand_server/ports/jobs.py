"""What a tool may ask of jobs that run or have ended, and what it is told."""

from dataclasses import dataclass
from typing import Literal

StreamName = Literal["stdout", "stderr"]
Readable = Literal["stdout", "stderr", "times"]  # of a job in a terminal also when it showed what
Reason = Literal[
    "exited", "signaled", "timed_out", "cancelled", "output_limit", "lost",
    "out_of_memory", "process_limit", "disk_limit", "cpu_limit", "file_size_limit", "running",
]  # fmt: skip
Size = tuple[int, int]  # of a terminal: columns and rows; 0 is the host's own


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedJob:
    """A job that runs on by itself."""

    job: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a running job is given, in this order."""

    size: Size | None = None
    data: bytes = b""
    interrupt: bool = False  # Ctrl-C
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """Whether the job ran, and how much it had written before it was given anything."""

    running: bool
    stdout_bytes: int
    stderr_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended."""

    reason: Reason
    exit_code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPart:
    """A part of what a job wrote; what lies between the offset asked for and this one is lost."""

    data: bytes
    offset: int
    total_bytes: int
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job that runs or has ended lately; `end` is None while it runs."""

    job: str
    argv: tuple[str, ...]
    backend: str
    started_unix_seconds: float
    wall_seconds: float  # until now, or its end
    end: JobEnd | None
    stdout_bytes: int
    stderr_bytes: int
    terminal: Size | None = None
