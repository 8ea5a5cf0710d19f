"""The namespaces of a job beside its processes and mounts: network, IPC and host name."""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator

from wand_hostagent.launcher import syscalls, vfork
from wand_hostagent.launcher.step import Memory, Step, step

# Made in the process itself: with clone(2), it would be that of the launcher's group.
GROUPS = syscalls.CLONE_NEWCGROUP if os.path.exists("/proc/self/ns/cgroup") else 0  # noqa: PTH110
ALWAYS = syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
NETWORKS = ("none", "loopback", "proxy", "host")
DOOR = ("127.0.0.1", 3128)  # where the proxy listens in the network of a job
DOOR_OPENED = b"L"  # said on an init's socket, the listening one beside it
_ADDRESS = f"http://{DOOR[0]}:{DOOR[1]}"
# How programs find the proxy; they write these in either way.
PROXY = {
    name: text
    for upper, text in (
        ("HTTP_PROXY", _ADDRESS), ("HTTPS_PROXY", _ADDRESS), ("ALL_PROXY", _ADDRESS),
        ("NO_PROXY", "localhost,127.0.0.1,::1"),
    )
    for name in (upper, upper.lower())
}  # fmt: skip
_WAITING = 64  # connections that the kernel keeps until the proxy takes them
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1
_OUR_NETWORK = "/proc/self/ns/net"


def is_connected() -> bool:
    """Whether the network that we are in has more than `lo`."""
    return any(name != "lo" for _, name in socket.if_nameindex())


def flags(network: str) -> int:
    """The flags of clone(2) for a job with this network."""
    return ALWAYS if network == "host" else ALWAYS | syscalls.CLONE_NEWNET


def new_network() -> int:
    """A descriptor of a network namespace in which nobody is yet.

    We make it and go home again: an init born in a new one closes its door to us before we could look in.

    Raises:
        OSError: it cannot be had.
    """
    return opened_elsewhere(_OUR_NETWORK, "unshare", syscalls.CLONE_NEWNET)


def opened_elsewhere(path: str, call: str, *arguments: int) -> int:
    """A descriptor of a file, opened in the network into which that system call takes us; we go home again.

    Raises:
        OSError: we do not get there, or it cannot be had.
    """
    home = os.open(_OUR_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.call(call, *arguments)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            syscalls.call("setns", home, syscalls.CLONE_NEWNET)
    finally:
        os.close(home)


def raise_loopback() -> None:
    """Bring `lo` up in the network namespace that we are in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        asked = struct.pack("16sh14x", b"lo", 0)
        _, found = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", found | _IFF_UP))


def open_door(control: int) -> None:
    """In the init of a job: hand over a socket that listens in its network."""
    with (
        socket.socket(fileno=os.dup(control)) as link,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as door,
    ):
        door.bind(DOOR)
        door.listen(_WAITING)
        socket.send_fds(link, [DOOR_OPENED], [door.fileno()])


def table(network: str, memory: Memory, free: int) -> Iterator[Step]:
    """The calls that bring `lo` up in a new namespace; `free` is the lowest free descriptor."""
    if network not in {"loopback", "proxy"}:
        return
    family, kind = socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    wanted = memory.block(struct.pack("16sh22x", b"lo", _IFF_UP))
    yield step("socket", family, kind, 0, shown="AF_INET, SOCK_DGRAM")
    yield step("ioctl", free, _SIOCSIFFLAGS, wanted, shown="SIOCSIFFLAGS, lo, IFF_UP")
    yield step("close", free, shown="lo")
    if network == "proxy":
        yield from _door(memory, free)


def _door(memory: Memory, free: int) -> Iterator[Step]:
    """The calls that do what `open_door` does."""
    host, port = DOOR
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))
    rights = struct.pack("@Niii4x", 20, socket.SOL_SOCKET, socket.SCM_RIGHTS, free)  # cmsg(3)
    text = struct.pack("@PN", memory.block(DOOR_OPENED), len(DOOR_OPENED))
    message = struct.pack(
        "@PIPNPNi4x", 0, 0, memory.block(text, 0), 1, memory.block(rights), len(rights), 0
    )  # struct msghdr
    yield step(
        "socket", socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, 0, shown="AF_INET, SOCK_STREAM"
    )
    yield step("bind", free, memory.block(address), len(address), shown=f"door, {host}:{port}")
    yield step("listen", free, _WAITING, shown=f"door, {_WAITING}")
    yield step("sendmsg", vfork.CONTROL, memory.block(message, 16, 32), 0, shown="control, door")
    yield step("close", free, shown="door")
