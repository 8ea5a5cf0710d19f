"""The values that walk through the host agent: a Job comes in, Events and an Exited come out.

A Permit or a Refusal stands between them; those belong to `policy.model`, which alone makes them.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Size = tuple[int, int]  # of a terminal: columns and rows


class Reason(StrEnum):
    """Why a job ended."""

    EXITED = "exited"
    SIGNALED = "signaled"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    OUTPUT_LIMIT = "output_limit"
    LOST = "lost"
    OUT_OF_MEMORY = "out_of_memory"
    PROCESS_LIMIT = "process_limit"
    DISK_LIMIT = "disk_limit"
    CPU_LIMIT = "cpu_limit"
    FILE_SIZE_LIMIT = "file_size_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a job may use; None is the profile's own ceiling."""

    wall_seconds: float | None = None
    memory_bytes: int | None = None
    cpu_seconds: float | None = None
    processes: int | None = None
    open_files: int | None = None
    file_size_bytes: int | None = None
    output_bytes: int | None = None
    disk_bytes: int | None = None
    cpu_percent: int | None = None

    def named(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: amount for name in self.__slots__ if (amount := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command as it was asked for, read whole and not yet permitted."""

    id: str
    argv: tuple[str, ...]  # with `shell`, the text is its only word
    shell: bool = False
    directory: str = ""  # empty: the workspace; what is not UTF-8 in it is as os.fsdecode has it
    environment: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    limits: Limits = field(default_factory=Limits)
    profile: str = ""  # empty: the one that the rule names
    backend: str = ""  # empty: the default one
    detached: bool = False
    terminal: Size | None = None
    stdin_open: bool = False  # it goes on with what it is given while it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a running job is given; done in the order of the fields."""

    resize: Size | None = None
    data: bytes = b""
    interrupt: bool = False  # Ctrl-C
    end: bool = False


class FileVerb(StrEnum):
    """What a file tool does to a path."""

    READ = "read"
    WRITE = "write"
    EDIT = "edit"
    LIST = "list"
    SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAct:
    """One use of a file tool as it was asked for."""

    id: str
    verb: FileVerb
    path: str
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The job runs, within these limits."""

    job: str
    backend: str
    profile: str
    rule: str
    limits: Limits
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Bytes that the job wrote; `offset` is the first one's place in its stream."""

    stream: Literal["stdout", "stderr"]
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """How the job ended and what it used, its whole process tree counted."""

    job: str
    reason: Reason
    exit_code: int = 0
    signal: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    also: tuple[Reason, ...] = ()  # limits that its processes ran into, and it did not end by


Event = Started | Output | Exited


def visible(text: str) -> str:
    """A text in which nothing can hide: what does not print is escaped, and many blanks are counted."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return re.sub(r" {8,}", lambda found: f" [{len(found[0])} blanks] ", plain)
