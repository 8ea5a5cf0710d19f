"""What all boxes of a profile have in common, prepared once; and how the init of each comes to be.

A copy of the launcher puts the walls up, says which rules fit in them, and ends again: its mount tree is kept
by a descriptor. An init becomes the program of vfork.py in that tree, and does the rest by a table that it is
sent: it takes a copy of the tree, mounts what is its own (processes, terminals, memory), makes the Landlock
ruleset in it, and confines itself.
"""

import gc
import json
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wand_hostagent.launcher import confinement, landlock, namespaces, syscalls, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.cgroup import Leaf
from wand_hostagent.launcher.landlock import Rule
from wand_hostagent.launcher.networks import Networks
from wand_hostagent.launcher.step import Memory, Step, step
from wand_hostagent.launcher.walls import Unprepared, Walls, reserve

_TOLD_BYTES = 65536
_EVERY = 2**32 - 1


class Unmade(Exception):
    """No init could be made this way; the text says why."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Descriptors that the tables name; what lies behind the last two changes from init to init."""

    program: int
    control: int
    network: int


@dataclass(frozen=True, slots=True)
class Birth:
    """How an init comes to be: what its process does at first, and what it does as the init."""

    table: vfork.Ready
    settling: tuple[Step, ...]
    orders: bytes  # the same as the init gets it


@dataclass(slots=True)
class Infant:
    """An init that waits for its orders."""

    pid: int
    pidfd: int
    control: socket.socket
    walls: Walls
    network: int  # the descriptor of its own; -1 where it has none
    networks: Networks  # where that belongs
    birth: Birth  # which it may still be at, so it has to be there
    leaf: Leaf | None = None  # its control group
    spared: bool = False  # the kernel would still end others in its place

    def end(self) -> None:
        """Let it go without a job."""
        self.control.close()
        end(self.pid, self.pidfd)
        self.networks.close(self.network)
        if self.leaf is not None:
            self.leaf.remove()


def end(pid: int, pidfd: int) -> None:
    """End a child, and be done with it."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)


@dataclass(slots=True)
class Cast:
    """What the boxes of a profile have in common, and the inits that wait in such boxes."""

    walls: Walls
    trace: tuple[int, ...]  # of what its tree holds on to
    tree: int  # the descriptor of a mount namespace to be copied; -1 where each job makes its own
    flags: int  # of clone(2)
    used: Birth  # in a network namespace that a job has left
    first: Birth  # in a new one
    waiting: deque[Infant] = field(default_factory=deque)
    due: bool = False  # whether more will be made
    proven: bool = False  # whether an init has come to be in it

    def is_of(self, walls: Walls, trace: tuple[int, ...]) -> bool:
        """Whether it has these walls, and what they show is still what it was."""
        return self.walls is walls and self.trace == trace

    def close(self) -> None:
        while self.waiting:
            self.waiting.pop().end()
        if self.tree >= 0:
            os.close(self.tree)


@dataclass(slots=True, eq=False)
class Coming:
    """A copy of the launcher that prepares a box, and what it has said so far."""

    walls: Walls
    trace: tuple[int, ...]
    pid: int
    pidfd: int
    reader: int
    told: bytearray = field(default_factory=bytearray)

    def is_ready(self, seconds: float = 0.0) -> bool:
        """Whether it has said all that it will say; waits for that so long at most."""
        poll = select.poll()
        poll.register(self.reader, select.POLLIN)
        give_up = time.monotonic() + seconds
        while poll.poll(max(0.0, give_up - time.monotonic()) * 1000):
            part = os.read(self.reader, _TOLD_BYTES)
            if not part:
                return True
            self.told += part
        return False

    def close(self) -> None:
        """Be done with it."""
        os.close(self.reader)
        end(self.pid, self.pidfd)


def begin(box: Box, walls: Walls, trace: tuple[int, ...]) -> Coming:
    """Begin to prepare a box, in a copy of the launcher.

    Raises:
        OSError: there are no more processes or descriptors to be had.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid, pidfd = box.clone(walls.network)
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid == 0:
        _prepare(box, walls, writer)
    os.close(writer)
    return Coming(walls, trace, pid, pidfd, reader)


