"""What a job wrote, kept to be read on: in memory while it is little, else in files of its own.

A file holds a part of a stream without a hole, and its name says at which byte it begins: `j1.stdout` at 0,
`j1.4096.stdout` at 4096. There is more than one part where a host agent died with output that lay in no file
yet: what is missing between two parts is lost, and everything else keeps its place.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from wand_proto.errors import Broken, Exhausted, Invalid

log = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024
SPARED_BYTES = 64 * 1024 * 1024  # of a disk, or a tenth of a small one
LOOK_BYTES = 4 * 1024 * 1024  # written between two looks at how full it is
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SUFFIXES = (".stdout", ".stderr")
_TIMES, _END, _ALONE = ".times", ".end", ".alone"


class Room:
    """The disk that all spools share, each of them half of it at most."""

    def __init__(
        self,
        most_bytes: int,
        make_way: Callable[[int], None] = lambda _: None,
        free_bytes: Callable[[], int] = lambda: sys.maxsize,
    ) -> None:
        self.used_bytes = 0
        self._most_bytes = most_bytes
        self._make_way = make_way  # called with what is too much; it removes what can be spared
        self._free_bytes = free_bytes  # of the disk, that may be taken
        self.lack = ""  # what the last that did not fit ran into
        self._unlooked_bytes = 0  # that there were, when the disk was looked at, and have not been taken

    def fitting(self, kept_bytes: int, more_bytes: int) -> int:
        """How much more a spool may keep that keeps so much."""
        wanted = min(more_bytes, self._most_bytes // 2 - kept_bytes)
        if self.used_bytes + wanted > self._most_bytes:
            self._make_way(self.used_bytes + wanted - self._most_bytes)
        if self._is_short_of(wanted):
            self._make_way(wanted)
            self._is_short_of(wanted)
        fitting = max(0, min(wanted, self._most_bytes - self.used_bytes, self._unlooked_bytes))
        if fitting < more_bytes:
            self.lack = self._lack(fitting, wanted, more_bytes)
        self._unlooked_bytes -= fitting
        return fitting

    def _lack(self, fitting: int, wanted: int, more_bytes: int) -> str:
        """What keeps the rest of it from being kept."""
        if fitting == wanted < more_bytes:
            return f"at most {self._most_bytes // 2} bytes of a stream are kept"
        if self._unlooked_bytes <= fitting:
            return "the disk has no room left for output"
        return f"at most {self._most_bytes} bytes of all jobs are kept"

    def _is_short_of(self, wanted: int) -> bool:
        """Whether the disk has less; it is looked at now and then."""
        if wanted > self._unlooked_bytes:
            self._unlooked_bytes = min(self._free_bytes(), max(wanted, LOOK_BYTES))
        return wanted > self._unlooked_bytes


def free_on(folder: Path) -> int:
    """How much of the disk may be taken: the ledger, and all else that lies there, has to go on."""
    try:
        about = os.statvfs(folder)
    except OSError:  # whoever writes there is told why it cannot be
        return sys.maxsize
    spared = min(SPARED_BYTES, about.f_blocks * about.f_frsize // 10)
    return max(0, about.f_bavail * about.f_frsize - spared)


class Part:
    """A file that holds a stream from byte `start` on."""

    def __init__(self, path: str, room: Room, start: int = 0) -> None:
        self.start = start
        self.kept = 0
        self.path = path
        self._room = room
        self._file = -1
        self._is_there = False

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def end(self) -> int:
        return self.start + self.kept

    def take_up(self) -> None:
        """Go on with what an earlier host agent has left in the file."""
        self._is_there = True
        self._grow(Path(self.path).stat().st_size)

    def _grow(self, bytes_more: int) -> None:
        self.kept += bytes_more
        self._room.used_bytes += bytes_more

    def write(self, data: bytes) -> str:
        """Add to the end; why that failed, or nothing."""
        try:
            if self._file < 0:
                self._open()
            left = memoryview(data)
            while left:
                written = os.write(self._file, left)
                self._grow(written)
                left = left[written:]
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def read(self, offset: int, most_bytes: int) -> bytes:
        opened = self._file < 0
        try:
            if opened:
                self._open()
            return os.pread(self._file, min(most_bytes, self.end - offset), offset - self.start)
        except OSError as error:
            raise Broken(f"{self.name} cannot be read: {error.strerror}") from error
        finally:
            if opened:
                self.close()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)
        self._is_there = True

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        self.close()
        if self._is_there:
            Path(self.path).unlink(missing_ok=True)
        self._grow(-self.kept)


class Spool:
    """One stream of one job; `total` counts every byte written, kept or not."""

    def __init__(self, path: str, room: Room) -> None:
        self.total = 0
        self._path = path
        self._room = room
        self._parts: list[Part] = []  # none before there is a file
        self._memory = bytearray()
        self._in_file = False
        self._failure = ""

    @property
    def is_in_file(self) -> bool:
        """Whether what is written outlives us."""
        return self._in_file

    @property
    def kept(self) -> int:
        """How many bytes lie on disk."""
        return sum(part.kept for part in self._parts)

    def append(self, data: bytes) -> None:
        """Keep what was written; where the disk is full, count it and go on."""
        self.total += len(data)
        if self._in_file:
            self._write(data)
            return
        self._memory += data
        if len(self._memory) > MEMORY_BYTES:
            self.to_file()

    def to_file(self) -> None:
        """From here on keep everything in the file, so that it survives us."""
        if self._in_file:
            return
        self._in_file = True
        self._parts.append(Part(self._path, self._room))
        memory, self._memory = bytes(self._memory), bytearray()
        if memory:
            self._write(memory)

    def take_up(self, taken: int) -> int:
        """Go on behind the first `taken` bytes; how many of them lie in no file, and are lost."""
        self._in_file = True
        self._parts = _parts_left(Path(self._path), self._room) or [Part(self._path, self._room)]
        self.total = max(taken, self._parts[-1].end)
        if self.total > self._parts[-1].end:
            stem, dot, stream = self._path.rpartition(".")
            path = f"{stem}.{self.total}{dot}{stream}"
            self._parts.append(Part(path, self._room, self.total))
        return self.total - self.kept

    def _write(self, data: bytes) -> None:
        if self._failure:
            return
        part, fitting = self._parts[-1], self._room.fitting(self.kept, len(data))
        self._failure = part.write(data[:fitting])
        if fitting < len(data):
            self._failure = self._failure or self._room.lack
        if self._failure:
            log.warning("output not kept", extra={"file": part.name, "why": self._failure})

    def read(self, offset: int, most_bytes: int) -> tuple[int, bytes]:
        """From `offset` on, or from the first byte behind it that is not lost: where, and up to `most_bytes`.

        Raises:
            Exhausted: there was no room for it when it was written.
        """
        if not self._in_file:
            return offset, bytes(self._memory[offset : offset + most_bytes])
        for part in self._parts:
            if offset < part.end:
                begin = max(offset, part.start)
                return begin, part.read(begin, most_bytes)
        if self._failure and offset < self.total:
            raise Exhausted(f"output from byte {part.end} on could not be kept: {self._failure}")
        return max(offset, part.start), b""

    def next_kept(self, offset: int) -> int:
        """The offset to read on from, past what was not kept for want of room."""
        return max(offset, self.total) if self._failure and offset >= self._parts[-1].end else offset

    def close(self) -> None:
        """Let go of the descriptors; reading and writing open the files again."""
        for part in self._parts:
            part.close()

    def remove(self) -> None:
        """Throw it away."""
        self._memory.clear()
        for part in self._parts:
            part.remove()


def _parts_left(first: Path, room: Room) -> list[Part]:
    """The files of a stream that an earlier host agent has left, in order of their start."""
    named = re.compile(rf"{re.escape(first.stem)}(?:\.(\d{{1,19}}))?{re.escape(first.suffix)}")
    with os.scandir(first.parent) as entries:  # of all jobs: only those that match are looked at
        found = [
            (entry.path, match)
            for entry in entries
            if (match := named.fullmatch(entry.name)) and entry.is_file()
        ]
    parts = [Part(path, room, int(match[1] or 0)) for path, match in found]
    for part in parts:
        part.take_up()
    return sorted(parts, key=lambda part: part.start)


class SpoolFolder:
    """The folder in which spools have their files; ours alone."""

    def __init__(self, folder: Path, room: Room) -> None:
        self._folder = folder
        self._path = str(folder)
        self._room = room
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def spools(self, job: str) -> tuple[Spool, Spool]:
        """The spools of a job's stdout and stderr; no file is made yet."""
        if not JOB_NAME.fullmatch(job):
            raise Invalid("must be letters, digits, - and _", field="job")
        stdout, stderr = (f"{self._path}/{job}{suffix}" for suffix in _SUFFIXES)
        return Spool(stdout, self._room), Spool(stderr, self._room)

    def fresh(self, job: str) -> tuple[Spool, Spool]:
        """The same; what there is of an earlier host agent's is removed, for all of it comes again."""
        spools = self.spools(job)
        for path in self._folder.iterdir():
            if path.suffix in _SUFFIXES and path.name.partition(".")[0] == job:
                path.unlink(missing_ok=True)
        return spools

    def times(self, job: str) -> Spool:
        """The spool of when a job's terminal showed what."""
        return Spool(f"{self._path}/{job}{_TIMES}", self._room)

    def keep_end(self, job: str, text: str) -> None:
        """Keep beside what it wrote how a job ended; where the disk is full, our successor will not know."""
        path = self._folder / f"{job}{_END}"
        try:
            path.touch(0o600)
            path.write_text(text)
        except OSError as error:
            log.warning("end not kept", extra={"job": job, "why": error.strerror})
            path.unlink(missing_ok=True)

    def ends(self) -> list[Path]:
        """The files that tell how jobs ended."""
        return [path for path in self._folder.iterdir() if path.suffix == _END]

    def forget(self, job: str) -> None:
        """Remove what is kept of a job beside its spools."""
        for suffix in (_END, _ALONE):
            (self._folder / f"{job}{suffix}").unlink(missing_ok=True)

    def set_alone(self, job: str) -> None:
        """Have a successor know that the job runs on without its call, where the disk is not full."""
        try:
            (self._folder / f"{job}{_ALONE}").touch(0o600)
        except OSError as error:  # it runs on for as long as we do
            log.warning("job not known to run alone", extra={"job": job, "why": error.strerror})

    def is_alone(self, job: str) -> bool:
        """Whether it was said to run on without its call."""
        return (self._folder / f"{job}{_ALONE}").exists()

    def remove_others(self, jobs: Collection[str]) -> None:
        """Remove what was left of jobs that nobody knows any more."""
        for path in self._folder.iterdir():
            if path.suffix in (*_SUFFIXES, _TIMES, _END, _ALONE) and path.name.partition(".")[0] not in jobs:
                path.unlink(missing_ok=True)
