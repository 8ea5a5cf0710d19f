"""What a job wrote, kept to be read on: in memory while it is little, else in a file of its own."""

import logging
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from wand_proto.errors import Broken, Exhausted, Invalid, NotFound

log = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SUFFIXES = (".stdout", ".stderr")


class Room:
    """The disk that all spools share, each of them half of it at most."""

    def __init__(self, most_bytes: int, make_way: Callable[[int], None] = lambda _: None) -> None:
        self.used_bytes = 0
        self._most_bytes = most_bytes
        self._make_way = make_way  # called with what is too much; it removes what can be spared

    @property
    def rule(self) -> str:
        """What is kept, in words."""
        return f"at most {self._most_bytes // 2} bytes of a stream are kept, and {self._most_bytes} of all"

    def fitting(self, kept_bytes: int, more_bytes: int) -> int:
        """How much more a spool may keep that keeps so much."""
        wanted = min(more_bytes, self._most_bytes // 2 - kept_bytes)
        if self.used_bytes + wanted > self._most_bytes:
            self._make_way(self.used_bytes + wanted - self._most_bytes)
        return max(0, min(wanted, self._most_bytes - self.used_bytes))


class Spool:
    """One stream of one job; `total` counts every byte written, kept or not, `start` those lost before."""

    def __init__(self, path: Path, room: Room) -> None:
        self.total = 0
        self.start = 0
        self._start_is_known = True
        self._path = path
        self._room = room
        self._memory = bytearray()
        self._in_file = False
        self._file = -1
        self._kept = 0
        self._failure = ""

    @property
    def kept(self) -> int:
        """How many bytes lie on disk."""
        return self._kept

    def append(self, part: bytes) -> None:
        """Keep what was written; where the disk is full, count it and go on."""
        self.total += len(part)
        if self._in_file:
            self._write(part)
            return
        self._memory += part
        if len(self._memory) > MEMORY_BYTES:
            self.to_file()

    def to_file(self) -> None:
        """From here on keep everything in the file, so that it survives us."""
        if self._in_file:
            return
        self._in_file = True
        memory, self._memory = bytes(self._memory), bytearray()
        if memory:
            self._write(memory)

    def take_up(self) -> None:
        """Go on with the file that an earlier host agent has left."""
        self._in_file = True
        if not self._path.exists():
            self._start_is_known = False
            return
        self._open()
        self.total = self._kept = os.fstat(self._file).st_size
        self._room.used_bytes += self._kept

    def begin_at(self, offset: int) -> None:
        """Where an earlier host agent has left nothing, take a follower's word for what it had handed on."""
        if not self._start_is_known:
            self._start_is_known = True
            self.start, self.total = offset, offset + self.total

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)

    def _write(self, part: bytes) -> None:
        if self._failure:
            return
        fitting = self._room.fitting(self._kept, len(part))
        self._failure = self._write_all(part[:fitting])
        if fitting < len(part):
            self._failure = self._failure or self._room.rule
        if self._failure:
            log.warning("output not kept", extra={"file": self._path.name, "why": self._failure})

    def _write_all(self, part: bytes) -> str:
        """Write it; why that failed, or nothing."""
        try:
            if self._file < 0:
                self._open()
            left = memoryview(part)
            while left:
                written = os.write(self._file, left)
                self._kept += written
                self._room.used_bytes += written
                left = left[written:]
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def read(self, offset: int, most_bytes: int) -> bytes:
        """From `offset` on, as much as there is, up to `most_bytes`.

        Raises:
            Exhausted: there was no room for it when it was written.
            NotFound: it was lost with an earlier host agent.
        """
        if not self._in_file:
            return bytes(self._memory[offset : offset + most_bytes])
        if offset < self.start:
            raise NotFound(
                f"output before byte {self.start} was lost when the host agent was killed",
                hint=f"read on from offset {self.start}",
            )
        end = self.start + self._kept
        if self._failure and end <= offset < self.total:
            raise Exhausted(f"output from byte {end} on could not be kept: {self._failure}")
        return self._read_file(offset - self.start, most_bytes) if offset < end else b""

    def next_kept(self, offset: int) -> int:
        """The offset to read on from, past what was lost or not kept."""
        is_gone = self._failure and offset >= self.start + self._kept
        return max(offset, self.total if is_gone else self.start)

    def _read_file(self, place: int, most_bytes: int) -> bytes:
        opened = self._file < 0
        try:
            if opened:
                self._open()
            return os.pread(self._file, min(most_bytes, self._kept - place), place)
        except OSError as error:
            raise Broken(f"{self._path.name} cannot be read: {error.strerror}") from error
        finally:
            if opened:
                self.close()

    def close(self) -> None:
        """Let go of the descriptor; reading and writing open the file again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Throw it away."""
        self.close()
        self._memory.clear()
        self._path.unlink(missing_ok=True)
        self._room.used_bytes -= self._kept
        self._kept = 0


class SpoolFolder:
    """The folder in which spools have their files; ours alone."""

    def __init__(self, folder: Path, room: Room) -> None:
        self._folder = folder
        self._room = room
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def spools(self, job: str) -> tuple[Spool, Spool]:
        """The spools of a job's stdout and stderr; no file is made yet."""
        if not JOB_NAME.fullmatch(job):
            raise Invalid("must be letters, digits, - and _", field="job")
        stdout, stderr = (Spool(self._folder / f"{job}{suffix}", self._room) for suffix in _SUFFIXES)
        return stdout, stderr

    def remove_others(self, jobs: Collection[str]) -> None:
        """Remove what was left of jobs that nobody knows any more."""
        for path in self._folder.iterdir():
            if path.suffix in _SUFFIXES and path.stem not in jobs:
                path.unlink(missing_ok=True)
