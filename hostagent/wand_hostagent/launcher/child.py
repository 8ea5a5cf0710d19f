"""One job: what was planned, and what is known of it while it runs."""

import errno
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wand_hostagent.launcher.casting import Infant
from wand_hostagent.launcher.cgroup import Leaf
from wand_hostagent.launcher.ends import Ending, Known, Usage, ending
from wand_hostagent.launcher.refusal import Refused, kind_of, reason_of
from wand_hostagent.launcher.steps import Body, Command
from wand_hostagent.launcher.walls import Walls
from wand_hostagent.launcher.watching import Limited, Watch

_NO_DESCRIPTOR = 2**32


class Plan(NamedTuple):
    """A job that has been checked and recorded, and may be started."""

    job: str
    command: Callable[[], Command]  # of a table for init.py
    body: Body  # of its table
    orders: bytes  # the table for an init of the nursery; empty where it needs one of init.py
    walls: Walls
    streams: tuple[int, ...]  # the descriptors of the command: streams, or that of a terminal
    uses: tuple[int, ...]  # the same, and that of the directory where there is one
    kept: tuple[int, ...]  # our ends of the job's output, kept for a later host agent
    limits: Mapping[str, float]
    facts: Mapping[str, Any]  # what `started` and `adopted` say of it
    answer: Callable[[Mapping[str, Any]], object]  # to whoever asked for it, whose connection comes back
    folders: tuple[str, ...] = ()  # what it may write

    def no_command(self, index: int, number: int) -> Refused:
        """A step of the table that failed, in words."""
        steps = self.body.steps
        name = steps[index].name if index < len(steps) else "execve"
        program, user = self.facts["program"], self.facts["user"]
        why = reason_of(number)
        if name == "execve":
            hint = "a script needs a first line such as #!/bin/sh" if kind_of(number) == "Invalid" else ""
            return Refused(kind_of(number), f"{program} cannot be run: {why}", hint=hint, field="argv")
        if name in {"chdir", "fchdir"}:
            message = f"{user} may not enter {self.facts['directory']}: {why}"
            return Refused("Denied", message, field="directory")
        kind = "Exhausted" if number == errno.ETOOMANYREFS else "Broken"
        return Refused(kind, f"{steps[index].shown} failed in the new process: {why}")


@dataclass(slots=True, eq=False)
class Child:
    """One job that runs, or is about to."""

    plan: Plan
    pid: int
    pidfd: int
    control: socket.socket
    since: float  # wall clock
    began: float  # monotonic clock
    leaf: Leaf | None = None  # its control group
    infant: Infant | None = None  # its init, where that is one of the nursery
    deadline: int | None = None
    watch: Watch | None = None
    started: bool = False  # its command has run
    told: bool = False  # and whoever asked for it has heard so
    reason: str = ""
    status: int | None = None
    failure: Refused | None = None

    @property
    def network(self) -> int:
        """A number that no other network has meanwhile: a descriptor, or one that can be none."""
        return self.infant.network if self.infant is not None else _NO_DESCRIPTOR + self.pid

    def limited(self) -> Limited:
        """What of its limits has to be watched."""
        limits = self.plan.limits
        return Limited(
            disk_bytes=limits.get("disk_bytes", 0),
            cpu_seconds=limits.get("cpu_seconds", 0),
            folders=self.plan.folders,
            counts=self.leaf,
        )

    def ending(self, init_status: int, used: Usage) -> Ending:
        """How it ended; what its control group has counted stands before what its init knows to be used."""
        known = Known(
            job=self.plan.job,
            given=self.reason,
            status=self.status if self.status is not None else init_status,
            wall_seconds=time.monotonic() - self.began,
            limits=self.plan.limits,
        )
        return ending(known, used if self.leaf is None else self.leaf.usage(used))

    def close(self) -> None:
        """Its processes are gone and collected."""
        self.control.close()
        os.close(self.pidfd)
        if self.leaf is not None:
            self.leaf.remove()
