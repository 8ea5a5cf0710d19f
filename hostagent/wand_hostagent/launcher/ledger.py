"""The ledger: a file of sealed lines, durable before the act.

A write that fails is taken back, and nothing is done: a full disk refuses (Exhausted) until there is room
again; a disk that fails refuses (Broken) until the launcher starts anew and has read the file.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_hostagent.launcher import record
from wand_hostagent.launcher.refusal import Refused, reason_of
from wand_hostagent.launcher.sha256 import hash_of

FILE = "ledger.jsonl"
_BEGINS = frozenset({"run", "worker"})
_ENDS = frozenset({"end", "lost"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOCK_SECONDS = 3.0  # the children of a killed launcher hold its lock until they are dead too


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded; the ledger gives it its place, its time and its seal."""

    event: str
    fields: Mapping[str, Any]


class Ledger:
    """The open file, at its end."""

    def __init__(self, folder: str) -> None:
        """Open, lock and check the ledger in `folder`; cut a torn tail; call jobs without an end lost.

        Raises:
            Refused: it cannot be opened, or it is damaged otherwise than at its very end.
        """
        self.path = str(Path(folder) / FILE)
        self.broken = ""
        self._descriptor = _open(folder, self.path)
        self._seq, self._prev, self._size = 0, record.FIRST, 0
        self._open_jobs: dict[str, None] = {}
        try:
            _lock(self._descriptor, self.path)
            self._recover()
        except Refused:
            self.close()
            raise

    def append(self, entries: Sequence[Entry]) -> None:
        """Write the entries and wait until the disk has them.

        Raises:
            Refused: it has not; nothing was written, and nothing may be done.
        """
        if self.broken:
            raise Refused("Broken", f"the ledger failed earlier: {self.broken}", hint="restart the launcher")
        seq, prev, lines = self._seq, self._prev, []
        for entry in entries:
            line, prev = record.seal(seq, prev, entry.event, entry.fields)
            lines.append(line)
            seq += 1
        self._write(b"".join(lines))
        self._seq, self._prev = seq, prev

    def close(self) -> None:
        os.close(self._descriptor)

    def _write(self, block: bytes) -> None:
        try:
            short = os.write(self._descriptor, block) != len(block)
        except OSError as error:
            raise self._taken_back(error.errno or errno.EIO) from error
        if short:
            raise self._taken_back(errno.ENOSPC)
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:  # what is on the disk now, nobody knows: fsync(2)
            self.broken = reason_of(error.errno or errno.EIO)
            raise Refused("Broken", f"the ledger cannot be made durable: {self.broken}") from error
        self._size += len(block)

    def _taken_back(self, number: int) -> Refused:
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self.broken = reason_of(number)
        if number in _FULL and not self.broken:
            return Refused(
                "Exhausted",
                f"the ledger cannot be written, so nothing is done: {reason_of(number)}",
                hint=f"make room for {self.path}",
            )
        self.broken = reason_of(number)
        return Refused("Broken", f"the ledger cannot be written: {self.broken}")

    def _recover(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    self._cut(line + lines.read())
                    break
                self._accept(number, line)
        if self._open_jobs:
            self.append([Entry("lost", {"job": job}) for job in self._open_jobs])
            self._open_jobs.clear()

    def _accept(self, number: int, line: bytes) -> None:
        try:
            read = record.read(line[:-1])
            record.follow(read, self._seq, self._prev)
        except record.Damaged as damage:
            raise Refused(
                "Broken",
                f"{self.path}: line {number} {damage}",
                hint="keep the file as evidence and move it aside; the launcher then begins a new one",
            ) from damage
        self._seq, self._prev, self._size = read.seq + 1, read.hash, self._size + len(line)
        self._note(read)

    def _note(self, read: record.Record) -> None:
        job = str(read.fields.get("job", ""))
        if read.event in _BEGINS:
            self._open_jobs[job] = None
        elif read.event in _ENDS:
            self._open_jobs.pop(job, None)

    def _cut(self, tail: bytes) -> None:
        """Remove the last, unfinished line: its act was never done, for the line was never durable."""
        os.ftruncate(self._descriptor, self._size)
        self.append([Entry("cut", {"bytes": len(tail), "sha256": hash_of(tail)})])


def _open(folder: str, path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        Path(folder).mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, flags, 0o600)
        _keep_name(folder)
    except OSError as error:
        raise Refused("Broken", f"{path} cannot be opened: {reason_of(error.errno or 0)}") from error
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        os.close(descriptor)
        raise Refused("Broken", f"{path} must be a file of the launcher's own user with mode 0600")
    return descriptor


def _keep_name(folder: str) -> None:
    """Make durable that the file is there at all: fsync(2) of a file does not say so of its folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: str) -> None:
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > give_up:
                raise Refused("Conflict", f"another launcher writes {path}", hint="stop it first") from error
            time.sleep(0.02)
        else:
            return
