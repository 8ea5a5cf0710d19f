"""A job's terminal on its way to us: the job sends it, the launcher keeps it, and we look at it there."""

import errno
import os
import socket
import sys
from typing import Self

from wand_hostagent.backends.inputs import Keyboard
from wand_hostagent.backends.streams import Ends
from wand_proto.errors import Broken, Exhausted

NONE_LEFT = "the host agent has no descriptor left for a job's terminal"


class Handover:
    """The pair of sockets through which a job's terminal comes; the launcher gets both, and we keep one."""

    def __init__(self) -> None:
        try:
            self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise Exhausted(NONE_LEFT) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._theirs.close()

    def to_hand_over(self) -> tuple[int, ...]:
        """The descriptors of a `run` request."""
        return self._theirs.fileno(), self._ours.fileno()

    def take(self, stdin: bytes, *, stays_open: bool) -> Ends:
        """Our ends of the terminal of a job that has started; none, where it was ended before it ran."""
        self._theirs.close()  # so that what never came is told from what has not come yet
        return ends_of(self._ours, stdin, stays_open=stays_open)


def adopted(kept: int, *, stays_open: bool) -> Ends:
    """The same for a socket that the launcher has kept, which is closed."""
    with socket.socket(fileno=kept) as ours:
        return ends_of(ours, b"", stays_open=stays_open)


def ends_of(ours: socket.socket, stdin: bytes, *, stays_open: bool) -> Ends:
    """Look at the message with the terminal; it stays for a later host agent."""
    flags = socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    try:
        told, beside, got, _ = ours.recvmsg(1, socket.CMSG_SPACE(4), flags)
    except OSError as error:
        raise Broken(f"the job's terminal cannot be had: {error.strerror}") from error
    if not told:
        return Ends((), None)
    if got & socket.MSG_CTRUNC and not beside:
        raise Exhausted(NONE_LEFT)
    masters = [int.from_bytes(packed, sys.byteorder) for _, _, packed in beside]
    if len(masters) != 1:
        raise Broken(f"the job sent {len(masters)} terminals, not 1")
    try:
        return Ends((masters[0],), Keyboard(masters[0], stdin, stays_open=stays_open))
    except OSError as error:
        os.close(masters[0])
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise Exhausted(NONE_LEFT) from error
        raise Broken(f"the job's terminal cannot be used: {error.strerror}") from error
