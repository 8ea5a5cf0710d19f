"""The first process of a job: it starts the command, reaps, passes signals on, and takes all with it.

It is a copy of the launcher that keeps nothing of it but one socket. In a box that holds the tree it is
pid 1, and the kernel kills every process of the job when it ends, for whatever reason; elsewhere it is the
subreaper of the job and ends what is below it before it goes.

What it says on the socket is one of these, each a letter and two numbers:

    B 0 errno         the box could not be prepared; what failed follows as text
    F step errno      a step of the table failed
    S 0 0             the command runs
    E status 0        the command has ended, with this wait status

What it hears is one byte, the number of a signal. The launcher's end closed means that the launcher died.
"""

import gc
import os
import select
import signal
import struct
from dataclasses import dataclass
from typing import NoReturn

from wand_hostagent.launcher import namespaces, sparing, syscalls, tree
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.steps import Table
from wand_hostagent.launcher.walls import Unprepared, Walls

MESSAGE = struct.Struct("=cii")
TEXT_BYTES = 512
_PAIR = struct.Struct("=ii")


@dataclass(frozen=True, slots=True)
class Orders:
    """All that an init needs; the descriptors are the launcher's numbers."""

    box: Box
    walls: Walls
    table: Table
    control: int
    command: tuple[int, ...]  # what the command's steps use


def live(orders: Orders) -> NoReturn:
    """The whole life of an init, from clone to exit; no exception leaves it."""
    gc.disable()  # or it would copy every page it looks at
    try:
        syscalls.close_all_but(orders.control, *orders.command)
        _prepare(orders.box, orders.walls)
        _open_door(orders)
        if not _launcher_is_gone(orders.control):
            _run(orders)
    except Unprepared as trouble:
        _say(orders, b"B", 0, trouble.number, trouble.stage)
    finally:
        os._exit(0)


def _prepare(box: Box, walls: Walls) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    if sparing.is_spared():
        sparing.stop()
    if box.holds_tree:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    os.setsid()
    syscalls.set_name(b"wand-init")
    box.enter(walls)


def _open_door(orders: Orders) -> None:
    if orders.walls.network != "proxy":
        return
    try:
        namespaces.open_door(orders.control)
    except OSError as error:
        raise Unprepared("the door to the proxy", error.errno or 0) from error


def _launcher_is_gone(control: int) -> bool:
    """Whether the launcher died before PR_SET_PDEATHSIG could have told."""
    poll = select.poll()
    poll.register(control, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _run(orders: Orders) -> None:
    command, failure = _start(orders)
    if failure:
        _say(orders, b"F", *_PAIR.unpack(failure))
        return
    _say(orders, b"S", 0, 0)
    try:
        status = _watch(orders, command)
    finally:
        if not orders.box.holds_tree:
            _end_what_is_left()
    if status is not None:
        _say(orders, b"E", status, 0)


def _start(orders: Orders) -> tuple[int, bytes]:
    """The command's pid; and, where a step failed, which and why."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = syscalls.fork() if orders.box.holds_tree else os.fork()
    if pid == 0:
        _become(orders.table, writer)
    syscalls.close_all_but(orders.control, reader)
    failure = os.read(reader, _PAIR.size)  # nothing, where execve(2) closed the other end
    os.close(reader)
    return pid, failure


def _become(table: Table, writer: int) -> NoReturn:
    try:
        os.write(writer, _PAIR.pack(*table.run()))
    finally:
        os._exit(127)


def _watch(orders: Orders, command: int) -> int | None:
    """Reap and pass signals on until the command ends; None where the launcher went first."""
    children = syscalls.signal_descriptor(signal.SIGCHLD)
    poll = select.poll()
    poll.register(orders.control, select.POLLIN)
    poll.register(children, select.POLLIN)
    while (status := _reap(command)) is None:
        for ready, _ in poll.poll():
            if ready == children:
                os.read(children, 4096)
            elif order := _heard(orders.control):
                _signal_all(orders.box, order[0])
            else:
                return None
    return status


def _heard(control: int) -> bytes:
    """The number of a signal; nothing where the launcher is gone, whether or not it had read what we said."""
    try:
        return os.read(control, 1)
    except ConnectionResetError:
        return b""


def _reap(command: int) -> int | None:
    """Collect every child that has ended; the command's wait status, if it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == command:
            return status
        if pid == 0:
            return None


def _signal_all(box: Box, number: int) -> None:
    if not box.holds_tree:
        tree.send(tree.below(os.getpid()), number)
        return
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return


def _end_what_is_left() -> None:
    tree.kill(os.getpid())
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _say(orders: Orders, letter: bytes, first: int, second: int, text: str = "") -> None:
    said = MESSAGE.pack(letter, first, second) + text.encode("utf-8", "surrogateescape")[:TEXT_BYTES]
    try:
        os.write(orders.control, said)
    except OSError:
        return  # the launcher is gone
