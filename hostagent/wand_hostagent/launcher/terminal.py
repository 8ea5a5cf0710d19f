"""A terminal for a job: made by the command's own table, in the job's own devpts, once it is the user.

So all that a program can ask about its terminal is true inside: /dev/tty, ttyname(3), the owner of
/dev/pts/0. The end that plays the person at the keyboard, the master, leaves by a socket before the program
runs and is not kept in the job. Whoever holds the other end of the socket looks at the message without
taking it (MSG_PEEK), so that a later host agent finds it there again.
"""

import os
import socket
import struct
import termios
from collections.abc import Iterator

from wand_hostagent.launcher.step import Memory, Step, step

Size = tuple[int, int]  # columns and rows

# What a program finds that looks for a person: colours are shown, and no pager waits for a key.
ENVIRONMENT = {"TERM": "xterm-256color", "PAGER": "cat", "GIT_PAGER": "cat"}

_AT_HERE = -100  # AT_FDCWD
_UNLOCK, _PEER = 0x40045431, 0x5441  # TIOCSPTLCK, TIOCGPTPEER
_MASTER, _PEER_END = 0, 1  # where they are meanwhile: the lowest descriptor that is free


def made(size: Size, outside: int, memory: Memory) -> Iterator[Step]:
    """Make it, send the master to the socket `outside`, and let 0, 1 and 2 be the terminal of the session."""
    columns, rows = size
    path, flags = memory.text(b"/dev/ptmx"), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
    window = memory.block(struct.pack("=HHHH", rows, columns, 0, 0))
    yield step("close", _MASTER)
    yield step("openat", _AT_HERE, path, flags, 0, shown="/dev/ptmx")
    yield step("ioctl", _MASTER, _UNLOCK, memory.block(bytes(4)), shown="master, TIOCSPTLCK, 0")
    yield step("close", _PEER_END)
    yield step("ioctl", _MASTER, _PEER, os.O_RDWR | os.O_NOCTTY, shown="master, TIOCGPTPEER")
    yield step("ioctl", _MASTER, termios.TIOCSWINSZ, window, shown="master, TIOCSWINSZ, size")
    yield step("sendmsg", outside, _message(memory), socket.MSG_NOSIGNAL, shown="outside, master")
    for place in (0, 2):
        yield step("dup3", _PEER_END, place, 0, shown=f"terminal, {place}, 0")
    yield step("ioctl", 0, termios.TIOCSCTTY, 0, shown="terminal, TIOCSCTTY, 0")


def _message(memory: Memory) -> int:
    """A struct msghdr of one byte, with the master beside it."""
    vector = memory.block(struct.pack("=QQ", memory.block(b"\0"), 1), 0)
    size = socket.CMSG_SPACE(4)
    beside = struct.pack("=Qiii", socket.CMSG_LEN(4), socket.SOL_SOCKET, socket.SCM_RIGHTS, _MASTER)
    control = memory.block(beside.ljust(size, b"\0"))
    return memory.block(struct.pack("=QI4xQQQQi4x", 0, 0, vector, 1, control, size, 0), 16, 32)
