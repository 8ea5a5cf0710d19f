"""First processes of jobs, made before they are needed: each waits in a box of its own for its orders.

A network namespace is costly to make and to end, so one that a job has left is given to the next: nothing of
a job stays in it but what the kernel still has to say to nobody.

What all boxes of a profile have in common is prepared once, by a copy of the launcher that ends again (a
cast): its mount tree is kept by a descriptor. An init gets a copy of that tree, mounts what is its own
(processes, terminals, memory), makes the Landlock ruleset in it, and becomes the program of vfork.py. A job
then finds an init that waits, and another is made while the job runs.

Inits that wait are thrown away when something that their tree holds on to has been replaced on this machine.
"""

import gc
import json
import os
import select
import signal
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wand_hostagent.launcher import landlock, log, namespaces, syscalls, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.cgroup import Groups, Leaf
from wand_hostagent.launcher.landlock import Rule
from wand_hostagent.launcher.loop import Loop
from wand_hostagent.launcher.networks import Networks
from wand_hostagent.launcher.step import Memory, Step, step
from wand_hostagent.launcher.walls import Unprepared, Walls, reserve

WAITING = 2  # inits of a profile that are kept ready
_CASTS = 16  # profiles that are kept prepared
_SECONDS = 5.0  # for a copy of the launcher to prepare a box
_TOLD_BYTES = 65536
_EVERY = 2**32 - 1


class Unmade(Exception):
    """No init could be made this way; the text says why."""


@dataclass(frozen=True, slots=True)
class Infant:
    """An init that waits for its orders."""

    pid: int
    pidfd: int
    control: socket.socket
    walls: Walls
    network: int  # the descriptor of its own; -1 where it has none
    networks: Networks  # where that belongs
    leaf: Leaf | None = None  # its control group

    def end(self) -> None:
        """Let it go without a job."""
        self.control.close()
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.networks.close(self.network)
        if self.leaf is not None:
            self.leaf.remove()


@dataclass(slots=True)
class Cast:
    """What the boxes of a profile have in common, and the inits that wait in such boxes."""

    walls: Walls
    trace: tuple[int, ...]  # of what its tree holds on to
    tree: int  # the descriptor of a mount namespace to be copied; -1 where each job makes its own
    flags: int  # of clone(2)
    table: vfork.Ready  # for a network namespace that is there
    first: vfork.Ready  # for a new one
    waiting: deque[Infant] = field(default_factory=deque)

    def close(self) -> None:
        while self.waiting:
            self.waiting.pop().end()
        if self.tree >= 0:
            os.close(self.tree)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Descriptors that the tables name; what lies behind the last two changes from init to init."""

    program: int
    control: int
    network: int


class Nursery:
    """All inits that wait."""

    def __init__(
        self, loop: Loop, box: Box, machine: vfork.Machine, networks: Networks, groups: Groups | None = None
    ) -> None:
        self._loop = loop
        self._box = box
        self._machine = machine
        self._groups = groups
        # where a table finds the program, the init's end of its socket, and its network
        self._numbers = Numbers(machine.program, reserve(), reserve())
        self._networks = networks
        self._casts: dict[int, Cast] = {}
        self._due: int | None = None
        mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        loop.watch(mounts, select.EPOLLPRI, lambda _: self.clear())  # proc(5): it changes, so all is old

    def take(self, walls: Walls) -> Infant:
        """An init in a box with these walls.

        Raises:
            Unmade: it cannot be had this way.
        """
        cast = self._cast(walls)
        while cast.waiting:
            infant = cast.waiting.popleft()
            if _lives(infant):
                return infant
            infant.end()
        return self._make(cast)

    def stock(self, walls: Walls) -> None:
        """See to it that inits for these walls wait, when there is time."""
        if self._due is None and id(walls) in self._casts:
            self._due = self._loop.later(0.0, lambda: self._stock(walls))

    def clear(self) -> None:
        """Let all go that is prepared."""
        while self._casts:
            self._casts.popitem()[1].close()

    def _stock(self, walls: Walls) -> None:
        self._due = None
        cast = self._casts.get(id(walls))
        if cast is None or len(cast.waiting) >= WAITING:
            return
        try:
            cast.waiting.append(self._make(cast))
        except Unmade as trouble:
            log.write("warning", "no init in advance", why=str(trouble))
            return
        self.stock(walls)

    def _cast(self, walls: Walls) -> Cast:
        trace = walls.tree.watched.stamp() if walls.tree else ()
        cast = self._casts.get(id(walls))
        if cast is not None and cast.walls is walls and cast.trace == trace:
            return cast
        self._forget(id(walls))
        while len(self._casts) >= _CASTS:
            self._forget(next(iter(self._casts)))
        made = self._casts[id(walls)] = _make_cast(self._box, walls, trace, self._numbers)
        return made

    def _forget(self, key: int) -> None:
        cast = self._casts.pop(key, None)
        if cast is not None:
            cast.close()

    def leave(self, infant: Infant) -> None:
        """All processes of its job are gone: the network can be used by another."""
        self._networks.leave(infant.walls.network, infant.network)

    def _make(self, cast: Cast) -> Infant:
        network = self._networks.take(cast.walls.network)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        leaf: Leaf | None = None
        try:
            leaf = self._groups.leaf() if self._groups is not None else None
            infant = self._start(cast, theirs, network, leaf)
        except (OSError, vfork.Stopped) as trouble:
            if leaf is not None:
                leaf.remove()
            ours.close()
            self._networks.give_back(cast.walls.network, network)
            raise Unmade(str(trouble)) from trouble
        finally:
            theirs.close()
        if network < 0 and cast.walls.network != "host":
            network = os.open(f"/proc/{infant[0]}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ours.setblocking(False)
        return Infant(*infant, ours, cast.walls, network, self._networks, leaf)

    def _start(self, cast: Cast, theirs: socket.socket, network: int, leaf: Leaf | None) -> tuple[int, int]:
        numbers, group = self._numbers, leaf.descriptor if leaf is not None else -1
        os.dup2(theirs.fileno(), numbers.control, inheritable=False)
        try:
            if network < 0:
                flags = cast.flags | namespaces.flags(cast.walls.network)
                return self._machine.start(cast.first, flags, group)
            os.dup2(network, numbers.network, inheritable=False)
            return self._machine.start(cast.table, cast.flags, group)
        finally:
            os.dup2(numbers.program, numbers.control, inheritable=False)  # or the socket would stay open


def _lives(infant: Infant) -> bool:
    return not select.select([infant.pidfd], [], [], 0)[0]


# -- a cast ----------------------------------------------------------------------------------------------


def _make_cast(box: Box, walls: Walls, trace: tuple[int, ...], numbers: Numbers) -> Cast:
    """Prepare a box in a copy of the launcher, and keep of it what can be kept.

    Raises:
        Unmade: it cannot be prepared, or not within the time.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid, pidfd = box.clone(walls.network)
    if pid == 0:
        os.close(reader)  # so that what it says fails once the launcher is gone
        _prepare(box, walls, writer)
    os.close(writer)
    tree = -1
    assert walls.tree is not None
    try:
        rules = _hear(reader)
        if walls.tree.own is not None:
            tree = _kept(pid, "mnt")
    finally:
        os.close(reader)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(pidfd)
    memory = Memory()
    used, first = (
        vfork.ready(list(_steps(walls, rules, (tree, network), numbers, memory)), memory, walls.tree.memory)
        for network in (numbers.network, -1)
    )
    flags = syscalls.CLONE_NEWPID | namespaces.ALWAYS | (0 if tree >= 0 else syscalls.CLONE_NEWNS)
    return Cast(walls, trace, tree, flags, used, first)


