"""How much has been taken of each running job's output, in a file that outlives the host agent.

The file is mapped: to count is a store in memory, and what is stored stays wherever the process is killed.
It need not outlast the machine, whose jobs end with it.

    magic, slots                 8 + 8 bytes: what this is, which version, how many slots follow
    seal, stdout, stderr, name   8 + 8 + 8 + 128 bytes for each slot

A slot is sealed last and unsealed first: a torn one is free. A count is one aligned store and cannot tear.
"""

import logging
import mmap
import os
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from wand_proto.errors import Unavailable

log = logging.getLogger(__name__)

_MAGIC = b"WANDPOS\x01"
_HEADER = struct.Struct("=8sQ")
_SLOT = struct.Struct("=QQQ128s")
_WORD_BYTES = 8
_MOST_BYTES = 2**62  # nobody has counted beyond this

Counts = tuple[int, int]  # of stdout and of stderr


class Position:
    """How many bytes have been taken out of one pipe."""

    __slots__ = ("_index", "_words")

    def __init__(self, words: "memoryview[int]", index: int) -> None:
        self._words = words
        self._index = index

    @property
    def taken_bytes(self) -> int:
        return self._words[self._index]

    @taken_bytes.setter
    def taken_bytes(self, count: int) -> None:
        self._words[self._index] = count


def uncounted(counts: Counts = (0, 0)) -> tuple[Position, Position]:
    """The positions of a job that has no slot; they end with us."""
    words = memoryview(bytearray(struct.pack("=QQ", *counts))).cast("Q")
    return Position(words, 0), Position(words, 1)


class Positions:
    """A fixed table of slots, one for each running job."""

    def __init__(self, table: bytearray | mmap.mmap) -> None:
        self._table = table
        self._words: memoryview[int] = memoryview(table).cast("Q")
        self._slots = {job: slot for slot, job, _ in sealed(table)}  # the offset of each job's slot
        every = range(_HEADER.size, len(table), _SLOT.size)
        self._free = sorted(set(every) - set(self._slots.values()), reverse=True)

    @classmethod
    @contextmanager
    def open(cls, path: Path, slots: int) -> Iterator[Self]:
        """The table at `path`, with so many slots besides those of the jobs that an earlier host agent left.

        Raises:
            Unavailable: there can be no such file.
        """
        try:
            mapped = _mapped(path, slots)
        except OSError as error:
            hint = "the host agent must be able to write there, and the disk must not be full"
            raise Unavailable(f"{path} cannot be made: {error.strerror}", hint=hint) from error
        positions = cls(mapped)
        try:
            yield positions
        finally:
            positions._words.release()
            mapped.close()

    def take(self, job: str, counts: Counts = (0, 0)) -> None:
        """Have the job counted from there on; where no slot is free, it goes uncounted."""
        known = self.of(job)
        if known is not None:
            for position, count in zip(known, counts, strict=True):
                position.taken_bytes = count
        elif self._free:
            self._fill(self._free.pop(), job, counts)
        else:
            log.warning("output not counted", extra={"job": job, "slots": len(self._slots)})

    def _fill(self, slot: int, job: str, counts: Counts) -> None:
        name = job.encode()
        _SLOT.pack_into(self._table, slot, 0, *counts, name)
        self._words[slot // _WORD_BYTES] = _seal(name)
        self._slots[job] = slot

    def free(self, job: str) -> None:
        """Take its slot back, if it has one."""
        slot = self._slots.pop(job, None)
        if slot is not None:
            self._words[slot // _WORD_BYTES] = 0
            self._free.append(slot)

    def free_others(self, jobs: Collection[str]) -> None:
        """Take back the slots of all other jobs."""
        for job in self._slots.keys() - set(jobs):
            self.free(job)

    def counts(self, job: str) -> Counts:
        """How much has been taken of the job's stdout and stderr; nothing, where it has no slot."""
        stdout, stderr = self.of(job) or uncounted()
        return stdout.taken_bytes, stderr.taken_bytes

    def of(self, job: str) -> tuple[Position, Position] | None:
        """The positions of its stdout and its stderr; None where it has no slot."""
        slot = self._slots.get(job)
        if slot is None:
            return None
        word = slot // _WORD_BYTES
        return Position(self._words, word + 1), Position(self._words, word + 2)


def packed(counts: Mapping[str, Counts], free: int) -> bytearray:
    """A whole table: a slot for each of these jobs, and so many free ones."""
    slots = [_SLOT.pack(_seal(job.encode()), *both, job.encode()) for job, both in counts.items()]
    header = _HEADER.pack(_MAGIC, len(slots) + free)
    return bytearray(b"".join((header, *slots, bytes(free * _SLOT.size))))


def sealed(table: bytes | bytearray | mmap.mmap) -> Iterator[tuple[int, str, Counts]]:
    """Of each slot that is whole and taken: its offset, the job, the job's counts."""
    for slot in range(_HEADER.size, len(table), _SLOT.size):
        seal, stdout, stderr, padded = _SLOT.unpack_from(table, slot)
        name = padded.rstrip(b"\0")
        if seal and seal == _seal(name) and max(stdout, stderr) <= _MOST_BYTES:
            yield slot, name.decode("ascii", "replace"), (stdout, stderr)


def is_table(untrusted: bytes) -> bool:
    """Whether this is a whole table of this version."""
    if len(untrusted) < _HEADER.size:
        return False
    magic, slots = _HEADER.unpack_from(untrusted)
    return bool(magic == _MAGIC and len(untrusted) == _HEADER.size + slots * _SLOT.size)


def _seal(name: bytes) -> int:
    return 1 << 32 | zlib.crc32(name)


def _mapped(path: Path, free: int) -> mmap.mmap:
    """A new table in the place of the old one, whose jobs it takes over: at no moment there is none."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb+") as file:
        file.write(packed(_left(path), free))  # written, not only made long: a full disk is told here
        file.flush()
        mapped = mmap.mmap(descriptor, 0)
    fresh.replace(path)
    return mapped


def _left(path: Path) -> dict[str, Counts]:
    """What an earlier host agent has counted."""
    try:
        untrusted = path.read_bytes()
    except FileNotFoundError:
        return {}
    if not is_table(untrusted):
        log.warning("positions of output not readable", extra={"path": str(path), "bytes": len(untrusted)})
        return {}
    return {job: counts for _, job, counts in sealed(untrusted)}
