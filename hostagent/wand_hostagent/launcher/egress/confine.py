"""The walls around the proxy itself: it parses what jobs and strangers send, and so can do little else.

No capability, no new privileges, no file but those that name lookups read, no other process, no socket but
of the Internet, no program to run, and no system call beyond a short list.
"""

import ctypes
import os
import resource
import signal
import socket
import struct
from collections.abc import Sequence

from wand_hostagent.launcher import landlock, seccomp, syscalls

_READ_FILE = 1 << 2
_OPEN_FILES = 4096
_CAPABILITY_VERSION_3 = 0x20080522
# name: its number on x86-64 and on arm64, None where it has none
_CALLS = {
    "accept4": (288, 242), "brk": (12, 214), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115),
    "close": (3, 57), "connect": (42, 203), "dup": (32, 23), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_pwait": (281, 22), "epoll_wait": (232, None), "exit": (60, 93),
    "exit_group": (231, 94), "fcntl": (72, 25), "fstat": (5, 80), "futex": (202, 98), "getegid": (108, 177),
    "geteuid": (107, 175), "getgid": (104, 176), "getpeername": (52, 205), "getpid": (39, 172),
    "getppid": (110, 173), "getrandom": (318, 278), "getsockname": (51, 204), "getsockopt": (55, 209),
    "gettid": (186, 178), "gettimeofday": (96, 169), "getuid": (102, 174), "ioctl": (16, 29),
    "lseek": (8, 62), "lstat": (6, None), "madvise": (28, 233), "mmap": (9, 222), "mprotect": (10, 226),
    "mremap": (25, 216), "munmap": (11, 215), "newfstatat": (262, 79), "openat": (257, 56),
    "poll": (7, None), "ppoll": (271, 73), "prlimit64": (302, 261), "read": (0, 63), "recvfrom": (45, 207),
    "recvmsg": (47, 212), "restart_syscall": (219, 128), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sched_yield": (24, 124), "sendmsg": (46, 211),
    "sendto": (44, 206), "setsockopt": (54, 208), "shutdown": (48, 210), "sigaltstack": (131, 132),
    "socket": (41, 198), "stat": (4, None), "statx": (332, 291), "tgkill": (234, 131), "write": (1, 64),
}  # fmt: skip


def settle(*, with_parent: bool) -> None:
    """What can be done before the sockets are there; `with_parent` ends us with whoever started us."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = _OPEN_FILES if most == resource.RLIM_INFINITY else min(_OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    syscalls.set_name(b"wand-egress")
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    if with_parent:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(0)


def put_up(readable: Sequence[str]) -> list[str]:
    """Put up all walls that this kernel has; their names. What is not among them is not there."""
    found = ["no capability", "no new privileges"]
    _drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    version = landlock.version()
    if version:
        _restrict(readable, version)
        found.append(f"Landlock {version}")
    if seccomp.is_there():
        _filter()
        found.append("a list of system calls")
    return found


def _drop_capabilities() -> None:
    try:
        for capability in range(64):
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
    except OSError:
        pass  # beyond the last that this kernel knows, or we had none to begin with
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(24)
    syscalls.call("capset", ctypes.addressof(header), ctypes.addressof(nothing))


def _restrict(readable: Sequence[str], version: int) -> None:
    rules = tuple(landlock.Rule(path, _READ_FILE) for path in readable)
    ruleset = landlock.build(landlock.Ruleset(rules=rules), version)
    syscalls.call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _filter() -> None:
    machine = os.uname().machine
    column = 0 if machine == "x86_64" else 1
    numbers = [number for call in _CALLS.values() if (number := call[column]) is not None]
    code = seccomp.only(machine, numbers, (socket.AF_INET, socket.AF_INET6))
    memory = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(memory)))
    syscalls.call("seccomp", 1, 0, ctypes.addressof(program))  # SECCOMP_SET_MODE_FILTER
