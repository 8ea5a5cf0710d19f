"""The jobs that run: each is started, watched, ended within its time, and reported once."""

import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from wand_hostagent.launcher import init, log, tree, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.ends import Ending, Known, Usage, ending
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.nursery import Infant, Nursery, Unmade
from wand_hostagent.launcher.refusal import Refused, kind_of, reason_of
from wand_hostagent.launcher.steps import Command, Table
from wand_hostagent.launcher.walls import Walls
from wand_hostagent.launcher.watching import Limited, Watch

# A reason that somebody may give for ending a job; what the command itself did then is beside the point.
_GIVEN = frozenset({"cancelled", "output_limit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job that has been checked and recorded, and may be started."""

    job: str
    command: Command
    table: Table
    orders: bytes  # the table for an init of the nursery; empty where it needs one of init.py
    walls: Walls
    uses: tuple[int, ...]  # the descriptors in the table: streams, or that of a terminal, and directory
    kept: tuple[int, ...]  # our ends of the job's output, kept for a later host agent
    limits: Mapping[str, float]
    facts: Mapping[str, Any]  # what `started` and `adopted` say of it
    answer: Callable[[Mapping[str, Any]], None]  # to whoever asked for it
    folders: tuple[str, ...] = ()  # what it may write


@dataclass(slots=True, eq=False)
class Child:
    """One job that runs, or is about to."""

    plan: Plan
    pid: int
    pidfd: int
    control: socket.socket
    since: float  # wall clock
    began: float  # monotonic clock
    deadline: int | None = None
    watch: Watch | None = None
    infant: Infant | None = None  # its init, where that is one of the nursery
    started: bool = False
    reason: str = ""
    status: int | None = None
    failure: Refused | None = None


class Outcomes(Protocol):
    """Who is told what became of a job."""

    def started(self, child: Child) -> None: ...
    def failed(self, child: Child, refusal: Refused) -> None: ...
    def ended(self, child: Child, ending: Ending) -> None: ...


@dataclass(slots=True)
class Children:
    """Every job that runs, by its name."""

    loop: Loop
    box: Box
    outcomes: Outcomes
    nursery: Nursery | None = None
    running: dict[str, Child] = field(default_factory=dict)

    def start(self, plan: Plan) -> Child:
        """Start the init of a job; what becomes of it, `outcomes` hears later.

        Raises:
            Refused: not even the init could be made.
        """
        if plan.orders and self.nursery is not None:
            try:
                return self._order(plan, self.nursery)
            except Unmade as trouble:
                log.write("warning", "no init in advance", job=plan.job, why=str(trouble))
        try:
            ours, theirs, pid, pidfd = self._init(plan.walls.network)
        except OSError as error:
            number = error.errno or 0
            raise Refused(kind_of(number), f"no process can be made: {reason_of(number)}") from error
        if pid == 0:
            table = Table(plan.command) if plan.orders else plan.table  # orders have numbers of their own
            init.live(init.Orders(self.box, plan.walls, table, theirs.fileno(), plan.uses))
        theirs.close()
        return self._watch(Child(plan, pid, pidfd, ours, time.time(), time.monotonic()))

    def _init(self, network: str) -> tuple[socket.socket, socket.socket, int, int]:
        """Both ends of a socket, and a new process with its pidfd; the pid is 0 in the process itself."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            return ours, theirs, *self.box.clone(network)
        except OSError:
            ours.close()
            theirs.close()
            raise

    def _order(self, plan: Plan, nursery: Nursery) -> Child:
        """Give a job to an init that waits.

        Raises:
            Unmade: there is none and none can be made, or it does not take its orders.
        """
        infant = nursery.take(plan.walls)
        try:
            socket.send_fds(infant.control, [plan.orders], plan.uses[:-1])
        except OSError as error:
            infant.end()
            raise Unmade(str(error)) from error
        if plan.facts["kind"] == "run":
            nursery.stock(plan.walls)
        child = Child(plan, infant.pid, infant.pidfd, infant.control, time.time(), time.monotonic())
        child.infant = infant
        return self._watch(child)

    def signal(self, job: str, number: int, reason: str) -> None:
        """Send a signal to all processes of a job; SIGKILL ends the job and `reason` says why.

        Raises:
            Refused: there is no such job, or it takes no more signals now.
        """
        child = self.running.get(job)
        if child is None:
            raise Refused("NotFound", f"job {job!r} does not run", field="job")
        if reason in _GIVEN and child.status is None:
            child.reason = child.reason or reason
        if number == signal.SIGKILL:
            self._kill(child)
            return
        try:
            child.control.send(bytes([number]))
        except BlockingIOError as error:
            raise Refused("Exhausted", f"job {job!r} has not taken its last signals yet") from error
        except OSError:
            return  # it is ending

    def retire(self, profiles: Collection[str]) -> None:
        """Ask the file tools of these profiles to go when they have answered; others are started then."""
        for child in self.running.values():
            if child.plan.facts["kind"] == "worker" and child.plan.facts["profile"] in profiles:
                with suppress(OSError):
                    child.control.send(bytes([signal.SIGTERM]))

    def end_all(self) -> None:
        """Kill every job; their ends are reported as they come."""
        for child in self.running.values():
            child.reason = child.reason or "cancelled"
            self._kill(child)

    def reap_strays(self) -> None:
        """End and collect processes that lost their init and were adopted by the launcher."""
        ours = {child.pid for child in self.running.values()}
        strays = [pid for pid in tree.children(os.getpid()) if pid not in ours]
        for pid in strays:
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) != (0, 0):
                    continue  # dead, and so nothing is below it: no need to look through /proc for each
                tree.kill(pid)
                tree.send([pid], signal.SIGKILL)
                os.waitpid(pid, 0)

    # -- one job's life ----------------------------------------------------------------------------------

    def _watch(self, child: Child) -> Child:
        self.running[child.plan.job] = child
        child.control.setblocking(False)
        self.loop.watch(child.control.fileno(), READ, lambda _: self._listen(child))
        self.loop.watch(child.pidfd, READ, lambda _: self._finish(child))
        if "wall_seconds" in child.plan.limits:
            child.deadline = self.loop.later(
                child.plan.limits["wall_seconds"], lambda: self._end(child, "timed_out")
            )
        limited = _watched(child)
        if limited.is_watched:
            child.watch = Watch(self.loop, limited, lambda reason: self._end(child, reason))
        return child

    def _end(self, child: Child, reason: str) -> None:
        child.reason = child.reason or reason
        self._kill(child)

    def _kill(self, child: Child) -> None:
        if not self.box.holds_tree:
            tree.kill(child.pid)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

    def _listen(self, child: Child) -> None:
        """Read all that the init has said; at its end, stop listening."""
        while True:
            try:
                message = child.control.recv(init.MESSAGE.size + init.TEXT_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self.loop.ignore(child.control.fileno())
                return
            if child.infant is not None:
                self._hear_numbers(child, *vfork.MESSAGE.unpack(message))
            else:
                self._hear(child, message[init.MESSAGE.size :], *init.MESSAGE.unpack_from(message))

    def _hear(self, child: Child, text: bytes, letter: bytes, first: int, second: int) -> None:
        if letter == b"S":
            child.started = True
            self.outcomes.started(child)
        elif letter == b"E":
            child.status = first
        elif letter == b"F":
            child.failure = _no_command(child.plan, first, second)
        else:
            message = f"the job could not be confined: {text.decode(errors='replace')}: {reason_of(second)}"
            child.failure = Refused("Broken", message)

    def _hear_numbers(self, child: Child, letter: bytes, *numbers: int) -> None:
        """The same of an init of the nursery; when it says the end, no other process of the job is left."""
        first, second, microseconds, kibibytes = numbers
        if letter == b"N":
            child.failure = Refused(kind_of(second), f"no process can be made: {reason_of(second)}")
        else:
            self._hear(child, b"", letter, first, second)
        if letter == b"E":
            self._leave(child)
            self._report(child, _ending(child, first, microseconds / 1e6, kibibytes))

    def _leave(self, child: Child) -> None:
        """The job is over; its init may still be ending."""
        self.loop.cancel(child.deadline)
        if child.watch is not None:
            child.watch.stop()
        del self.running[child.plan.job]

    def _finish(self, child: Child) -> None:
        """The init is dead, and in a box that holds the tree all processes of the job with it."""
        self._listen(child)
        self.loop.ignore(child.control.fileno())
        self.loop.ignore(child.pidfd)
        _, status, usage = os.wait4(child.pid, 0)
        child.control.close()
        os.close(child.pidfd)
        if child.infant is not None and self.nursery is not None:
            self.nursery.leave(child.infant)
        if self.running.get(child.plan.job) is not child:
            return  # it was over before
        self._leave(child)
        if not self.box.holds_tree:
            self.reap_strays()
        self._report(child, _ending(child, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    def _report(self, child: Child, ending: Ending) -> None:
        if not child.started and (child.failure or not child.reason):
            gone = Refused("Broken", "the first process of the job died before the command ran")
            self.outcomes.failed(child, child.failure or gone)
            return
        if not child.started:  # ended on purpose before it ran: whoever asked for it still waits
            self.outcomes.started(child)
        self.outcomes.ended(child, ending)


def _watched(child: Child) -> Limited:
    limits = child.plan.limits
    return Limited(
        disk_bytes=limits.get("disk_bytes", 0),
        cpu_seconds=limits.get("cpu_seconds", 0),
        folders=child.plan.folders,
        counts=None,
    )


def _ending(child: Child, init_status: int, cpu_seconds: float, peak_kibibytes: int) -> Ending:
    known = Known(
        job=child.plan.job,
        given=child.reason,
        status=child.status if child.status is not None else init_status,
        wall_seconds=time.monotonic() - child.began,
        limits=child.plan.limits,
    )
    return ending(known, Usage(cpu_seconds=cpu_seconds, peak_memory_bytes=peak_kibibytes * 1024))


def _no_command(plan: Plan, index: int, number: int) -> Refused:
    """A step of the table that failed, in words."""
    steps = plan.table.steps
    name = steps[index].name if index < len(steps) else "execve"
    program, user = plan.facts["program"], plan.facts["user"]
    why = reason_of(number)
    if name == "execve":
        hint = "a script needs a first line such as #!/bin/sh" if kind_of(number) == "Invalid" else ""
        return Refused(kind_of(number), f"{program} cannot be run: {why}", hint=hint, field="argv")
    if name in {"chdir", "fchdir"}:
        message = f"{user} may not enter {plan.facts['directory']}: {why}"
        return Refused("Denied", message, field="directory")
    return Refused("Broken", f"{steps[index].shown} failed in the new process: {why}")
