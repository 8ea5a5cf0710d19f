"""The jobs that run: each is started, watched, ended within its time, and reported once."""

import os
import signal
import socket
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from wand_hostagent.launcher import init, log, namespaces, rights, tree, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.casting import Infant, Unmade, end
from wand_hostagent.launcher.cgroup import Groups
from wand_hostagent.launcher.child import Child, Plan
from wand_hostagent.launcher.ends import Ending, Usage
from wand_hostagent.launcher.gateway import Gateway, Tenant
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.nursery import Nursery, say_go
from wand_hostagent.launcher.refusal import Refused, kind_of, reason_of
from wand_hostagent.launcher.steps import Table
from wand_hostagent.launcher.tenants import principal_of
from wand_hostagent.launcher.watching import Watch

# A reason that somebody may give for ending a job; what the command itself did then is beside the point.
_GIVEN = frozenset({"cancelled", "output_limit"})
_AGAIN_SECONDS = 0.2  # before a group is told again that it ends
_ONE_DOOR = rights.room_for(1)
_told = memoryview(bytearray(init.MESSAGE.size + init.TEXT_BYTES))  # one init is heard at a time


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
    groups: Groups | None = None
    gateway: Gateway | None = None
    running: dict[str, Child] = field(default_factory=dict)

    def order(self, plan: Plan) -> Infant | None:
        """Give a plan to an init, which does all of it that nobody can notice; None where none is to be had.

        It is to be started or ended.
        """
        if not plan.orders or self.nursery is None:
            return None
        try:
            infant = self.nursery.soon(plan.walls)
            return infant and _given(infant, plan)
        except Unmade as trouble:
            log.write("warning", "no init in advance", job=plan.job, why=str(trouble))
            return None

    def start(self, plan: Plan, ordered: Infant | None = None) -> Child:
        """Start a job, by the init that has its orders if one has; `outcomes` hears what becomes of it.

        Raises:
            Refused: not even an init could be made.
        """
        if plan.orders and self.nursery is not None:
            try:
                return self._let_go(plan, ordered or _given(self.nursery.take(plan.walls), plan))
            except Unmade as trouble:
                log.write("warning", "no init in advance", job=plan.job, why=str(trouble))
        with ExitStack() as undo:
            try:
                child = self._copied(plan, undo)
            except OSError as error:
                number = error.errno or 0
                raise Refused(kind_of(number), f"no process can be made: {reason_of(number)}") from error
            self._enter(child)
            undo.callback(self._leave_network, child)
            self._watch(child)
            undo.pop_all()
        return child

    def _copied(self, plan: Plan, undo: ExitStack) -> Child:
        """A copy of the launcher that lives as the init of a job; `undo` takes all of it back."""
        leaf = self.groups.leaf(plan.limits) if self.groups is not None else None
        if leaf is not None:
            undo.callback(leaf.remove)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        undo.callback(ours.close)
        with theirs:
            pid, pidfd = self.box.clone(plan.walls.network, leaf.descriptor if leaf is not None else -1)
            if pid == 0:
                self._live(plan, theirs.fileno())
            undo.callback(end, pid, pidfd)
        ours.setblocking(False)
        return Child(plan, pid, pidfd, ours, time.time(), time.monotonic(), leaf)

    def _live(self, plan: Plan, control: int) -> NoReturn:
        """In the copy: nothing comes back from here, or there would be two launchers."""
        try:
            init.live(init.Orders(self.box, plan.walls, Table(plan.command()), control, plan.uses))
        finally:
            os._exit(1)

    def _let_go(self, plan: Plan, infant: Infant) -> Child:
        """Let an init that has its orders start the command.

        Raises:
            Unmade: it does not listen; it is ended.
        """
        now = time.time(), time.monotonic()
        child = Child(plan, infant.pid, infant.pidfd, infant.control, *now, infant.leaf, infant)
        try:
            self._enter(child)
            self._watch(child)  # first: a command that nobody watches must not have begun
            say_go(infant)
        except BaseException:
            self._unwatch(child)
            infant.end()
            raise
        return child

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

    # -- the way out -------------------------------------------------------------------------------------

    def _enter(self, child: Child) -> None:
        """Say whose network it is, if something leads out of it."""
        plan = child.plan
        if self.gateway is not None and plan.walls.network == "proxy":
            tenant = Tenant(
                job=plan.job, profile=plan.facts["profile"], principal=principal_of(plan.facts["why"]),
                destinations=plan.walls.destinations,
            )  # fmt: skip
            self.gateway.enter(child.network, tenant)

    def _leave_network(self, child: Child) -> None:
        if self.gateway is not None and child.plan.walls.network == "proxy":
            self.gateway.leave(child.network, lambda: None)

    def _open_door(self, child: Child, descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            door = socket.socket(fileno=descriptor)
            if self.gateway is None:
                door.close()  # nobody will ever answer there
            else:
                self.gateway.opened(child.network, door)

    # -- one job's life ----------------------------------------------------------------------------------

    def _watch(self, child: Child) -> None:
        """Let it run and be heard of; where that fails, it is as if it had never been."""
        loop, limits = self.loop, child.plan.limits
        try:
            loop.watch(child.control.fileno(), READ, lambda _: self._listen(child))
            loop.watch(child.pidfd, READ, lambda _: self._finish(child))
            if "wall_seconds" in limits:
                child.deadline = loop.later(limits["wall_seconds"], lambda: self._end(child, "timed_out"))
            if "disk_bytes" in limits or "cpu_seconds" in limits:
                limited = child.limited()
                if limited.is_watched:
                    child.watch = Watch(loop, limited, lambda reason: self._end(child, reason))
        except BaseException:
            self._unwatch(child)
            raise
        self.running[child.plan.job] = child

    def _unwatch(self, child: Child) -> None:
        """Let it be as if it had never been started."""
        self.loop.ignore(child.control.fileno())
        self.loop.ignore(child.pidfd)
        self.loop.cancel(child.deadline)
        if child.watch is not None:
            child.watch.stop()
        self.running.pop(child.plan.job, None)

    def _end(self, child: Child, reason: str) -> None:
        child.reason = child.reason or reason
        self._kill(child)

    def _kill(self, child: Child) -> None:
        """End all processes of it; where a part of that fails now, the rest is done, and that tried again."""
        told = child.leaf is None or child.leaf.kill()
        if not self.box.holds_tree:
            try:
                tree.kill(child.pid)
            except OSError as error:  # no descriptor is left: what loses its init comes to us, and ends then
                log.write("error", "tree not ended", job=child.plan.job, why=str(error))
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        if not told:
            self.loop.later(_AGAIN_SECONDS, lambda: self._kill_again(child))

    def _kill_again(self, child: Child) -> None:
        if self.running.get(child.plan.job) is child:
            self._kill(child)

    def _listen(self, child: Child) -> bool:
        """Take the next thing that the init has said; False where there is no more, now or ever."""
        try:
            message, doors = _heard(child.control)
        except BlockingIOError:
            return False
        except OSError:
            message = b""
        if not message:
            self.loop.ignore(child.control.fileno())
        elif message == namespaces.DOOR_OPENED:
            self._open_door(child, doors)
        elif child.infant is not None:
            self._hear_numbers(child, *vfork.MESSAGE.unpack(message))
            self._restock(child.plan)
        else:
            self._hear(child, message[init.MESSAGE.size :], *init.MESSAGE.unpack_from(message))
        return bool(message)

    def _hear(self, child: Child, text: bytes, letter: bytes, first: int, second: int) -> None:
        if letter == b"S":
            child.started = child.told = True
            self.outcomes.started(child)
        elif letter == b"E":
            child.status = first
        elif letter == b"F":
            child.failure = child.plan.no_command(first, second)
        else:
            message = f"the job could not be confined: {text.decode(errors='replace')}: {reason_of(second)}"
            child.failure = Refused("Broken", message)

    def _hear_numbers(self, child: Child, letter: bytes, *numbers: int) -> None:
        """The same of an init of the nursery; when it says the end, no other process of the job is left."""
        first, second, microseconds, kibibytes = numbers
        assert child.infant is not None
        if letter == b"N":
            child.failure = Refused(kind_of(second), f"no process can be made: {reason_of(second)}")
        elif letter == b"F":
            self._hear(child, b"", letter, child.plan.body.place(first), second)
        elif letter == b"B":
            self._hear(child, child.infant.birth.settling[first].shown.encode(), letter, first, second)
        elif letter == b"S":
            self._hear(child, b"", letter, 0, 0)
        else:
            child.started, child.status = True, first
            self._leave(child)
            self._report(child, child.ending(first, _used(microseconds / 1e6, kibibytes)))

    def _restock(self, plan: Plan) -> None:
        """Replace the init that a job has taken, now that the job needs us no more."""
        if self.nursery is not None and plan.facts["kind"] == "run":
            self.nursery.stock(plan.walls)

    def _leave(self, child: Child) -> None:
        """The job is over; its init may still be ending."""
        self.loop.cancel(child.deadline)
        if child.watch is not None:
            child.watch.stop()
        del self.running[child.plan.job]

    def _finish(self, child: Child) -> None:
        """The init is dead, and in a box that holds the tree all processes of the job with it."""
        while self._listen(child):
            pass
        self.loop.ignore(child.control.fileno())
        self.loop.ignore(child.pidfd)
        _, status, usage = os.wait4(child.pid, 0)
        ending = None
        if self.running.get(child.plan.job) is child:
            ending = child.ending(status, _used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
        child.close()
        if child.infant is not None and self.nursery is not None:
            self.nursery.leave(child.infant)
        elif self.gateway is not None and child.plan.walls.network == "proxy":
            number, close = child.network, self.gateway.close
            self.gateway.leave(number, lambda: close(number))
        if ending is None:
            return  # it was over before
        self._leave(child)
        if not self.box.holds_tree:
            self.reap_strays()
        self._report(child, ending)

    def _report(self, child: Child, ending: Ending) -> None:
        wanted = child.reason or ending.reason == "out_of_memory"
        if not child.started and (child.failure or not wanted):
            gone = Refused("Broken", "the first process of the job died before the command ran")
            self.outcomes.failed(child, child.failure or gone)
            return
        self.outcomes.ended(child, ending)  # ended on purpose before it ran, too: whoever asked still waits


def _given(infant: Infant, plan: Plan) -> Infant:
    """An init that has its limits, and its orders.

    Raises:
        Unmade: it does not take them; it is ended.
    """
    try:
        if infant.leaf is not None:
            infant.leaf.limit(plan.limits)
        rights.send(infant.control, plan.orders, plan.streams)
    except OSError as error:
        infant.end()
        raise Unmade(str(error)) from error
    return infant


def _heard(control: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """The next message of an init, and what came with it; raises OSError."""
    try:
        size, doors, _ = rights.receive(control, _told, _ONE_DOOR)
    except ConnectionResetError:  # it ended without having heard all; what it said is still there
        size, doors, _ = rights.receive(control, _told, _ONE_DOOR)
    return bytes(_told[:size]), doors


def _used(cpu_seconds: float, peak_kibibytes: int) -> Usage:
    """What the kernel counts for processes that were waited for."""
    return Usage(cpu_seconds=cpu_seconds, peak_memory_bytes=peak_kibibytes * 1024)
