"""Starts that C asks for: of the launcher over its socket, and of an init in its box with no launcher at all.

So the time is that of what is asked. `box` is the least that a start in this box can take: an init that waits
gets its orders and the word, and nothing is checked, planned or recorded.
"""

import contextlib
import ctypes
import itertools
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wand_hostagent.launcher import box, profile, vfork
from wand_hostagent.launcher.loop import Loop
from wand_hostagent.launcher.networks import Networks
from wand_hostagent.launcher.nursery import Nursery
from wand_hostagent.launcher.planning import Planner

FIELDS: Mapping[str, Any] = {
    "profile": "p", "directory": "", "environment": {}, "limits": {}, "why": {}, "argv": ["/bin/true"],
}  # fmt: skip
SETTLED_SECONDS = 0.002  # an init needs a tenth of that
numbers = itertools.count(1)


class Asking:
    """The compiled half."""

    def __init__(self, home: Path) -> None:
        library, source = home / "ask.so", Path(__file__).with_name("_ask.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        self._code = ctypes.CDLL(str(library))
        for name in ("ask", "box", "many"):
            getattr(self._code, name).restype = ctypes.c_long
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def ask(self, link: socket.socket) -> Callable[[], float]:
        """What starts one job by the launcher at the other end, and says the seconds that it took."""

        def start() -> float:
            number = next(numbers)
            job = f"asked-{number}"
            request = json.dumps({"do": "run", "re": number, "job": job, **FIELDS}).encode()
            took = self._code.ask(link.fileno(), request, ctypes.c_long(len(request)), self._null)
            link.send(json.dumps({"do": "forget", "re": 0, "job": job, "quiet": True}).encode())
            return self._seconds(took)

        return start

    def rate(self, link: socket.socket, starts: int, in_flight: int) -> float:
        """Starts a second with several in flight, nobody reading any output."""
        tail = json.dumps(FIELDS)[1:].encode()
        first = next(numbers) * 1_000_000
        took = self._code.many(link.fileno(), tail, first, starts, in_flight, self._null)
        return starts / self._seconds(took)

    @contextlib.contextmanager
    def box(self, profiles: Path) -> Iterator[Callable[[], float]]:
        """What starts one command in the box of the profile `p`."""
        machine, found = vfork.find(), box.probe()
        assert machine is not None
        nursery = Nursery(Loop(), found, machine, Networks(None))
        streams = tuple(os.dup(self._null) for _ in range(3))
        asked = SimpleNamespace(do="run", fields={"job": "", **FIELDS}, descriptors=streams)
        one = profile.load(str(profiles), development=True).profiles["p"]
        plan = Planner(found, (), fast=True).plan(asked, one, lambda _: None).plan

        def start() -> float:
            infant = nursery.take(plan.walls)
            infant.control.setblocking(True)
            time.sleep(SETTLED_SECONDS)
            size = ctypes.c_long(len(plan.orders))
            took = self._code.box(infant.control.fileno(), plan.orders, size, self._null)
            os.waitpid(infant.pid, 0)
            infant.control.close()
            os.close(infant.pidfd)
            nursery.leave(infant)
            return self._seconds(took)

        try:
            yield start
        finally:
            nursery.clear()

    def _seconds(self, nanoseconds: int) -> float:
        if nanoseconds < 0:
            said = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(self._code, "said")))
            raise RuntimeError(f"a start failed; what was said last: {said!r}")
        return nanoseconds / 1e9


@contextlib.contextmanager
def linked(path: Path) -> Iterator[socket.socket]:
    """A connection to a launcher."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect(str(path))
        yield link
