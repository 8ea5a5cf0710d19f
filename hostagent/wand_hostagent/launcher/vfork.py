"""Processes made without a copy of the launcher: clone3(2) the way of vfork(2), then a table of system calls.

A few dozen bytes of machine code do the table in the child, which shares the launcher's memory until the
table ends in execve(2); the launcher sleeps meanwhile. So a start costs the same however large the launcher
is. The code is mapped from a file, which a process that may never make memory executable can do too. The
same file is the program that is the first process of a job: see init.x86_64.S.

There is one for x86-64; elsewhere, and where a box needs more than root's namespaces, init.py does it all.
"""

import ctypes
import fcntl
import os
import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.step import RECORD, RECORD_BYTES, Memory, Step, packed, step

ORDERS_AT = 0x10000000  # BLOB in the source
MOST_ORDERS = 0x30000  # bytes; below BLOB_SIZE there, and what one datagram carries
CONTROL = 3  # the init's end of its socket
FIRST = CONTROL + 2  # where the first descriptor of its orders arrives; between them is a signalfd of its own
STREAMS = (FIRST, FIRST + 1, FIRST + 2)  # those of the command come first
HIGH = 16  # descriptors that a child's table names are no lower, so that it can put others in order below
# What the init says: as init.py's, `B` with the step that failed in the place of a text. With the end of a
# command come microseconds of processor time and KiB of memory (of the largest) that the job's processes
# used; that it runs is left out where it has ended already. `N 0 errno`: no process could be made.
MESSAGE = struct.Struct("=c3xii4xqq")
GO = b"\x80"  # what a command waits for when all is done for it that nobody outside can notice
PROGRAM = Path(__file__).with_name(f"init.{os.uname().machine}.bin")

_START = 0x100
_AT_EMPTY_PATH = 0x1000
_CLONE_VM, _CLONE_VFORK = 0x100, 0x4000
_CLONE_CLEAR_SIGHAND = 1 << 32
_MADE = _CLONE_VM | _CLONE_CLEAR_SIGHAND | syscalls.CLONE_PIDFD
_PROT_READ, _PROT_EXEC, _MAP_PRIVATE = 1, 4, 2
_FAILED = 2**64 - 1
_EXECVE = syscalls.NUMBERS.get("execve", 0)
_END, _WAIT = (struct.pack("=q48x", number) for number in (-1, -2))  # records that are no calls
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

_LIBC = ctypes.PyDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_size_t
_LIBC.mmap.argtypes = [ctypes.c_size_t, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_START_TYPE = ctypes.PYFUNCTYPE(ctypes.c_long, *[ctypes.c_void_p] * 3)


class Stopped(Exception):
    """A step of the table failed; `place` is its number, counted from 0."""

    def __init__(self, place: int, number: int) -> None:
        super().__init__(f"step {place}: {os.strerror(number)}")
        self.place = place
        self.number = number


@dataclass(frozen=True, slots=True)
class Ready:
    """A table that has been written down for the machine code; it can be run any number of times."""

    records: ctypes.Array[ctypes.c_char]
    memory: tuple[Memory, ...]  # what the records point into
    address: int  # of the records


class Machine:
    """The machine code of this processor, mapped; `program` is an open file of the init."""

    def __init__(self) -> None:
        """Open and map it.

        Raises:
            OSError: there is none for this processor, or the kernel does not let it be mapped.
        """
        descriptor = os.open(PROGRAM, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            protection = _PROT_READ | _PROT_EXEC
            address = _LIBC.mmap(0, size, protection, _MAP_PRIVATE, descriptor, 0)
            if address == _FAILED:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error), str(PROGRAM))
            self.program = _sealed(os.read(descriptor, size))
        finally:
            os.close(descriptor)
        self._start = _START_TYPE(address + _START)
        self._result = (ctypes.c_int64 * 2)()
        self._unread = (ctypes.c_int64 * 2)()  # of those that nobody waits for
        self._pidfd = ctypes.c_int(-1)
        self._asked = syscalls.CloneArguments(pidfd=ctypes.addressof(self._pidfd), exit_signal=signal.SIGCHLD)

    def start(self, table: Ready, flags: int = 0, cgroup: int = -1) -> tuple[int, int]:
        """A child that has done the table: its pid, and its pidfd.

        Raises:
            OSError: no process could be made.
            Stopped: a step failed; the child is dead and collected.
        """
        self._result[1] = 0
        pid, pidfd = self._clone(table, _CLONE_VFORK | flags, cgroup, self._result)
        if self._result[1]:
            os.close(pidfd)
            os.waitpid(pid, 0)
            place = (self._result[0] - ctypes.addressof(table.records)) // RECORD_BYTES
            raise Stopped(place, -self._result[1])
        return pid, pidfd

    def begin(self, table: Ready, flags: int = 0, cgroup: int = -1) -> tuple[int, int]:
        """The same of a child that is only about to do it, and dies where a step fails.

        Until it has ended or become a program the table must live, and its memory is ours: no stack is needed
        for a table, so the two do not meet there.

        Raises:
            OSError: no process could be made.
        """
        return self._clone(table, flags, cgroup, self._unread)

    def _clone(
        self, table: Ready, flags: int, cgroup: int, result: "ctypes.Array[ctypes.c_int64]"
    ) -> tuple[int, int]:
        asked = self._asked
        asked.flags = _MADE | flags | (syscalls.CLONE_INTO_CGROUP if cgroup >= 0 else 0)
        asked.cgroup = max(cgroup, 0)
        pid = self._start(ctypes.addressof(asked), table.address, ctypes.addressof(result))
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid, self._pidfd.value


