"""Attempts by what is not meant for them: `ruses.py NAME ARGUMENTS…`. Stands alone, and does no harm.

Each says that it got through, or harms somebody outside.
"""

import ctypes
import fcntl
import inspect
import os
import platform
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
REFUSALS = (1, 13, 38, 97)  # EPERM, EACCES, ENOSYS, EAFNOSUPPORT
SNAPSHOTS = {"first": 0x50009401, "second": 0x50009417, "other": 0x4020BC10}
SIGNAL_BY, PEER = 10, 77  # F_SETSIG, SO_PEERPIDFD
IDLE = 3 << 13  # an I/O priority


def through(happened: object = "yes") -> None:
    if happened:
        print("got-" + "through", flush=True)


def call(x86: int, arm: int, *arguments: object) -> int:
    """The answer of a system call, or minus its errno."""
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    LIBC.syscall.restype = ctypes.c_long
    answer = int(LIBC.syscall(ctypes.c_long(arm if ARM else x86), *passed))
    return answer if answer != -1 else -ctypes.get_errno()


# -- files ---------------------------------------------------------------------------------------------------


def snapshot(which: str) -> None:
    """A copy of the folder by its file system, where nothing is covered; others do not know the call."""
    here = os.open(".", os.O_RDONLY)
    asked = ctypes.create_string_buffer(struct.pack("=q", -1), 4096)
    answer = call(16, 29, here, SNAPSHOTS[which], asked)
    print(answer, file=sys.stderr)
    through(-answer not in REFUSALS)


def lease(path: str) -> None:
    """Let whoever opens a file to write it wait for us, though it asks for no lock."""
    fcntl.fcntl(os.open(path, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
    through()


# -- what the whole machine has only so much of -------------------------------------------------------------


def queues(wanted: str) -> None:
    """Take the places that there are for asynchronous reads and writes (fs.aio-max-nr), before others can."""
    through(call(206, 0, int(wanted), ctypes.create_string_buffer(8)) == 0)


def files(wanted: str) -> None:
    """Make so many empty files, which take no bytes, and wait for somebody to mind."""
    for number in range(int(wanted)):
        os.close(os.open(f"empty.{number}", os.O_CREAT))
    time.sleep(1)
    through()


# -- what the kernel does for a process that dies ------------------------------------------------------------


def core(size: str) -> None:
    """A size of cores with which a program of root's, where there is one, gets ours: any but 1."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (int(size), int(size)))
    room = ctypes.create_string_buffer(16)
    call(
        302,
        261,
        0,
        resource.RLIMIT_CORE,
        ctypes.create_string_buffer(struct.pack("=QQ", *[int(size)] * 2)),
        room,
    )
    through(resource.getrlimit(resource.RLIMIT_CORE)[0] != 1)


# -- other processes -----------------------------------------------------------------------------------------


def by_descriptor(pid: str) -> None:
    """Have the kernel kill somebody when a socket of ours has something to read."""
    one, other = socket.socketpair()
    fcntl.fcntl(one, fcntl.F_SETOWN, int(pid))
    fcntl.fcntl(one, SIGNAL_BY, signal.SIGKILL)
    fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    other.send(b"x")
    time.sleep(0.2)


def slow(pid: str) -> None:
    """Let somebody else compute after everybody."""
    os.setpriority(os.PRIO_PROCESS, int(pid), 19)
    through()


def last_served(pid: str) -> None:
    """Let somebody else have the disk after everybody."""
    through(call(251, 30, 1, int(pid), IDLE) == 0)


def robust(pid: str) -> None:
    """Where somebody else keeps its locks."""
    head, size = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
    through(call(274, 100, int(pid), head, size) == 0)


def page_out(pid: str, address: str) -> None:
    """Take somebody else's memory out of its way."""
    place = struct.pack("=QQ", int(address) & ~4095, 4096)
    through(call(440, 440, os.pidfd_open(int(pid)), place, 1, 21, 0) >= 0)


def spaces(path: str) -> None:
    """A namespace of whoever listens on a socket, by the handle that the socket gives of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect(path)
        pidfd = one.getsockopt(socket.SOL_SOCKET, PEER)
        through(fcntl.ioctl(pidfd, 0xFF03) >= 0)  # PIDFD_GET_MNT_NAMESPACE


def any_address(port: str) -> None:
    """What whoever listens on this machine says, by the address that means all of them."""
    with socket.create_connection(("0.0.0.0", int(port)), 2) as one:
        print(one.recv(100))


def first_to_go(pid: str) -> None:
    """Let somebody else be ended first where memory is short."""
    Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
    through()


def main() -> None:
    table: dict[str, Callable[..., None]] = {
        name: one for name, one in globals().items() if inspect.isfunction(one)
    }
    try:
        table[sys.argv[1]](*sys.argv[2:])
    except (OSError, ValueError) as error:
        sys.exit(f"no: {error}")


main()
