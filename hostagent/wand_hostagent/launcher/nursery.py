"""First processes of jobs, made before they are needed: each waits in a box of its own for its orders.

A network namespace is costly to make and to end, so one that a job has left is given to the next of the same
profile and principal: nothing of a job stays in it (networks.py).

A job finds an init that waits, and another is made when the job is on its way; casting.py says how.
Where more jobs come than inits wait, theirs get ready while the records are on their way to the disk.
Inits that wait are thrown away when something that their tree holds on to has been replaced on this machine.
"""

import errno
import os
import select
import socket
import time
from contextlib import suppress

from wand_hostagent.launcher import few, log, namespaces, sparing, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.casting import (
    Birth,
    Cast,
    Coming,
    Infant,
    Numbers,
    Unmade,
    begin,
    end,
    make_cast,
)
from wand_hostagent.launcher.cgroup import Groups, Leaf
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.networks import Networks
from wand_hostagent.launcher.walls import Walls, reserve

WAITING = 2  # inits of a profile that are kept ready
_CASTS = 16  # profiles that are kept prepared
_PATIENCE_SECONDS = 0.2  # that a job waits for its box or its init; every other job waits with it
_MOST_SECONDS = 5.0  # that preparing one may take at all
_REST_SECONDS = 60.0  # before it is tried again


class Nursery:
    """All inits that wait."""

    def __init__(
        self, loop: Loop, box: Box, machine: vfork.Machine, networks: Networks, groups: Groups | None = None
    ) -> None:
        self._loop = loop
        self._box = box
        self._machine = machine
        self._groups = groups
        self._spared = sparing.is_spared()
        # where a table finds the program, the init's end of its socket, and its network
        self._numbers = Numbers(machine.program, reserve(), reserve())
        self._networks = networks
        self._casts: dict[int, Cast] = {}
        self._coming: dict[int, Coming] = {}
        self._slow: dict[int, tuple[Walls, float]] = {}  # that took too long, and until when they rest
        mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        loop.watch(mounts, select.EPOLLPRI, lambda _: self.clear())  # proc(5): it changes, so all is old

    def take(self, walls: Walls) -> Infant:
        """An init in a box with these walls.

        Raises:
            Unmade: it cannot be had this way.
        """
        try:
            cast = self._cast(walls)
        except OSError as trouble:
            raise Unmade(str(trouble)) from trouble
        while cast.waiting:
            infant = cast.waiting.popleft()
            if _lives(infant):
                return infant
            infant.end()
        return self._make(cast, at_once=not cast.proven)

    def soon(self, walls: Walls) -> Infant | None:
        """The same, where its box is prepared and nobody has to wait: it may still be getting ready."""
        cast = self._casts.get(id(walls))
        trace = walls.tree.watched.stamp() if cast is not None and walls.tree is not None else ()
        if cast is None or not cast.is_of(walls, trace):
            return None
        if cast.waiting:
            return cast.waiting.popleft()  # the dead take no orders
        return self._make(cast, at_once=False) if cast.proven else None

    def stock(self, walls: Walls) -> None:
        """See to it that inits for these walls wait, when there is time."""
        cast = self._casts.get(id(walls))
        if cast is not None and not cast.due:
            cast.due = True
            self._loop.at_rest(lambda: self._stock(cast))

    def clear(self) -> None:
        """Let all go that is prepared."""
        for key in (*self._casts, *self._coming):
            self._forget(key)

    def _stock(self, cast: Cast) -> None:
        cast.due = False
        for infant in cast.waiting:
            _is_as_others(infant)
        if self._casts.get(id(cast.walls)) is not cast or len(cast.waiting) >= WAITING:
            return
        try:
            cast.waiting.append(self._make(cast, at_once=False))
        except Unmade as trouble:
            log.write("warning", "no init in advance", why=str(trouble))
            return
        if self._spared or len(cast.waiting) < WAITING:
            self.stock(cast.walls)

    def _cast(self, walls: Walls) -> Cast:
        trace = walls.tree.watched.stamp() if walls.tree else ()
        cast = self._casts.get(id(walls))
        if cast is not None and cast.is_of(walls, trace):
            return cast
        coming = self._coming.get(id(walls))
        if coming is None or coming.walls is not walls or coming.trace != trace:
            coming = self._begin(walls, trace)
        if not coming.is_ready(_PATIENCE_SECONDS):
            raise Unmade("its box is still being prepared")
        return self._arrived(coming)

    def _begin(self, walls: Walls, trace: tuple[int, ...]) -> Coming:
        """Have a box prepared, and hear of it when it is; a job that cannot wait goes the slower way."""
        key = id(walls)
        self._forget(key)
        resting, until = self._slow.get(key, (None, 0.0))
        if resting is walls and time.monotonic() < until:
            raise Unmade("its box took too long to prepare")
        while len(self._casts) + len(self._coming) >= _CASTS:
            self._forget(next(iter(self._casts or self._coming)))
        coming = self._coming[key] = begin(self._box, walls, trace)
        self._loop.watch(coming.reader, READ, lambda _: self._hear(coming))
        self._loop.later(_MOST_SECONDS, lambda: self._give_up(coming))
        return coming

    def _hear(self, coming: Coming) -> None:
        if not coming.is_ready():
            return
        try:
            self._arrived(coming)
        except (Unmade, OSError) as trouble:
            log.write("warning", "no box in advance", why=str(trouble))
            return
        self.stock(coming.walls)

    def _arrived(self, coming: Coming) -> Cast:
        key = id(coming.walls)
        try:
            made = make_cast(coming, self._numbers)
        finally:
            self._forget(key)
        self._casts[key] = made
        return made

    def _give_up(self, coming: Coming) -> None:
        key = id(coming.walls)
        if self._coming.get(key) is coming:
            log.write("warning", "no box in advance", why=f"not prepared within {_MOST_SECONDS} s")
            self._forget(key)
            few.keep(self._slow, key, (coming.walls, time.monotonic() + _REST_SECONDS), most=_CASTS)

    def _forget(self, key: int) -> None:
        cast, coming = self._casts.pop(key, None), self._coming.pop(key, None)
        if cast is not None:
            cast.close()
        if coming is not None:
            self._loop.ignore(coming.reader)
            coming.close()

    def leave(self, infant: Infant) -> None:
        """All processes of its job are gone: the network can be used by another."""
        self._networks.leave(infant.walls, infant.network)

    def _make(self, cast: Cast, *, at_once: bool) -> Infant:
        """An init that takes orders; if not `at_once` it is not that far, and may come to grief."""
        kind = cast.walls.network
        network, birth = self._networks.take(cast.walls), cast.used
        try:
            if network < 0 and kind != "host":
                network, birth = namespaces.new_network(), cast.first
            return self._made(cast, network, birth, at_once=at_once)
        except (OSError, vfork.Stopped) as trouble:
            if birth is cast.used:
                self._networks.give_back(cast.walls, network)
            else:
                self._networks.close(network)
            raise Unmade(str(trouble)) from trouble

    def _made(self, cast: Cast, network: int, birth: Birth, *, at_once: bool) -> Infant:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        leaf, pid, pidfd = None, 0, -1
        try:
            with theirs:
                leaf = self._groups.leaf() if self._groups is not None else None
                pid, pidfd = self._start(cast, birth, (theirs, network, leaf), at_once=at_once)
            ours.send(birth.orders)
            ours.setblocking(False)
        except BaseException:
            ours.close()
            if pid:
                end(pid, pidfd)
            if leaf is not None:
                leaf.remove()
            raise
        cast.proven |= at_once
        return Infant(pid, pidfd, ours, cast.walls, network, self._networks, birth, leaf, spared=self._spared)

    def _start(
        self, cast: Cast, birth: Birth, given: tuple[socket.socket, int, Leaf | None], *, at_once: bool
    ) -> tuple[int, int]:
        numbers, flags = self._numbers, cast.flags
        start = self._machine.start if at_once else self._machine.begin
        theirs, network, leaf = given
        os.dup2(theirs.fileno(), numbers.control, inheritable=False)
        if network >= 0:
            os.dup2(network, numbers.network, inheritable=False)
        try:
            return start(birth.table, flags, leaf.descriptor if leaf is not None else -1)
        finally:
            os.dup2(numbers.program, numbers.control, inheritable=False)  # or the socket would stay open


