"""The system calls that Python lacks, through libc's syscall(2); each name is that of its man page.

PyDLL keeps the interpreter's lock over a call, so that a child made by clone3(2) wakes up holding it.
"""

import ctypes
import os
import struct
from contextlib import suppress

_NUMBERS = {
    "x86_64": {
        "bind": 49, "listen": 50, "madvise": 28,
        "close": 3, "ioctl": 16, "socket": 41, "openat": 257, "unshare": 272, "setns": 308, "execveat": 322,
        "rt_sigaction": 13, "rt_sigprocmask": 14, "execve": 59, "chdir": 80, "fchdir": 81, "umask": 95,
        "sendmsg": 46, "setsid": 112, "setgroups": 116, "setresuid": 117, "setresgid": 119, "capset": 126,
        "pivot_root": 155, "prctl": 157, "mount": 165, "umount2": 166, "mkdirat": 258, "mknodat": 259,
        "inotify_add_watch": 254, "inotify_rm_watch": 255, "unlinkat": 263, "symlinkat": 266,
        "signalfd4": 289, "inotify_init1": 294, "dup3": 292, "prlimit64": 302, "seccomp": 317,
        "sched_setattr": 314, "sched_getattr": 315,
        "statx": 332, "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442,
        "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
    "aarch64": {
        "bind": 200, "listen": 201, "madvise": 233,
        "close": 57, "ioctl": 29, "socket": 198, "openat": 56, "unshare": 97, "setns": 268, "execveat": 281,
        "dup3": 24, "inotify_init1": 26, "inotify_add_watch": 27, "inotify_rm_watch": 28,
        "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "umount2": 39,
        "mount": 40, "pivot_root": 41, "chdir": 49, "fchdir": 50, "signalfd4": 74, "capset": 91,
        "rt_sigaction": 134, "rt_sigprocmask": 135, "setresuid": 147, "setresgid": 149, "setsid": 157,
        "setgroups": 159, "umask": 166, "prctl": 167, "execve": 221, "prlimit64": 261, "seccomp": 277,
        "sched_setattr": 274, "sched_getattr": 275,
        "clone3": 435, "close_range": 436, "openat2": 437, "mount_setattr": 442, "sendmsg": 211, "statx": 291,
        "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
}  # fmt: skip
NUMBERS = _NUMBERS.get(os.uname().machine, {})

CLONE_NEWNS = 0x00020000
CLONE_PIDFD = 0x00001000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 1 << 33
_SIGCHLD = 17

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

CLOSE_RANGE_CLOEXEC = 4
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_SFD_CLOEXEC_NONBLOCK = _IN_CLOEXEC_NONBLOCK = 0o2004000
_IN_ANY_CHANGE = 0x00000FCE  # IN_MODIFY to IN_MOVE_SELF, without IN_CLOSE_NOWRITE and IN_OPEN
_IN_ONLYDIR = 0x01000000
_MADV_DONTNEED = 4
_IN_ANY_NAME = 0x00000FC0  # IN_MOVED_FROM to IN_MOVE_SELF: what is made, removed and renamed

_AT_HERE = -100  # AT_FDCWD
_STATX_INO_BTIME = 0x900
_STATX = struct.Struct("=32xQ40xQI4x16x16x8xII112x")  # of struct statx: inode, time of birth, device

_LIBC = ctypes.PyDLL(None, use_errno=True)
_SYSCALL = _LIBC.syscall
_SYSCALL.restype = ctypes.c_long
_SYSCALL.argtypes = [ctypes.c_long] * 7


class CloneArguments(ctypes.Structure):
    """struct clone_args of clone(2)."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack",
            "stack_size", "tls", "set_tid", "set_tid_size", "cgroup",
        )
    ]  # fmt: skip


class _OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


def raw(number: int, arguments: tuple[int, ...]) -> int:
    """One system call by number; addresses are plain integers.

    Raises:
        OSError: what the kernel answered.
    """
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    result = int(_SYSCALL(number, *padded))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def call(name: str, *arguments: int) -> int:
    """One system call by the name of its man page."""
    return raw(NUMBERS[name], arguments)


def clone(flags: int, cgroup: int = -1) -> tuple[int, int]:
    """A copy of this process in new namespaces and that control group: its pid (0 in itself), its pidfd."""
    pidfd = ctypes.c_int(-1)
    wanted = CloneArguments(
        flags=flags | CLONE_PIDFD | (CLONE_INTO_CGROUP if cgroup >= 0 else 0),
        exit_signal=_SIGCHLD,
        pidfd=ctypes.addressof(pidfd),
        cgroup=max(cgroup, 0),
    )
    pid = call("clone3", ctypes.addressof(wanted), ctypes.sizeof(wanted))
    return pid, pidfd.value


def fork() -> int:
    """A copy of this process, made without Python's own ceremony; 0 in the copy itself."""
    wanted = CloneArguments(exit_signal=_SIGCHLD)
    return call("clone3", ctypes.addressof(wanted), ctypes.sizeof(wanted))


def prctl(option: int, *arguments: int) -> int:
    """Change something about this process."""
    return call("prctl", option, *arguments)


def set_name(name: bytes) -> None:
    """What ps(1) calls this process."""
    text = ctypes.create_string_buffer(name[:15])
    prctl(PR_SET_NAME, ctypes.addressof(text))


def mount(kind: bytes, target: bytes, flags: int) -> None:
    """Put a file system in its place, or change how one spreads."""
    texts = ctypes.create_string_buffer(kind), ctypes.create_string_buffer(target)
    call("mount", ctypes.addressof(texts[0]), ctypes.addressof(texts[1]), ctypes.addressof(texts[0]), flags)


def close_range(first: int, last: int) -> None:
    """Close every descriptor from `first` to `last`."""
    if first <= last:
        call("close_range", first, last, 0)


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on that is not kept."""
    first = 3
    for descriptor in sorted(set(kept)):
        close_range(first, descriptor - 1)
        first = descriptor + 1
    close_range(first, 0xFFFFFFFF)


def signal_descriptor(*signals: int) -> int:
    """A descriptor that reads ready when one of the (blocked) signals comes; see signalfd(2)."""
    mask = ctypes.c_uint64(sum(1 << (number - 1) for number in signals))
    return call("signalfd4", -1, ctypes.addressof(mask), 8, _SFD_CLOEXEC_NONBLOCK)


def watching() -> int:
    """A descriptor that reads ready when something changes that it watches; see watch_folder."""
    return call("inotify_init1", _IN_CLOEXEC_NONBLOCK)


def watch_folder(descriptor: int, path: bytes) -> None:
    """Hear of what is made, written, moved and removed in a folder."""
    text = ctypes.create_string_buffer(path)
    call("inotify_add_watch", descriptor, ctypes.addressof(text), _IN_ANY_CHANGE | _IN_ONLYDIR)


def watch_names(descriptor: int, path: bytes) -> int:
    """Hear of names that are made, moved and removed in a folder; the number of the watch."""
    text = ctypes.create_string_buffer(path)
    return call("inotify_add_watch", descriptor, ctypes.addressof(text), _IN_ANY_NAME | _IN_ONLYDIR)


def stop_watching(descriptor: int, watch: int) -> None:
    """Hear no more of it."""
    with suppress(OSError):  # the folder is gone
        call("inotify_rm_watch", descriptor, watch)


def forget_code() -> None:
    """Let go of the memory that holds code; what of it is needed again comes back by itself.

    It is what files hold, unchanged, and most of it has served the start alone.
    """
    place, rights, inode = ["0", "0"], "", "0"
    with open("/proc/self/smaps", encoding="utf-8", errors="replace") as told:  # noqa: PTH123 - proc(5)
        for words in map(str.split, told):
            if "-" in words[0]:
                place, rights, inode = words[0].split("-"), words[1], words[4]
            elif words[0] in {"Anonymous:", "Swap:"} and words[1] != "0":
                inode = "0"  # something of it is in no file
            elif words[0] == "VmFlags:" and rights in {"r-xp", "r--p"} and inode != "0":
                first, last = (int(one, 16) for one in place)
                with suppress(OSError, KeyError):
                    call("madvise", first, last - first, _MADV_DONTNEED)


def open_beneath(root: int, path: bytes) -> int:
    """A directory below the directory `root`, by no way around it; see openat2(2)."""
    how = _OpenHow(
        flags=os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, resolve=_RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
    )
    text = ctypes.create_string_buffer(path)
    return call("openat2", root, ctypes.addressof(text), ctypes.addressof(how), ctypes.sizeof(how))


def identity(path: str) -> tuple[int, ...]:
    """What no other file has, not even one that gets its number when it is gone; see statx(2).

    Raises:
        OSError: there is none.
    """
    text, found = ctypes.create_string_buffer(os.fsencode(path)), ctypes.create_string_buffer(_STATX.size)
    call("statx", _AT_HERE, ctypes.addressof(text), 0, _STATX_INO_BTIME, ctypes.addressof(found))
    return _STATX.unpack(found.raw)
