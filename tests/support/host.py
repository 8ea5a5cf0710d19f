"""A host that exists only in a test: it keeps the port's shape and remembers what it was asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from wand_proto.errors import WandError
from wand_server import ports
from wand_server.model import Call, Principal

OUTCOME = ports.CommandOutcome(
    job="j1",
    reason="exited",
    exit_code=0,
    signal=None,
    stdout=b"",
    stderr=b"",
    stdout_bytes=0,
    stderr_bytes=0,
    stdout_omitted=None,
    stderr_omitted=None,
    wall_seconds=0.25,
    cpu_seconds=0.125,
    peak_memory_bytes=4096,
    directory="/work",
)
FILE = ports.FileRead(
    path="/work/a.txt",
    data=b"one\ntwo\n",
    offset=0,
    total_bytes=8,
    binary=False,
    sha256="ab" * 32,
    modified_unix_seconds=0.0,
    first_line=1,
    next_line=0,
)
WRITTEN = ports.FileWritten(path="/work/a.txt", total_bytes=8, sha256="cd" * 32, created=True)
ARRANGED = ports.Arranged(path="/work/a.txt", to="/work/b.txt", files=1, total_bytes=8)
INFO = ports.HostInfo(
    hostname="box",
    os_name="Debian GNU/Linux 12",
    kernel="6.1.0",
    architecture="x86_64",
    cpus=2,
    memory_bytes=8 * 2**30,
    boot_unix_seconds=0.0,
    timezone="UTC",
    workspace="/work",
    run_as="wand-job",
    version="0.1.0",
    shells=("/bin/bash",),
)
STATUS = ports.HostStatus(
    load=(0.5, 0.25, 0.125),
    cpu_percent=12.5,
    memory_total_bytes=8 * 2**30,
    memory_available_bytes=4 * 2**30,
    swap_total_bytes=0,
    swap_free_bytes=0,
    disks=(ports.Disk(path="/", total_bytes=100 * 2**30, free_bytes=50 * 2**30),),
    uptime_seconds=3600.0,
    jobs_running=1,
    jobs_ceiling=16,
    launcher_up=True,
    policy_digest="d1",
    guarantees=(ports.Guarantee(name="network", enforced=False, detail="commands may use it"),),
)


def outcome(stdout: bytes = b"", stderr: bytes = b"", **changes: object) -> ports.CommandOutcome:
    """An outcome that printed this, and is otherwise dull."""
    printed = replace(
        OUTCOME, stdout=stdout, stderr=stderr, stdout_bytes=len(stdout), stderr_bytes=len(stderr)
    )
    return replace(printed, **changes)  # type: ignore[arg-type]  # a test names the fields it changes


def call(progress: Callable[[float, float | None, str], Awaitable[None]] | None = None) -> Call:
    """A call of somebody called ann."""
    return Call(principal=Principal(name="ann", means="api_key"), request_id="r1", progress=progress)


@dataclass
class FakeHost:
    """Answers with what it was given, or raises `error`; `asked` holds every question in order."""

    outcome: ports.CommandOutcome = OUTCOME
    file: ports.FileRead = FILE
    written: ports.FileWritten = WRITTEN
    listing: ports.Listing = field(
        default_factory=lambda: ports.Listing(path="/work", entries=(), truncated=False)
    )
    found: ports.Found = field(
        default_factory=lambda: ports.Found(
            path="/work", matches=(), truncated=False, files_searched=0, files_skipped=0
        )
    )
    part: ports.OutputPart = field(
        default_factory=lambda: ports.OutputPart(data=b"", offset=0, total_bytes=0, running=False)
    )
    end: ports.JobEnd = field(default_factory=lambda: ports.JobEnd(reason="exited", exit_code=3, signal=None))
    commands: tuple[ports.FoundCommand, ...] = ()
    listed: tuple[ports.ListedJob, ...] = ()
    arranged: ports.Arranged = ARRANGED
    error: Exception | None = None
    while_running: Callable[[ports.OnOutput], Awaitable[None]] | None = None
    asked: list[object] = field(default_factory=list)
    fed: list[ports.Input] = field(default_factory=list)

    def _remember(self, question: object) -> None:
        self.asked.append(question)
        if self.error is not None:
            raise self.error

    async def run(
        self, call: Call, command: ports.Command, on_output: ports.OnOutput | None = None
    ) -> ports.CommandOutcome:
        self._remember(command)
        if self.while_running is not None and on_output is not None:
            await self.while_running(on_output)
        return self.outcome

    async def start(self, call: Call, command: ports.Command) -> ports.StartedJob:
        self._remember(command)
        return ports.StartedJob(job="j1", directory="/work")

    async def feed(self, call: Call, job: str, given: ports.Input) -> ports.Fed:
        self._remember((job, given))
        self.fed.append(given)
        return ports.Fed(running=self.part.running, stdout_bytes=self.part.offset, stderr_bytes=0)

    async def end_of(self, call: Call, job: str) -> ports.JobEnd:
        self._remember(f"end of {job}")
        return self.end

    async def read_output(
        self, call: Call, job: str, stream: ports.Readable, part: tuple[int, int]
    ) -> ports.OutputPart:
        self._remember((job, stream, part))
        return self.part

    async def watch(
        self, call: Call, job: str, known: tuple[int, int], wait_seconds: float
    ) -> tuple[tuple[int, int], bool]:
        self._remember((job, known, wait_seconds))
        if self.part.running and known == (self.part.total_bytes,) * 2:
            await asyncio.sleep(wait_seconds)  # nothing comes
        return (self.part.total_bytes, self.part.total_bytes), self.part.running

    async def search_output(
        self, call: Call, job: str, stream: ports.StreamName, offset: int, search: ports.Search
    ) -> ports.Found:
        self._remember((job, stream, offset, search))
        return self.found

    async def list_jobs(self, call: Call, job: str = "") -> tuple[ports.ListedJob, ...]:
        self._remember(f"jobs {job}")
        return self.listed

    async def signal(self, call: Call, job: str, number: int) -> bool:
        self._remember(f"signal {number} to {job}")
        return self.part.running

    async def info(self, call: Call) -> ports.HostInfo:
        self._remember("info")
        return INFO

    async def status(self, call: Call) -> ports.HostStatus:
        self._remember("status")
        return STATUS

    async def audit(self, call: Call, before: int) -> tuple[str, ...]:
        self._remember(f"audit {before}")
        records = tuple(f'{{"seq":{seq},"event":"run"}}' for seq in range(before or 5))
        return records[-2:]

    async def find_commands(self, call: Call, names: Sequence[str]) -> tuple[ports.FoundCommand, ...]:
        self._remember(tuple(names))
        return self.commands

    async def read_file(self, call: Call, reading: ports.Reading) -> ports.FileRead:
        self._remember(reading)
        return self.file

    async def write_file(self, call: Call, writing: ports.Writing) -> ports.FileWritten:
        self._remember(writing)
        return self.written

    async def edit_file(
        self, call: Call, path: str, replacements: Sequence[ports.Replacement], *, expected_sha256: str = ""
    ) -> ports.FileWritten:
        self._remember((path, tuple(replacements), expected_sha256))
        return self.written

    async def list_directory(self, call: Call, wanted: ports.List) -> ports.Listing:
        self._remember(wanted)
        return self.listing

    async def search_files(self, call: Call, search: ports.Search) -> ports.Found:
        self._remember(search)
        return self.found

    async def arrange(self, call: Call, arranging: ports.Arranging) -> ports.Arranged:
        self._remember(arranging)
        return self.arranged


def refusing(error: WandError) -> FakeHost:
    """A host that raises this, whatever it is asked."""
    return FakeHost(error=error)
