"""Attempts that need system calls: `calls.py NAME ARGUMENTS…`. Stands alone; harmless wherever it runs.

Each either prints what it has stolen, or says that it got through.
"""

import ctypes
import fcntl
import inspect
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
REFUSALS = (1, 13, 38, 97)  # EPERM, EACCES, ENOSYS, EAFNOSUPPORT
NEWNS, NEWUSER, NEWNET = 0x20000, 0x10000000, 0x40000000
# On x86-64 and on arm64, with harmless arguments; what fails for another reason than a refusal got through.
EMPTY, TEXT, NOWHERE = bytes(128), b"wand", b"/nonexistent/wand"
CALLS: "dict[str, tuple[int, int, tuple[int | bytes, ...]]]" = {
    "io_uring_setup": (425, 425, (1, EMPTY)), "add_key": (248, 217, (b"user", TEXT, b"x", 1, -1)),
    "keyctl": (250, 219, (0, -3, 1)), "request_key": (249, 218, (b"user", TEXT, 0, 0)),
    "bpf": (321, 280, (0, struct.pack("=4I", 2, 4, 4, 1) + EMPTY, 72)), "userfaultfd": (323, 282, (1,)),
    "perf_event_open": (298, 241, (struct.pack("=IIQQQQQ", 1, 112, 0, 0, 0, 0, 0x63) + EMPTY, 0, -1, -1, 0)),
    "unshare_user": (272, 97, (NEWUSER,)), "unshare_mounts": (272, 97, (NEWNS,)),
    "unshare_network": (272, 97, (NEWNET,)), "memfd_secret": (447, 447, (0,)),
    "personality": (135, 92, (0x400000,)), "modify_ldt": (154, -1, (0, EMPTY, 16)),
    "kcmp": (312, 272, (1, 1, 0, 0, 0)), "reboot": (169, 142, (1, 2, 3, 0)), "syslog": (103, 116, (10, 0, 0)),
    "swapon": (167, 224, (NOWHERE, 0)), "acct": (163, 89, (NOWHERE,)), "umount2": (166, 39, (NOWHERE, 0)),
    "mount": (165, 40, (NOWHERE, NOWHERE, b"tmpfs", 0, 0)), "pivot_root": (155, 41, (NOWHERE, NOWHERE)),
    "fsopen": (430, 430, (b"tmpfs", 0)), "open_tree": (428, 428, (-100, b"/", 1)),
    "mount_setattr": (442, 442, (-100, NOWHERE, 0, EMPTY, 32)), "chroot": (161, 51, (b".",)),
    "fanotify_init": (300, 262, (0x200, 0)), "sched_setscheduler": (144, 119, (0, 1, struct.pack("=i", 1))),
    "setpriority": (141, 140, (0, 0, -20)), "quotactl": (179, 60, (0x800002, NOWHERE, 0, 0)),
    "open_by_handle_at": (304, 265, (-1, struct.pack("=Ii", 8, 1) + EMPTY, 0)),
    "adjtimex": (159, 171, (struct.pack("=I", 0x10) + bytes(204),)),
}  # fmt: skip
FAMILIES = {"netlink": (16, 3, 15), "packet": (17, 3, 3), "vsock": (40, 1, 0), "raw": (2, 3, 1)}


def through(happened: object = "yes") -> None:
    if happened:
        print("got-" + "through", flush=True)


def call(x86: int, arm: int, *arguments: object) -> int:
    """The answer of a system call, or minus its errno."""
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    LIBC.syscall.restype = ctypes.c_long
    answer = int(LIBC.syscall(ctypes.c_long(arm if ARM else x86), *passed))
    return answer if answer != -1 else -ctypes.get_errno()


def say(wrong: object) -> None:
    print("no:", wrong, file=sys.stderr)


def reach(name: str) -> None:
    x86, arm, arguments = CALLS[name]
    copies = [ctypes.create_string_buffer(one) if isinstance(one, bytes) else one for one in arguments]
    answer = call(x86, arm, *copies)
    say(answer)
    through(-answer not in REFUSALS)


def family(name: str) -> None:
    socket.socket(*FAMILIES[name]).close()
    through()


# -- other processes ---------------------------------------------------------------------------------


