"""What a tool may ask of the host; `hostlink` offers it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from wand_server.model import Call
from wand_server.ports.jobs import (
    Fed,
    Input,
    JobEnd,
    ListedJob,
    OutputPart,
    Readable,
    Reason,
    Size,
    StartedJob,
    StreamName,
)

OnOutput = Callable[[StreamName, bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to run: either words for one program, or text for a shell."""

    argv: tuple[str, ...] = ()
    shell: str = ""
    directory: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    stdin_open: bool = False  # it goes on with what `feed` gives; else it ends, in a terminal too
    terminal: Size | None = None
    wall_seconds: float | None = None
    backend: str = ""  # its name, or labels


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """How a command ended; each stream as head and tail, the middle left out where it was too much."""

    job: str
    reason: Reason
    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    stdout_bytes: int  # written in all
    stderr_bytes: int
    stdout_omitted: tuple[int, int] | None  # offsets [from, to) that `stdout` leaves out
    stderr_omitted: tuple[int, int] | None
    stdout_lost_bytes: int = 0  # of those that are left out: nobody has them any more
    stderr_lost_bytes: int = 0
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    directory: str
    also: tuple[Reason, ...] = ()  # limits that it ran into, and did not end by
    limits: Mapping[str, float] = field(default_factory=dict)  # as granted
    backend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """A part of a file; `next_line` is 0 at its end."""

    path: str
    data: bytes
    offset: int
    total_bytes: int
    binary: bool
    sha256: str
    modified_unix_seconds: float
    first_line: int
    next_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWritten:
    """A file as it is after a change; `diff` is unified and bounded, and empty but for edits."""

    path: str
    total_bytes: int
    sha256: str
    created: bool
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One edit: `old_text` must occur exactly once, or `every` be set."""

    old_text: str
    new_text: str
    every: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One name in a folder, its path relative to the listed one."""

    path: str
    kind: Literal["file", "directory", "link", "other"]
    bytes: int
    modified_unix_seconds: float
    mode: int
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A folder's names in order of path."""

    path: str
    entries: tuple[FileEntry, ...]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One line that matches, or one name (line 0)."""

    path: str
    line: int
    text: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found."""

    path: str
    matches: tuple[Match, ...]
    truncated: bool
    files_searched: int
    files_skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInfo:
    """What the host is; it rarely changes."""

    hostname: str
    os_name: str
    kernel: str
    architecture: str
    cpus: int
    memory_bytes: int
    boot_unix_seconds: float
    timezone: str
    workspace: str
    run_as: str
    version: str
    shells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One file system."""

    path: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """One thing that bounds a command here, or does not."""

    name: str
    enforced: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """How the host fares now."""

    load: tuple[float, float, float]
    cpu_percent: float
    memory_total_bytes: int
    memory_available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int
    disks: tuple[Disk, ...]
    uptime_seconds: float
    jobs_running: int
    jobs_ceiling: int
    launcher_up: bool
    policy_digest: str
    guarantees: tuple[Guarantee, ...]
    backends: tuple[str, ...] = ()  # a line for each: its name, its labels, whether it is down


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCommand:
    """Where a program is (empty: nowhere), and whether the caller may run it bare."""

    name: str
    path: str
    permitted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Which part of which file to read: by lines where `first_line` is given, else by bytes."""

    path: str
    first_line: int = 0
    max_lines: int = 0
    offset: int = 0
    max_bytes: int = 0
    last_lines: int = 0  # so many from the end instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What to write where; with `expected_sha256`, only over the file that the caller has seen."""

    path: str
    content: bytes
    mode: Literal["create", "replace", "append"]
    expected_sha256: str = ""
    create_directories: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for: a pattern in lines, or (without one) names."""

    path: str = ""
    pattern: str = ""
    literal: bool = False
    ignore_case: bool = False
    name_glob: str = ""
    max_matches: int = 0
    context_lines: int = 0
    hidden: bool = False
    skip: int = 0  # so many matches are left out first


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Which folder to list, and how much of what lies below it."""

    path: str = ""
    depth: int = 1
    max_entries: int = 0
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranging:
    """What is to become of a file, or of a folder with all that is in it."""

    what: Literal["move", "copy", "remove", "restore"]
    path: str
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """Where it is now, and how much there is of it."""

    path: str
    to: str
    files: int
    total_bytes: int


class Host(Protocol):
    """The host, as a tool sees it. Every method raises the family of `wand_proto.errors`."""

    async def run(self, call: Call, command: Command, on_output: OnOutput | None = None) -> CommandOutcome:
        """Run it, to its end or until a call has to be answered: then it is "running", and runs on by itself.

        Where the call may last, it does not have to be.
        """
        ...

    async def start(self, call: Call, command: Command) -> StartedJob:
        """Start it and let it run on; `read_output`, `feed` and `end_of` go on with it."""
        ...

    async def feed(self, call: Call, job: str, given: Input) -> Fed: ...

    async def end_of(self, call: Call, job: str) -> JobEnd:
        """How a job ended, once it has."""
        ...

    async def read_output(self, call: Call, job: str, stream: Readable, part: tuple[int, int]) -> OutputPart:
        """What the job wrote to `stream`; `part` is (offset, most bytes), 0 for the host's own most."""
        ...

    async def watch(
        self, call: Call, job: str, known: tuple[int, int], wait_seconds: float
    ) -> tuple[tuple[int, int], bool]:
        """How much the job has written to stdout and stderr, and whether it runs.

        Answers when that is more than is known, when the job has ended, or after that time.
        """
        ...

    async def search_output(
        self, call: Call, job: str, stream: StreamName, offset: int, search: Search
    ) -> Found:
        """The lines from `offset` on that match of what the job wrote."""
        ...

    async def list_jobs(self, call: Call, job: str = "") -> tuple[ListedJob, ...]:
        """The caller's jobs, running ones first; or the one of that name."""
        ...

    async def signal(self, call: Call, job: str, number: int) -> bool:
        """Send a signal to all processes of a job; False where it has ended."""
        ...

    async def info(self, call: Call) -> HostInfo: ...

    async def status(self, call: Call) -> HostStatus: ...

    async def find_commands(self, call: Call, names: Sequence[str]) -> tuple[FoundCommand, ...]: ...

    async def audit(self, call: Call, before: int) -> tuple[str, ...]:
        """The last records of the ledger, or those before number `before` where that is not 0.

        Each is a line of JSON, the oldest first, for who may read them.
        """
        ...

    async def read_file(self, call: Call, reading: Reading) -> FileRead: ...

    async def write_file(self, call: Call, writing: Writing) -> FileWritten: ...

    async def edit_file(
        self, call: Call, path: str, replacements: Sequence[Replacement], *, expected_sha256: str = ""
    ) -> FileWritten: ...

    async def list_directory(self, call: Call, wanted: List) -> Listing: ...

    async def search_files(self, call: Call, search: Search) -> Found: ...

    async def arrange(self, call: Call, arranging: Arranging) -> Arranged: ...
