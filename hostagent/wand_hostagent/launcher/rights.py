"""Descriptors beside a message (SCM_RIGHTS, unix(7)): what comes is for us alone from its first moment."""

import socket
import struct
from collections.abc import Sequence

# As enums these would cost more than the call that they are for.
CUT = int(socket.MSG_CTRUNC)
SHORT = int(socket.MSG_TRUNC)
_CLOSE_ON_EXEC = int(socket.MSG_CMSG_CLOEXEC)
_LEVEL, _KIND = int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS)
_INT_BYTES = 4


def room_for(most: int) -> int:
    """The bytes that so many descriptors take beside a message."""
    return socket.CMSG_LEN(most * _INT_BYTES)


def receive(link: socket.socket, place: memoryview, room: int) -> tuple[int, tuple[int, ...], int]:
    """One message, put into `place`: its size, the descriptors that came, and the flags of recvmsg(2).

    Raises:
        OSError: there is none, or the connection is broken.
    """
    size, beside, flags, _ = link.recvmsg_into((place,), room, _CLOSE_ON_EXEC)
    return size, _descriptors(beside) if beside else (), flags


def send(link: socket.socket, message: bytes, descriptors: Sequence[int], flags: int = 0) -> None:
    """One message with these descriptors; raises OSError."""
    packed = struct.pack(f"={len(descriptors)}i", *descriptors)
    link.sendmsg((message,), ((_LEVEL, _KIND, packed),), flags)


def _descriptors(beside: Sequence[tuple[int, int, bytes]]) -> tuple[int, ...]:
    found: tuple[int, ...] = ()
    for level, kind, carried in beside:
        if level == _LEVEL and kind == _KIND:
            count = len(carried) // _INT_BYTES
            found += struct.unpack_from(f"={count}i", carried)
    return found