def others(word: str) -> Iterator[int]:
    """The process of that number, or all whose command line holds that word."""
    if word.isdigit():
        yield int(word)
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                told = (entry / "cmdline").read_bytes()
                if word.encode() in told and b"calls.py" not in told:
                    yield int(entry.name)


def trace(word: str) -> None:
    for pid in others(word):
        through(LIBC.ptrace(0x4206, pid, None, None) == 0)


def vmread(pid: str, address: str) -> None:
    room = ctypes.create_string_buffer(64)
    ours = struct.pack("=QQ", ctypes.addressof(room), 40)
    say(call(310, 270, int(pid), ours, 1, struct.pack("=QQ", int(address), 40), 1, 0))
    print(room.value)


def vmwrite(pid: str, address: str) -> None:
    text = ctypes.create_string_buffer(b"x")
    ours = struct.pack("=QQ", ctypes.addressof(text), 1)
    through(call(311, 271, int(pid), ours, 1, struct.pack("=QQ", int(address), 1), 1, 0) == 1)


def mem(pid: str, address: str) -> None:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(int(address))
        print(memory.read(40))


def read(word: str, name: str) -> None:
    """A file below /proc/PID, of every process that the word means."""
    for pid in others(word):
        with suppress(OSError):
            print(Path(f"/proc/{pid}/{name}").read_bytes())


def files(word: str) -> None:
    """Every file that another process holds open."""
    for pid in others(word):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                descriptor = os.open(entry, os.O_RDONLY | os.O_NONBLOCK)
                print(os.pread(descriptor, 64, 0))


def getfd(pid: str, number: str) -> None:
    got = call(438, 438, os.pidfd_open(int(pid)), int(number), 0)
    say(got)
    print(os.pread(got, 64, 0))


def kill(word: str, number: str) -> None:
    for pid in others(word):
        os.kill(pid, int(number))
    time.sleep(0.1)


def pidkill(pid: str) -> None:
    signal.pidfd_send_signal(os.pidfd_open(int(pid)), signal.SIGKILL)
    time.sleep(0.1)


def limit(pid: str) -> None:
    resource.prlimit(int(pid), resource.RLIMIT_NOFILE)
    through()


def pin(pid: str) -> None:
    os.sched_setaffinity(int(pid), {0})
    through()


def shared(key: str) -> None:
    LIBC.shmat.restype = ctypes.c_void_p
    segment = LIBC.shmget(int(key), ctypes.c_size_t(0), 0)
    say(segment)
    place = LIBC.shmat(segment, None, 0)
    if place not in (None, ctypes.c_void_p(-1).value):
        print(ctypes.string_at(place, 40))


def segments() -> None:
    """Every segment that /proc shows."""
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        shared(line.split()[0])


# -- sockets -----------------------------------------------------------------------------------------


