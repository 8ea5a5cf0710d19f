"""Heads of the ledger, told where whoever may change the ledger later cannot change them too.

An anchor is `journal` (systemd's, which may forward to another machine), `syslog`, or the path of a file,
on another machine's disk perhaps. What is told is one line, in which `audit verify --anchors` finds the head
again, whatever stands around it. Nobody waits for an anchor: one that cannot be told is logged.
"""

import os
import socket
from collections.abc import Sequence

from wand_hostagent.launcher import log
from wand_hostagent.launcher.ledger import Head

_SOCKETS = {"journal": "/run/systemd/journal/socket", "syslog": "/dev/log"}
_AUTHPRIV_NOTICE = 10 << 3 | 5  # syslog(3)


class Anchors:
    """Where heads are told."""

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places

    def tell(self, head: Head) -> None:
        """Tell this head everywhere."""
        text = f"wand-ledger seq={head.seq} hash={head.hash}"
        for place in self._places:
            try:
                _tell(place, text)
            except OSError as error:
                log.write("error", "head not anchored", place=place, seq=head.seq, why=str(error))


def _tell(place: str, text: str) -> None:
    if place not in _SOCKETS:
        _append(place, f"{text}\n".encode())
        return
    if place == "journal":
        message = f"MESSAGE={text}\nPRIORITY=5\nSYSLOG_IDENTIFIER=wand-launcher\n"
    else:
        message = f"<{_AUTHPRIV_NOTICE}>wand-launcher[{os.getpid()}]: {text}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.connect(_SOCKETS[place])
        sender.send(message.encode())


def _append(path: str, line: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, line)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
