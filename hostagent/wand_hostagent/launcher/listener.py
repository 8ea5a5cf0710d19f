"""The socket that the host agent connects to: our own, or one that systemd hands over."""

import os
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from wand_hostagent.launcher.refusal import Refused, reason_of

_FIRST_HANDED_OVER = 3  # sd_listen_fds(3)
_PATH_BYTES = 107  # unix(7)
_LOOKS, _LOOK_SECONDS = 40, 0.05  # a child of a killed launcher may hold its socket for a moment


class Told(Protocol):
    """What a program was told of its socket, and of whom to tell when it listens."""

    @property
    def socket(self) -> str: ...
    @property
    def peer_uid(self) -> int | None: ...
    @property
    def ready_fd(self) -> int | None: ...


def open_socket(options: Told) -> socket.socket:
    """A socket that listens.

    Raises:
        Refused: it cannot be made, or another launcher listens there.
    """
    if _is_handed_over():
        os.set_inheritable(_FIRST_HANDED_OVER, False)
        return _checked(socket.socket(fileno=_FIRST_HANDED_OVER))
    return _bound(options)


def make_way(options: Told) -> None:
    """See that the socket can be made: its path will do, and a launcher that is dead left nothing there.

    Raises:
        Refused: it cannot be; another launcher may be listening there.
    """
    if _is_handed_over():
        return
    if not options.socket:
        raise Refused("Invalid", "--socket is missing, and systemd has handed none over")
    if len(os.fsencode(options.socket)) > _PATH_BYTES:
        raise Refused("Invalid", f"--socket must have at most {_PATH_BYTES} bytes: {options.socket}")
    _remove_dead(options.socket)


def take_away(options: Told) -> None:
    """Remove our socket; one that systemd handed over stays, for who is started next."""
    if options.socket and not _is_handed_over():
        with suppress(OSError):
            Path(options.socket).unlink()


def _is_handed_over() -> bool:
    return os.environ.get("LISTEN_FDS") == "1" and os.environ.get("LISTEN_PID") == str(os.getpid())


def _checked(handed: socket.socket) -> socket.socket:
    if handed.family != socket.AF_UNIX or handed.type != socket.SOCK_SEQPACKET:
        raise Refused("Invalid", "the socket unit must say ListenSequentialPacket=")
    return handed


def _bound(options: Told) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mask = os.umask(0o177)
    try:
        listener.bind(options.socket)
        if options.peer_uid is not None and os.geteuid() == 0:
            os.chown(options.socket, options.peer_uid, -1)
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise Refused(
            "Broken", f"cannot listen on {options.socket}: {reason_of(error.errno or 0)}"
        ) from error
    finally:
        os.umask(mask)
    return listener


def _remove_dead(path: str) -> None:
    """Remove a socket that a launcher left when it was killed."""
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise Refused("Conflict", f"{path} is there already and is no socket")
    except FileNotFoundError:
        return
    for _ in range(_LOOKS):
        if not _is_listened_to(path):
            Path(path).unlink()
            return
        time.sleep(_LOOK_SECONDS)
    raise Refused("Conflict", f"another launcher listens on {path}", hint="stop it first")


def _is_listened_to(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError as error:
            raise Refused("Broken", f"{path}: {reason_of(error.errno or 0)}") from error
    return True


def tell_ready(options: Told) -> None:
    """Say that we listen: a byte on --ready-fd, READY=1 to systemd; see sd_notify(3)."""
    if options.ready_fd is not None:
        with suppress(OSError):
            os.write(options.ready_fd, b"\n")
            os.close(options.ready_fd)
    notify(b"READY=1")


def watchdog_seconds() -> float:
    """How long systemd waits for a sign of life from us; 0 where it does not; see sd_watchdog_enabled(3)."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    told = os.environ.get("WATCHDOG_USEC", "")
    return int(told) / 1e6 if told.isdigit() else 0.0


def notify(text: bytes) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.sendto(text, "\0" + address[1:] if address.startswith("@") else address)