def make_cast(coming: Coming, numbers: Numbers) -> Cast:
    """Keep of a box that is prepared what can be kept.

    Raises:
        Unmade: it could not be prepared.
        OSError: there are no more descriptors to be had.
    """
    walls, tree = coming.walls, -1
    assert walls.tree is not None
    rules = _read(bytes(coming.told))
    if walls.tree.own is not None:
        tree = _kept(coming.pid, "mnt")
    network = -1 if walls.network == "host" else numbers.network
    used, first = (_birth(walls, rules, (tree, network, is_new), numbers) for is_new in (False, True))
    flags = syscalls.CLONE_NEWPID | (0 if tree >= 0 else syscalls.CLONE_NEWNS)
    return Cast(walls, coming.trace, tree, flags, used, first)


def _prepare(box: Box, walls: Walls, writer: int) -> None:
    """In the copy: put up the walls, say which rules fit in them, and wait to be ended."""
    gc.disable()
    try:
        syscalls.close_all_but(writer)  # a job's streams would not end before it does
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        box.enter(walls, for_copies=True)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # else, without CAP_SYS_PTRACE, we may not open its tree
        found = landlock.fitting(walls.ruleset, walls.version) if walls.ruleset else ()
        os.write(writer, json.dumps([[rule.path, rule.rights] for rule in found]).encode())
        os.close(writer)
        signal.pause()
    except Unprepared as trouble:
        os.write(writer, str(trouble).encode())
    finally:
        os._exit(1)


def _read(told: bytes) -> list[Rule]:
    """The rules that fit, as the copy has said them."""
    try:
        return [Rule(path, rights) for path, rights in json.loads(told)]
    except ValueError as error:
        raise Unmade(told.decode(errors="replace") or "the copy of the launcher says nothing") from error


def _kept(pid: int, kind: str) -> int:
    """A namespace of another process, at a number that a table can name."""
    found = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        number = reserve()
        os.dup2(found, number, inheritable=False)
    finally:
        os.close(found)
    return number


def _birth(walls: Walls, rules: Sequence[Rule], spaces: tuple[int, int, bool], numbers: Numbers) -> Birth:
    """How an init comes to be in its spaces: a tree, a network (-1: none), whether that is new."""
    assert walls.tree is not None
    memory = Memory()
    table = vfork.ready(list(_born(spaces[:2], numbers, memory)), memory)
    settling = tuple(_settling(walls, rules, spaces, memory))
    return Birth(table, settling, vfork.Orders(settling, memory, walls.tree.memory, walls.memory).alone())


def _born(spaces: tuple[int, int], numbers: Numbers, memory: Memory) -> Iterator[Step]:
    """The table that its process does first, while the launcher waits."""
    tree, network = spaces
    program = vfork.CONTROL + 1  # until it runs
    yield step("prctl", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL, shown="PR_SET_PDEATHSIG, SIGKILL")
    yield step("setsid")
    if network >= 0:
        yield step("setns", network, syscalls.CLONE_NEWNET, shown="network")
    if tree >= 0:
        yield step("setns", tree, syscalls.CLONE_NEWNS, shown="tree")
    yield step("dup3", numbers.control, vfork.CONTROL, 0, shown="control")
    yield step("dup3", numbers.program, program, os.O_CLOEXEC, shown="init")
    yield step("close_range", program + 1, _EVERY, 0, shown="the rest")
    yield vfork.become_init(program, memory)


def _settling(
    walls: Walls, rules: Sequence[Rule], spaces: tuple[int, int, bool], memory: Memory
) -> Iterator[Step]:
    """What it does as the init, before it waits for a job."""
    assert walls.tree is not None
    tree, _, is_new = spaces
    free = vfork.FIRST
    if is_new:
        yield from namespaces.table(walls.network, memory, free)
    apart = namespaces.ALWAYS | namespaces.GROUPS | (syscalls.CLONE_NEWNS if tree >= 0 else 0)
    yield step("unshare", apart, shown="CLONE_NEWNS|CLONE_NEWIPC|CLONE_NEWUTS|CLONE_NEWCGROUP")
    yield from walls.tree.steps if walls.tree.own is None else walls.tree.own
    if walls.ruleset is not None:
        attributed = landlock.attributes(walls.ruleset, walls.version)
        yield from landlock.table(rules, attributed, memory, free)
    yield from confinement.confine(walls, free, memory, drop_capabilities=True, bounds=confinement.bounds())
    yield step("close_range", free, _EVERY, 0, shown="ruleset")
