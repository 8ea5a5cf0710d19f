"""One job from its permit to its end and a while longer: what it wrote, how it ended, who may ask for it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Literal

from wand_hostagent.backends.base import ExecutionBackend
from wand_hostagent.model import Event, Exited, Output, Reason, Size, Started
from wand_hostagent.positions import Counts
from wand_hostagent.recording import Recording
from wand_hostagent.spool import Spool
from wand_proto.errors import Conflict, NotFound

PART_BYTES = 256 * 1024

StreamName = Literal["stdout", "stderr"]
Readable = Literal["stdout", "stderr", "times"]  # what can be read on: of a terminal also its times


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job in a list."""

    job: str
    backend: str
    profile: str
    argv: tuple[str, ...]
    started_unix_seconds: float
    running: bool
    exited: Exited | None
    written: Counts
    terminal: Size | None  # as large as it is now


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPart:
    """A part of what a job wrote; while it runs, more may come. What lies between the offset asked for and
    this one is lost.
    """

    data: bytes
    offset: int
    total_bytes: int
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """A job that was given something: whether it ran, and how much it had written `before`."""

    running: bool
    before: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of a job before it starts."""

    job: str
    principal: str
    argv: tuple[str, ...]
    profile: str
    backend: ExecutionBackend
    began_unix_seconds: float


class Run:
    """A job's events as they come, and whoever follows them."""

    def __init__(self, origin: Origin, spools: tuple[Spool, Spool], recording: Recording | None) -> None:
        self.origin = origin
        self.recording = recording
        self.alone = False  # it has lost its call, and was told to run on
        self.started: Started | None = None
        self.exited: Exited | None = None
        self.ended_monotonic = 0.0
        self._failure: Exception | None = None
        self._spools: dict[StreamName, Spool] = {"stdout": spools[0], "stderr": spools[1]}
        self._feeding: asyncio.Lock | None = None
        self._news: asyncio.Event | None = None  # while somebody waits for it
        self._followers = 0
        self._left_alone = time.monotonic()

    @property
    def running(self) -> bool:
        return self.exited is None and self._failure is None

    @property
    def feeding(self) -> asyncio.Lock:
        """Held while something is recorded and given, so that the order is kept."""
        if self._feeding is None:
            self._feeding = asyncio.Lock()
        return self._feeding

    @property
    def kept_bytes(self) -> int:
        """What lies on disk."""
        return sum(spool.kept for spool in self._all_spools())

    @property
    def is_in_files(self) -> bool:
        """Whether some of what it wrote outlives us."""
        return any(spool.is_in_file for spool in self._spools.values())

    def _all_spools(self) -> Iterator[Spool]:
        yield from self._spools.values()
        if self.recording is not None:
            yield self.recording.spool

    def offsets(self) -> Counts:
        """How much has come of stdout and of stderr."""
        return self._spools["stdout"].total, self._spools["stderr"].total

    def summary(self) -> JobSummary:
        return JobSummary(
            job=self.origin.job,
            backend=self.origin.backend.name,
            profile=self.started.profile if self.started else self.origin.profile,
            argv=self.origin.argv,
            started_unix_seconds=self.origin.began_unix_seconds,
            running=self.running,
            exited=self.exited,
            written=self.offsets(),
            terminal=self.recording.size if self.recording else None,
        )

    # -- what the one reader of the job's pipes says --------------------------------------------------------

    def take(self, event: Event) -> None:
        """Keep the next event, and tell whoever follows."""
        match event:
            case Output():
                self._spools[event.stream].append(event.data)
                if self.recording is not None:
                    self.recording.shown(event.offset)
            case Started():
                self.started = event
            case Exited():
                self.exited = event
        self._ring()

    def fail(self, error: Exception) -> None:
        """It never started, or cannot be followed any more."""
        self._failure = error
        self._ring()

    def end(self) -> None:
        """Nobody reads its pipes any more; an end that nobody told was ours."""
        if self.started is not None and self.running:
            stdout, stderr = self.offsets()
            self.exited = Exited(
                job=self.origin.job,
                reason=Reason.CANCELLED,
                wall_seconds=time.time() - self.origin.began_unix_seconds,
                stdout_bytes=stdout,
                stderr_bytes=stderr,
            )
        self.ended_monotonic = time.monotonic()
        self.close()
        self._ring()

    def to_files(self) -> None:
        """Keep its output in files, which outlive us."""
        for spool in self._all_spools():
            spool.to_file()

    def take_up(self, taken: Counts) -> Counts:
        """Go on where an earlier host agent has stopped reading; how much of what it read is lost."""
        return self._spools["stdout"].take_up(taken[0]), self._spools["stderr"].take_up(taken[1])

    def has_ended(self, started: Started, exited: Exited, ended_monotonic: float) -> None:
        """It has, before we came."""
        self.started, self.ended_monotonic = started, ended_monotonic
        self.take_up((exited.stdout_bytes, exited.stderr_bytes))
        stdout, stderr = self.offsets()  # of one that is lost, the files alone know
        self.exited = replace(exited, stdout_bytes=stdout, stderr_bytes=stderr)

    def close(self) -> None:
        for spool in self._all_spools():
            spool.close()

    def remove(self) -> None:
        """Throw away what it wrote."""
        for spool in self._all_spools():
            spool.remove()

    def _ring(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    # -- whoever follows ------------------------------------------------------------------------------------

    def part(self, stream: Readable, offset: int, most_bytes: int) -> OutputPart:
        """What it wrote to a stream, from `offset` on, or from the first byte behind it that is not lost.

        Raises:
            NotFound: it has no terminal, whose times could be read.
        """
        spool = self._times if stream == "times" else self._spools[stream]
        begin, data = spool.read(offset, most_bytes)
        return OutputPart(data=data, offset=begin, total_bytes=spool.total, running=self.running)

    @property
    def _times(self) -> Spool:
        if self.recording is None:
            raise NotFound(f"job {self.origin.job} has no terminal", hint="run it in one", field="stream")
        return self.recording.spool

    @property
    def alone_seconds(self) -> float:
        """For how long nobody has followed it or waited for it."""
        return 0.0 if self._followers else time.monotonic() - self._left_alone

    @contextmanager
    def _followed(self) -> Iterator[None]:
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            self._left_alone = time.monotonic()

    async def wait(self) -> Exited:
        """How it ended."""
        with self._followed():
            while self.exited is None:
                if self._failure is not None:
                    raise self._failure
                await self._next()
            return self.exited

    async def watch(self, known: Counts, wait_seconds: float) -> Counts:
        """How much it has written, once that is more than is known, it has ended, or the time is over."""
        with self._followed(), suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                while self.running and self.offsets() == known:
                    await self._next()
        return self.offsets()

    async def follow(self, stdout_offset: int, stderr_offset: int) -> AsyncGenerator[Event, None]:
        """Its events once more, the output from the given offsets on; closing this leaves the job alone.

        Raises:
            Conflict: an offset lies behind all that was written, as far as we know.
        """
        offsets: dict[StreamName, int] = {"stdout": stdout_offset, "stderr": stderr_offset}
        with self._followed():
            while self.started is None:
                if self._failure is not None:
                    raise self._failure
                await self._next()
            self._check(offsets)
            yield self.started
            while True:
                running, anything = self.running, False
                for output in self._kept_from(offsets):
                    anything = True
                    yield output
                if not anything and not running:
                    yield await self.wait()
                    return
                if not anything:
                    await self._next()

    def _kept_from(self, offsets: dict[StreamName, int]) -> Iterator[Output]:
        """The next part of each stream, its offset moved on."""
        for stream, spool in self._spools.items():
            begin, part = spool.read(spool.next_kept(offsets[stream]), PART_BYTES)
            if part:
                offsets[stream] = begin + len(part)
                yield Output(stream=stream, data=part, offset=begin)

    def _check(self, offsets: Mapping[StreamName, int]) -> None:
        """Let nobody wait at a place that the job has not come to, and miss what it writes until there."""
        for stream, offset in offsets.items():
            if offset > self._spools[stream].total:
                raise Conflict(
                    f"{stream} has {self._spools[stream].total} bytes, fewer than {offset}",
                    hint="where the count was lost with an earlier host agent, begin again at 0",
                    field=f"{stream}_offset",
                )

    async def _next(self) -> None:
        """Wait for what comes next; between a look and this nothing may be awaited."""
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()


def first_to_go(
    ended: Iterable[Run], weight: Callable[[Run], int] = lambda _: 1, running: Iterable[Run] = ()
) -> Run | None:
    """Which goes where there is no room: the oldest of the principal who has the most, or nobody's.

    So nobody crowds out what others have. What runs counts, and cannot go.
    """
    oldest: dict[str, Run] = {}
    shares: Counter[str] = Counter()
    for run in ended:
        if weighs := weight(run):
            shares[run.origin.principal] += weighs
            oldest.setdefault(run.origin.principal, run)
    for run in running:
        if run.origin.principal in oldest:
            shares[run.origin.principal] += weight(run)
    return oldest[max(shares, key=shares.__getitem__)] if oldest else None