def ready(steps: Sequence[Step], *memory: Memory) -> Ready:
    """The table as the machine code reads it, pointing into `memory` as it is."""
    records = packed(steps, {place: place for one in memory for place in one.places})
    written = ctypes.create_string_buffer(records, len(records))
    return Ready(written, memory, ctypes.addressof(written))


class Orders:
    """A table for the init, written down up to its last step, which each job has of its own.

    A command does the first `before_go` of the steps and then waits until it is told to go on.
    """

    def __init__(self, steps: Sequence[Step], *memory: Memory, before_go: int | None = None) -> None:
        places: dict[int, int] = {}
        images, end = [], ORDERS_AT + (len(steps) + 1 + (before_go is not None)) * RECORD_BYTES
        for one in memory:
            image, found = one.moved(end)
            places |= found
            images.append(image)
            end += len(image)
        self._image, self._end = b"".join(images), end
        self._records = packed(steps[:before_go], places)
        if before_go is not None:
            self._records += _WAIT + packed(steps[before_go:], places)

    def with_environment(self, environment: Sequence[bytes]) -> "WithEnvironment":
        """The same with what all commands of this environment have in common."""
        *at, end = accumulate((len(text) + 1 for text in environment), initial=self._end)
        texts = b"".join(text + b"\0" for text in environment)
        block = texts.ljust(end - self._end + -end % 8, b"\0")
        pointers = struct.pack(f"={len(at) + 1}Q", *at, 0)
        vector = self._end + len(block)
        image = b"".join((self._image, block, pointers))
        return WithEnvironment(self._records, image, vector, vector + len(pointers))

    def with_program(self, program: bytes, argv: Sequence[bytes], environment: Sequence[bytes]) -> bytes:
        """The table and all that it points to, as the init gets them; execve(2) of that is its last step."""
        return self.with_environment(environment).with_program(program, argv)

    def alone(self) -> bytes:
        """The same without a last step: for the init itself to do."""
        return self._records + _END + self._image


class WithEnvironment(NamedTuple):
    """A table that lacks the program and its arguments alone."""

    records: bytes
    image: bytes
    environment: int  # where in it the vector of execve(2) is
    end: int

    def with_program(self, program: bytes, argv: Sequence[bytes]) -> bytes:
        """The table and all that it points to, as the init gets them."""
        at, size = [], self.end + len(program) + 1
        for word in argv:
            at.append(size)
            size += len(word) + 1
        vector = size + -size % 8
        block = b"\0".join((program, *argv)).ljust(vector - self.end, b"\0")
        last = RECORD.pack(_EXECVE, self.end, vector, self.environment, 0, 0, 0)
        pointers = struct.pack(f"={len(at) + 1}Q", *at, 0)
        return b"".join((self.records, last, self.image, block, pointers))


def become_init(program: int, memory: Memory) -> Step:
    """The last step of an init's own table; the descriptor CONTROL is its socket by then."""
    argv, nothing = memory.words([b"wand-init"]), memory.words([])
    arguments = (program, memory.text(b""), argv, nothing, _AT_EMPTY_PATH)
    return step("execveat", *arguments, shown="init, argv, none, AT_EMPTY_PATH")


def find() -> Machine | None:
    """The machine code, where there is one for this processor and the kernel lets us have it."""
    try:
        return Machine()
    except OSError:
        return None


def _sealed(code: bytes) -> int:
    """A program in memory that nobody can change, root in a job included, who sees it in /proc."""
    descriptor = os.memfd_create("wand-init", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(descriptor, code)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
    finally:
        os.close(descriptor)
