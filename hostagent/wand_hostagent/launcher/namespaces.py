"""The namespaces of a job beside its processes and mounts: network, IPC and host name."""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.step import Memory, Step, step

# Made in the process itself: with clone(2), it would be that of the launcher's group.
GROUPS = syscalls.CLONE_NEWCGROUP if os.path.exists("/proc/self/ns/cgroup") else 0  # noqa: PTH110
ALWAYS = syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
NETWORKS = ("none", "loopback", "host")
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1


def flags(network: str) -> int:
    """The flags of clone(2) for a job with this network."""
    return ALWAYS if network == "host" else ALWAYS | syscalls.CLONE_NEWNET


def raise_loopback() -> None:
    """Bring `lo` up in the network namespace that we are in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        asked = struct.pack("16sh14x", b"lo", 0)
        _, found = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", found | _IFF_UP))


def table(network: str, memory: Memory, free: int) -> Iterator[Step]:
    """The calls that bring `lo` up in a new namespace; `free` is the lowest free descriptor."""
    if network != "loopback":
        return
    family, kind = socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    wanted = memory.block(struct.pack("16sh22x", b"lo", _IFF_UP))
    yield step("socket", family, kind, 0, shown="AF_INET, SOCK_DGRAM")
    yield step("ioctl", free, _SIOCSIFFLAGS, wanted, shown="SIOCSIFFLAGS, lo, IFF_UP")
    yield step("close", free, shown="lo")