def say_go(infant: Infant) -> None:
    """Let its command begin; one that has come to grief before has said so itself.

    Raises:
        Unmade: it does not become ready, or its orders, which may be long, are still on their way.
    """
    control = infant.control
    try:
        _wait_as_others(infant)
        with suppress(BrokenPipeError, ConnectionResetError):
            try:
                control.send(vfork.GO)
            except BlockingIOError:
                poll = select.poll()
                poll.register(control, select.POLLOUT)
                poll.poll(_PATIENCE_SECONDS * 1000)
                control.send(vfork.GO)
    except OSError as error:
        raise Unmade(str(error)) from error


def _lives(infant: Infant) -> bool:
    poll = select.poll()  # which takes any number, as select(2) does not
    poll.register(infant.pidfd, select.POLLIN)
    return not poll.poll(0)


def _is_as_others(infant: Infant) -> bool:
    """Whether the kernel ends it, and the command that it will start, as any other where memory is short.

    It is seen to as soon as that can be: a process that has been made has the score of the one that made it.
    """
    if infant.spared and sparing.is_apart(infant.pid):
        infant.spared = not sparing.stop_with_child(infant.pid)
    return not infant.spared


def _wait_as_others(infant: Infant) -> None:
    """The same of one that may be about to be ready.

    Raises:
        TimeoutError: it has not.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while not _is_as_others(infant):
        if time.monotonic() > give_up or not _lives(infant):
            raise TimeoutError(errno.ETIMEDOUT, "it does not become ready")
        os.sched_yield()
