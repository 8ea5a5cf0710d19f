"""What a running job is given to read: into a pipe, or by the keyboard of its terminal."""

import asyncio
import fcntl
import os
import select
import signal
import termios
from contextlib import suppress

from wand_hostagent.backends import taking
from wand_hostagent.backends.base import JobInput
from wand_hostagent.model import Input, Size

END_SECONDS = 0.5
_WRITE_BYTES = 64 * 1024
_PEER, _SIGNAL = 0x5441, 0x40045436  # TIOCGPTPEER, TIOCSIG
_END = b"\x04"  # Ctrl-D, for a program that reads key by key
_FLAGS, _CHARACTERS = 3, 6  # of what tcgetattr(3) gives


class PipeInput(JobInput):
    """The write end of a job's standard input: written as the job reads, closed when nothing follows."""

    is_terminal = False

    def __init__(self, descriptor: int, first: bytes, *, stays_open: bool) -> None:
        self._descriptor = descriptor
        self._left = bytearray(first)
        self._open = True
        self._waiting = False  # for room
        self._over = False  # nothing may follow
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        if not stays_open:
            self._end()
        self._write()

    def check(self, given: Input) -> None:
        takes = self._open and not self._over
        taking.check(given, is_terminal=self.is_terminal, takes=takes, unread_bytes=len(self._left))

    def give(self, given: Input) -> None:
        if self._open:
            self._left += given.data
            if given.end:
                self._end()
            self._write()

    def _end(self) -> None:
        self._over = True

    def _write(self) -> None:
        try:
            while self._left:
                written = os.write(self._descriptor, self._left[:_WRITE_BYTES])
                del self._left[:written]
        except BlockingIOError:
            self._wait()
            return
        except OSError:  # the job does not read it, which is its right
            self.close()
            return
        self._wait_no_more()
        if self._over:
            self._all_written()

    def _all_written(self) -> None:
        self.close()

    def _wait(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.add_writer(self._descriptor, self._write)

    def _wait_no_more(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_writer(self._descriptor)

    def let_go(self) -> None:
        """The job has ended; what it has not read is given up."""
        self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._left.clear()
            self._wait_no_more()
            os.close(self._descriptor)


class Keyboard(PipeInput):
    """The master of a job's terminal, to be typed on.

    The other end is held open too: else the terminal would seem to have ended as soon as the job closes
    it for a moment. An end that was typed is typed again for whoever throws away what was typed ahead, as
    those do who ask for a password; so nobody waits for a person that is not there.
    """

    is_terminal = True

    def __init__(self, master: int, first: bytes, *, stays_open: bool) -> None:
        descriptor = os.dup(master)
        try:
            self._peer = _peer_of(master)
        except OSError:
            os.close(descriptor)
            raise
        self._timer: asyncio.TimerHandle | None = None
        self._line_begins = not first or first.endswith(b"\n")
        super().__init__(descriptor, first, stays_open=stays_open)

    def give(self, given: Input) -> None:
        if given.resize is not None and self._open:
            _resize(self._descriptor, given.resize)
        if given.data:
            self._line_begins = given.data.endswith(b"\n")
        super().give(Input(data=given.data))
        if given.interrupt and self._open:
            self._interrupt()
        if given.end and self._open:
            self._left += self._end_characters() or _END
            self._write()

    def _interrupt(self) -> None:
        """Ctrl-C, past all that waits to be read."""
        self._left.clear()
        flags, characters = self._settings()
        with suppress(OSError):  # nobody has it open any more
            try:
                os.write(self._descriptor, characters[termios.VINTR])
            except BlockingIOError:
                if flags & termios.ISIG:
                    fcntl.ioctl(self._descriptor, _SIGNAL, signal.SIGINT)

    def _end(self) -> None:
        super()._end()
        self._left += self._end_characters()
        self._timer = self._loop.call_later(END_SECONDS, self._end_again)

    def _end_characters(self) -> bytes:
        """Ctrl-D: once behind the end of a line, twice within one; nothing, where lines are not made."""
        flags, characters = self._settings()
        times = 1 if self._line_begins else 2
        self._line_begins = True
        return characters[termios.VEOF] * times if flags & termios.ICANON else b""

    def _end_again(self) -> None:
        if self._peer < 0:
            return
        is_read = not self._left and not _has_input(self._peer)
        with suppress(OSError, termios.error):  # nobody has it open any more
            self._left += self._end_characters() if is_read else b""
            self._write()
            self._timer = self._loop.call_later(END_SECONDS, self._end_again)

    def _settings(self) -> tuple[int, list[bytes]]:
        found = termios.tcgetattr(self._descriptor)
        return found[_FLAGS], found[_CHARACTERS]

    def _all_written(self) -> None:
        """It stays: there is still a size to tell."""

    def let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._peer >= 0:
            os.close(self._peer)
            self._peer = -1

    def close(self) -> None:
        self.let_go()
        super().close()


def _peer_of(master: int) -> int:
    """The job's end of a terminal, opened by no name; -1 where that is not to be had any more."""
    try:
        return int(fcntl.ioctl(master, _PEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return -1


def _has_input(terminal: int) -> bool:
    """Whether a program that reads there would get something, be it an end."""
    poll = select.poll()
    poll.register(terminal, select.POLLIN)
    return bool(poll.poll(0))


def _resize(master: int, size: Size) -> None:
    columns, rows = size
    termios.tcsetwinsize(master, (rows, columns))
