"""Attempts on terminals: `terminals.py NAME ARGUMENTS…`. Stands alone; harmless wherever it runs.

Each either prints what it has stolen, or says that it got through.
"""

import ctypes
import fcntl
import os
import select
import signal
import struct
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

NUMBER, DISCIPLINE = 0x80045430, 0x5423  # TIOCGPTN, TIOCSETD
PIDFD_GETFD = 438
FEW = 100  # terminals that any one job may have


def through() -> None:
    print("got-" + "through", flush=True)


def type_ahead() -> None:
    """Type into the terminal that we were started in, as if its person had."""
    for letter in b"touch marker\n":
        fcntl.ioctl(0, termios.TIOCSTI, bytes([letter]))
    through()


def type_to(terminal: str) -> None:
    """The same in somebody else's, made our own first."""
    other = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    if os.fork() == 0:
        os.setsid()
        with suppress(OSError):
            fcntl.ioctl(other, termios.TIOCSCTTY, 1)
        os.write(other, b"typed\n")
        through()
        os._exit(0)
    os.wait()


def read_from(terminal: str) -> None:
    """What somebody types there."""
    other = os.open(terminal, os.O_RDONLY | os.O_NOCTTY)
    if select.select([other], [], [], 2)[0]:
        print(os.read(other, 100).decode())


def resize(terminal: str) -> None:
    other = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    termios.tcsetwinsize(other, (7, 7))
    through()


def discipline() -> None:
    """Give our terminal a line discipline, which makes the kernel load modules."""
    fcntl.ioctl(0, DISCIPLINE, struct.pack("=i", 0))
    through()


def masters(open_one: str = "") -> None:
    """Any end of a terminal that plays the person at the keyboard."""
    if open_one:
        os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    for descriptor in range(1024):
        with suppress(OSError):
            fcntl.ioctl(descriptor, NUMBER, bytes(4))
            through()
            return


def steal(pid: str) -> None:
    """The keyboard's end of a terminal, out of the process that has it; then type on it."""
    process, libc = os.pidfd_open(int(pid)), ctypes.CDLL(None, use_errno=True)
    for descriptor in range(3, 64):
        stolen = libc.syscall(ctypes.c_long(PIDFD_GETFD), process, descriptor, 0)
        with suppress(OSError):
            fcntl.ioctl(stolen, NUMBER, bytes(4))
            os.write(stolen, b"typed\n")
            through()
            return


def others() -> None:
    """Terminals that are neither ours nor made here."""
    ours = {os.ttyname(place) for place in range(3) if os.isatty(place)}
    found = {f"/dev/pts/{name}" for name in os.listdir("/dev/pts") if name.isdigit()}  # noqa: PTH208 - a name
    if found - ours:
        through()


def many(count: str) -> None:
    """Take so many terminals that others get none."""
    kept = [os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY) for _ in range(int(count))]
    if len(kept) > FEW:
        through()


def outlive() -> None:
    """Go on when the terminal has hung up."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for place in range(3):
            os.dup2(null, place)
        signal.sigwait({signal.SIGUSR1})


def main() -> None:
    table: dict[str, Callable[..., None]] = {
        one.__name__: one
        for one in (
            type_ahead, type_to, read_from, resize, discipline, masters, steal, others,
            many, outlive,
        )
    }  # fmt: skip
    try:
        table[sys.argv[1]](*sys.argv[2:])
    except (OSError, termios.error) as error:
        sys.exit(f"no: {error}")


main()