def _prepare(box: Box, walls: Walls, writer: int) -> None:
    """In the copy: put up the walls, say which rules fit in them, and wait to be ended."""
    gc.disable()
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        box.enter(walls)
        found = landlock.fitting(walls.ruleset, walls.version) if walls.ruleset else ()
        os.write(writer, json.dumps([[rule.path, rule.rights] for rule in found]).encode())
        os.close(writer)
        signal.pause()
    except Unprepared as trouble:
        os.write(writer, str(trouble).encode())
    finally:
        os._exit(1)


def _hear(reader: int) -> list[Rule]:
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    told = b""
    while poll.poll(_SECONDS * 1000):
        if not (part := os.read(reader, _TOLD_BYTES)):
            break
        told += part
    try:
        return [Rule(path, rights) for path, rights in json.loads(told)]
    except ValueError as error:
        raise Unmade(told.decode(errors="replace") or "the copy of the launcher says nothing") from error


def _kept(pid: int, kind: str) -> int:
    """A namespace of another process, at a number that a table can name."""
    number = reserve()
    found = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(found, number, inheritable=False)
    os.close(found)
    return number


def _steps(
    walls: Walls, rules: Sequence[Rule], spaces: tuple[int, int], numbers: Numbers, memory: Memory
) -> Iterator[Step]:
    """How an init comes to be: the table that its process does first, with the spaces that are there."""
    assert walls.tree is not None
    tree, network = spaces
    free = vfork.FIRST + 1  # the program is at FIRST until it runs
    yield step("prctl", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL, shown="PR_SET_PDEATHSIG, SIGKILL")
    yield step("setsid")
    if network >= 0 and walls.network != "host":
        yield step("setns", network, syscalls.CLONE_NEWNET, shown="network")
    if tree >= 0:
        yield step("setns", tree, syscalls.CLONE_NEWNS, shown="tree")
    yield step("dup3", numbers.control, vfork.CONTROL, 0, shown="control")
    yield step("dup3", numbers.program, vfork.FIRST, os.O_CLOEXEC, shown="init")
    yield step("close_range", free, _EVERY, 0, shown="the rest")
    if network < 0:
        yield from namespaces.table(walls.network, memory, free)
    apart = namespaces.GROUPS | (syscalls.CLONE_NEWNS if tree >= 0 else 0)
    if apart:
        yield step("unshare", apart, shown="CLONE_NEWNS|CLONE_NEWCGROUP")
    yield from walls.tree.steps if walls.tree.own is None else walls.tree.own
    if walls.ruleset is not None:
        attributed = landlock.attributes(walls.ruleset, walls.version)
        yield from landlock.table(rules, attributed, memory, free)
        yield step("dup3", free, walls.ruleset_number, 0, shown="ruleset")
        yield step("close", free, shown="ruleset")
    yield vfork.become_init(vfork.FIRST, memory)