def connect(address: str) -> None:
    """What whoever listens there says: a port, a path, or @name."""
    kind = socket.AF_INET if address.isdigit() else socket.AF_UNIX
    where = ("127.0.0.1", int(address)) if address.isdigit() else address.replace("@", "\0", 1)
    with socket.socket(kind, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect(where)
        print(one.recv(100))


def abstract() -> None:
    """What whoever listens on any abstract name says."""
    for line in Path("/proc/net/unix").read_text().splitlines():
        if "@wand-" in line:
            connect(line.split()[-1])


def send(port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", int(port)))
    time.sleep(0.3)


def launcher(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.settimeout(2)
        one.connect(path)
        one.send(b'{"do":"profiles","re":1}')
        through(one.recv(200_000))


# -- what was left open, devices, terminals ----------------------------------------------------------


def leaked() -> None:
    """What lies behind every descriptor that nobody gave us."""
    for descriptor in range(3, 1024):
        with suppress(OSError):
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                print(os.read(os.open("secret", os.O_RDONLY, dir_fd=descriptor), 64))
            elif stat.S_ISREG(mode):
                print(os.pread(descriptor, 64, 0))


def sockets() -> None:
    for descriptor in range(3, 1024):
        with suppress(OSError):
            through(stat.S_ISSOCK(os.fstat(descriptor).st_mode))


def node(major: str, minor: str) -> None:
    os.mknod("node", stat.S_IFCHR | 0o666, os.makedev(int(major), int(minor)))
    with Path("node").open("rb", buffering=0) as device:
        through(device.read(1))


def devices() -> None:
    """Any device beyond those that every program needs."""
    usual = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
    found = [
        entry.name for entry in Path("/dev").iterdir() if entry.is_char_device() or entry.is_block_device()
    ]
    say(found)
    through(set(found) - usual)


def type_ahead() -> None:
    """Type into a terminal as if a person had."""
    if os.fork() == 0:
        os.setsid()
        _, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        fcntl.ioctl(terminal, termios.TIOCSTI, b"x")
        through()
        os._exit(0)
    os.wait()


# -- the kernel and its settings ---------------------------------------------------------------------


def writable(*folders: str) -> None:
    """Any setting that can be opened to be written; nothing is."""
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                with suppress(OSError):
                    os.close(os.open(f"{place}/{name}", os.O_WRONLY | os.O_NONBLOCK))
                    say(f"{place}/{name}")
                    through()
                    return


def group(folder: str) -> None:
    """Make a control group anywhere, and remove it."""
    for place in (folder, *(str(entry) for entry in Path(folder).iterdir() if entry.is_dir())):
        with suppress(OSError):
            made = Path(place, f"wand-{os.getpid()}")
            made.mkdir()
            made.rmdir()
            through()


def hostname() -> None:
    socket.sethostname(socket.gethostname())
    through()


def clone3() -> None:
    """A child in a user namespace of its own, by clone3."""
    packed = struct.pack("=8Q", NEWUSER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    answer = call(435, 435, ctypes.create_string_buffer(packed), 64)
    if answer == 0:
        through()
        os._exit(0)
    say(answer)
    if answer > 0:
        os.waitpid(answer, 0)


def old_calls() -> None:
    """unshare(2) by its 32-bit number, which a filter for 64-bit calls does not see."""
    code = b"\x53\xb8\x36\x01\x00\x00\xbb\x00\x00\x00\x10\xcd\x80\x5b\xc3"
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    through(ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 0)


def handle(path: str) -> None:
    """Keep the kernel's handle of a file, for `by_handle`."""
    room, mount_id = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128)), ctypes.c_int()
    answer = call(303, 264, -100, path.encode(), room, ctypes.byref(mount_id), 0)
    if answer != 0:
        sys.exit(f"name_to_handle_at: {answer}")
    Path("handle").write_bytes(room.raw)


def by_handle() -> None:
    room = ctypes.create_string_buffer(Path("handle").read_bytes())
    got = call(304, 265, os.open(".", os.O_RDONLY), room, os.O_RDONLY)
    say(got)
    print(os.read(got, 64))


def chroot(path: str) -> None:
    """Leave a root by way of one that lies deeper."""
    Path("deep").mkdir()
    here = os.open(".", os.O_RDONLY)
    os.chroot("deep")
    os.fchdir(here)
    for _ in range(20):
        os.chdir("..")
    os.chroot(".")
    print(Path(path).read_text())


def in_memory(*argv: str) -> None:
    """Run a program that lies in no file."""
    descriptor = os.memfd_create("program")
    os.write(descriptor, Path(argv[0]).read_bytes())
    os.execve(f"/proc/self/fd/{descriptor}", list(argv), dict(os.environ))


def watch(path: str) -> None:
    answer = LIBC.inotify_add_watch(LIBC.inotify_init1(0), path.encode(), 0x100)
    through(answer >= 0)


# -- how much ----------------------------------------------------------------------------------------


def many(count: str) -> None:
    """So many processes at once, which stay."""
    for made in range(int(count)):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.setsid()
            time.sleep(60)
            os._exit(0)
        if made + 1 == int(count):
            through()


def memory(mebibytes: str) -> None:
    taken = bytearray(int(mebibytes) << 20)
    through(taken)


def compute(seconds: str) -> None:
    while time.process_time() < float(seconds):
        pass
    through()


def openings(count: str) -> None:
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(int(count))]
    through(kept)


def room(folder: str) -> None:
    """Whether what lies in memory there may take more than a third of it."""
    about = os.statvfs(folder)
    through(3 * about.f_blocks * about.f_frsize > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def main() -> None:
    table: dict[str, Callable[..., None]] = {
        name: one for name, one in globals().items() if inspect.isfunction(one)
    }
    try:
        table[sys.argv[1]](*sys.argv[2:])
    except (OSError, MemoryError, ValueError) as error:
        sys.exit(f"no: {error}")


main()
