"""A job's pipes, and what it writes, held up to a bound."""

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

from wand_hostagent.backends.base import JobInput
from wand_hostagent.backends.inputs import PipeInput
from wand_hostagent.positions import Position
from wand_proto.errors import Exhausted

READ_BYTES = 64 * 1024  # the kernel's own size of a pipe (pipe(7))
WIDE_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024


class Tap:
    """The read end of a pipe that a job writes to, or the master of its terminal.

    At most `WIDE_BYTES` are held for whoever takes them. While nobody does the pipe fills and the job waits:
    that is all the backpressure there is, and the clock runs on elsewhere.
    """

    def __init__(
        self,
        descriptor: int,
        stream: Literal["stdout", "stderr"],
        position: Position,
        news: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.offset = position.taken_bytes  # of the first byte that nobody has taken yet
        self.ended = False
        self._position = position
        self._read_to = self.offset
        self._descriptor = descriptor
        self._news = news
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._read_bytes = READ_BYTES
        self._listens = False
        self._reading = False
        self._gives_little = False
        os.set_blocking(descriptor, False)

    def listen(self) -> None:
        """From here on, read as soon as there is something; before, only `drain` reads."""
        if not self._listens:
            self._listens = True
            self._gives_little = not self.ended and os.isatty(self._descriptor)  # 4 KiB, however much it has
        self._resume()

    def _resume(self) -> None:
        if self._listens and not self._reading and not self.ended:
            self._reading = True
            asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def _readable(self) -> None:
        while self._held_bytes < WIDE_BYTES and self._read():
            pass
        if self._held_bytes >= WIDE_BYTES:
            self._pause()
        self._news()

    def _read(self) -> bool:
        """Read once; whether there may be more at once."""
        asked = min(self._read_bytes, WIDE_BYTES - self._held_bytes)
        part = self._read_counted(asked)
        if part == b"":
            self.close()
        if not part:
            return False
        self._held.append(part)
        self._held_bytes += len(part)
        if len(part) == self._read_bytes == READ_BYTES:
            self._widen()
        return len(part) == asked or self._gives_little

    def _read_counted(self, most_bytes: int) -> bytes | None:
        """What is there, up to `most_bytes`; nothing at the end, and None where nothing is there yet.

        It is counted before it is taken. Killed between the two, we tell of a loss that was none; the other
        way round what comes next would pass for what is gone, and nobody would ever know.
        """
        there = min(unread(self._descriptor), most_bytes) or 1  # an end looks like nothing until it is read
        self._position.taken_bytes = self._read_to + there
        try:
            part = os.read(self._descriptor, there)
        except BlockingIOError:
            part = None
        except OSError:
            part = b""
        self._read_to += len(part or b"")
        self._position.taken_bytes = self._read_to
        return part

    def _widen(self) -> None:
        """A job that fills its pipe gets a larger one, as far as pipe-user-pages-soft lets us."""
        self._read_bytes = WIDE_BYTES
        with suppress(OSError):
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def take(self) -> bytes:
        """All that is held; and read on."""
        if not self._held:
            return b""
        data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._resume()
        return data

    def drain(self) -> None:
        """Read what is there now, up to the bound or the end, and wait for nothing."""
        before = -1
        while not self.ended and before < self._held_bytes < WIDE_BYTES:
            before = self._held_bytes
            self._read()

    def close(self) -> None:
        """Stop reading; what is held can still be taken."""
        if not self.ended:
            self._pause()
            self.ended = True
            os.close(self._descriptor)


def unread(descriptor: int) -> int:
    """How many bytes a pipe holds (FIONREAD, pipe(7)); as long as only we read it, they stay."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


@dataclass(frozen=True, slots=True)
class Ends:
    """Our ends of a started job: what it writes, stdout first, and what it reads, if it is given anything."""

    outputs: tuple[int, ...]
    input: JobInput | None


class Pipes:
    """The descriptors of a new job: its own ends, to be handed over, and ours; what nobody took is closed."""

    def __init__(self, *, with_stdin: bool) -> None:
        self._open: set[int] = set()
        try:
            self._stdin = self._pipe() if with_stdin else (self._null(), -1)
            self._stdout, self._stderr = self._pipe(), self._pipe()
        except OSError as error:
            self.close()
            raise Exhausted("the host agent has no descriptor left for a job's pipes") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        self._open.update(ends)
        return ends

    def _null(self) -> int:
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self._open.add(null)
        return null

    def to_hand_over(self) -> tuple[int, int, int, int, int]:
        """The descriptors of a `run` request: the job's three, and the two read ends to be kept."""
        return self._stdin[0], self._stdout[1], self._stderr[1], self._stdout[0], self._stderr[0]

    def take(self, stdin: bytes, *, stays_open: bool) -> Ends:
        """Our ends, for the caller to close."""
        self._open -= {self._stdout[0], self._stderr[0], self._stdin[1]}
        given = PipeInput(self._stdin[1], stdin, stays_open=stays_open) if self._stdin[1] >= 0 else None
        return Ends((self._stdout[0], self._stderr[0]), given)

    def close(self) -> None:
        """Close what nobody took."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()
