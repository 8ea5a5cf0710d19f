"""What a job wrote, kept to be read on: in memory while it is little, else in a file of its own."""

import logging
import os
import re
from collections.abc import Collection
from pathlib import Path

from wand_proto.errors import Broken, Exhausted, Invalid

log = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SUFFIXES = (".stdout", ".stderr")


class Spool:
    """One stream of one job; `total` counts every byte written, kept or not."""

    def __init__(self, path: Path) -> None:
        self.total = 0
        self._path = path
        self._memory = bytearray()
        self._in_file = False
        self._file = -1
        self._kept = 0
        self._failure = ""

    @property
    def kept(self) -> int:
        """How many bytes lie on disk."""
        return self._kept if self._in_file else 0

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
        if self._path.exists():
            self._open()
            self.total = self._kept = os.fstat(self._file).st_size

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)

    def _write(self, part: bytes) -> None:
        if self._failure:
            return
        try:
            if self._file < 0:
                self._open()
            left = memoryview(part)
            while left:
                written = os.write(self._file, left)
                self._kept += written
                left = left[written:]
        except OSError as error:
            self._failure = error.strerror or str(error)
            log.error("output not kept", extra={"file": self._path.name, "error": self._failure})  # noqa: TRY400 - one line says it

    def read(self, offset: int, most_bytes: int) -> bytes:
        """From `offset` on, as much as there is, up to `most_bytes`.

        Raises:
            Exhausted: the disk was full when it was written.
        """
        if not self._in_file:
            return bytes(self._memory[offset : offset + most_bytes])
        if self._failure and offset >= self._kept and offset < self.total:
            raise Exhausted(f"output from byte {self._kept} on could not be kept: {self._failure}")
        return self._read_file(offset, most_bytes) if offset < self._kept else b""

    def _read_file(self, offset: int, most_bytes: int) -> bytes:
        opened = self._file < 0
        try:
            if opened:
                self._open()
            return os.pread(self._file, min(most_bytes, self._kept - offset), offset)
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


class SpoolFolder:
    """The folder in which spools have their files; ours alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def spools(self, job: str) -> tuple[Spool, Spool]:
        """The spools of a job's stdout and stderr; no file is made yet."""
        if not JOB_NAME.fullmatch(job):
            raise Invalid("must be letters, digits, - and _", field="job")
        stdout, stderr = (Spool(self._folder / f"{job}{suffix}") for suffix in _SUFFIXES)
        return stdout, stderr

    def remove_others(self, jobs: Collection[str]) -> None:
        """Remove what was left of jobs that nobody knows any more."""
        for path in self._folder.iterdir():
            if path.suffix in _SUFFIXES and path.stem not in jobs:
                path.unlink(missing_ok=True)
