"""Sockets of this machine: put in the place of one that nobody listens at, and who is at the other end."""

import contextlib
import os
import pwd
import socket
import stat
import struct
from pathlib import Path

from wand_proto.errors import Conflict

_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid


def bound(path: Path, mode: int, *, backlog: int, hint: str) -> tuple[socket.socket, int]:
    """A listening socket with that mode from its first moment on, and its inode; `hint` says how to move it.

    Raises:
        Conflict: somebody listens there, or what is there is no socket.
        OSError: none can be made there.
    """
    _remove_stale(path, hint)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listening.bind(str(path))
        path.chmod(mode)  # before listen: until then nobody can connect
        listening.listen(backlog)
        return listening, path.stat().st_ino
    except BaseException:
        listening.close()
        raise


def is_there(path: Path, inode: int) -> bool:
    """Whether the socket of that inode still lies there, so that it can be connected to."""
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False


def remove(path: Path, inode: int) -> None:
    """Remove the socket of that inode, and no other that has taken its place."""
    if is_there(path, inode):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def peer_of(connected: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end, by the kernel's word, as they were when they connected."""
    pid, uid, _ = _PEER.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return pid, uid


def user(uid: int) -> str:
    """Who a user is, by number and, where there is one, by name."""
    try:
        return f"{uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return str(uid)


def _remove_stale(path: Path, hint: str) -> None:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(about.st_mode):
        raise Conflict(f"{path} exists and is no socket", hint=hint)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise Conflict(f"another process listens on {path}", hint=f"stop it, or {hint}")
