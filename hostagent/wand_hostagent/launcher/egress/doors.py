"""The networks of jobs, each with a door: a socket that listens in it, and the job that comes through it."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from wand_hostagent.launcher import log
from wand_hostagent.launcher.egress.destinations import Destinations, Target
from wand_hostagent.launcher.egress.pace import Pace
from wand_hostagent.launcher.egress.session import Session, Tools
from wand_hostagent.launcher.loop import READ

MOST = 512  # connections in all; each has two descriptors
MOST_OF_A_JOB = 64
FEW, FOR_FEW = 8, 128  # the last so many are for jobs that have fewer than that: none can take all
_MOST_WAITING = 256  # connections that nobody took up; the kernel keeps fewer
_REST_SECONDS = 0.1

Tell = Callable[[str, Mapping[str, Any]], None]


@dataclass(slots=True, eq=False)
class Job:
    """Whose connections come through a door now."""

    name: str
    profile: str
    destinations: Destinations
    connections: Pace = field(default_factory=lambda: Pace(512, 64))
    refusals: Pace = field(default_factory=lambda: Pace(32, 1))  # that are recorded
    silent: int = 0  # refusals since the last one that was recorded


class Door:
    """One network; connections wait in the kernel until it is somebody's."""

    def __init__(self, number: int, listening: socket.socket, hall: "Hall") -> None:
        self.number = number
        self._listening = listening
        self._hall = hall
        self._job: Job | None = None
        self._sessions: dict[int, Session] = {}
        self._is_open = False
        self._rest: int | None = None
        listening.setblocking(False)

    # -- what a session asks of its owner ----------------------------------------------------------------

    @property
    def profile(self) -> str:
        return self._job.profile if self._job else ""

    @property
    def destinations(self) -> Destinations:
        return self._job.destinations if self._job else Destinations(())

    def tell(self, say: str, fields: Mapping[str, Any]) -> None:
        more = {"network": self.number} if say == "connect" else {}
        self._hall.tell(say, {**fields, **more})

    def refused(self, target: Target | None, why: str) -> None:
        job = self._job
        if job is None or not job.refusals.take():
            self._count_silent(job)
            return
        where = {"host": target.host if target else "", "port": target.port if target else 0}
        said = "".join(one if one.isprintable() else "?" for one in why[:300])  # or the link would end
        self.tell_refusal({**where, "why": said, "more": job.silent})
        job.silent = 0

    def tell_refusal(self, fields: Mapping[str, Any]) -> None:
        self._hall.tell("refused", {"network": self.number, **fields})

    def gone(self, session: Session) -> None:
        self._sessions.pop(session.number, None)
        self._hall.sessions.pop(session.number, None)
        self._hall.look_again()

    # -- what the launcher says --------------------------------------------------------------------------

    def take(self, job: Job) -> None:
        self._job = job
        self.open()

    def leave(self) -> None:
        """End all connections, those too that were never taken up."""
        job, self._job = self._job, None
        self._shut()
        for session in tuple(self._sessions.values()):
            session.end("the job is over")
        with suppress(OSError):
            for _ in range(_MOST_WAITING):  # bounded: whoever still has a socket there could go on for ever
                self._listening.accept()[0].close()
        if job is not None and job.silent:
            self.tell_refusal({"host": "", "port": 0, "why": "as before", "more": job.silent})

    def close(self) -> None:
        self.leave()
        self._listening.close()

    # -- coming in ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take connections, as far as there is room for them."""
        if self._job is None or self._is_open or self._rest is not None or self._is_full:
            return
        self._is_open = True
        self._hall.tools.loop.watch(self._listening.fileno(), READ, lambda _: self._accept())

    @property
    def _is_full(self) -> bool:
        most = MOST if len(self._sessions) < FEW else MOST - FOR_FEW
        return len(self._sessions) >= MOST_OF_A_JOB or len(self._hall.sessions) >= most

    def _accept(self) -> None:
        if self._job is None or self._is_full:
            self._shut()
            return
        if not self._job.connections.take():
            self._wait()
            return
        try:
            client, _ = self._listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.write("error", "no connection taken", why=str(error))
            self._wait()
            return
        client.setblocking(False)
        session = Session(next(self._hall.numbers), client, self, self._hall.tools)
        self._sessions[session.number] = self._hall.sessions[session.number] = session

    def _wait(self) -> None:
        """Let what comes wait in the kernel for a moment."""
        self._shut()
        self._rest = self._hall.tools.loop.later(_REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self.open()

    def _shut(self) -> None:
        if self._is_open:
            self._hall.tools.loop.ignore(self._listening.fileno())
        self._is_open = False

    def _count_silent(self, job: Job | None) -> None:
        if job is not None:
            job.silent += 1


class Hall:
    """All doors, and all connections that came in by them."""

    def __init__(self, tools: Tools, tell: Tell) -> None:
        self.tools = tools
        self.tell = tell
        self.numbers: Iterator[int] = itertools.count(1)
        self.sessions: dict[int, Session] = {}
        self.doors: dict[int, Door] = {}
        self._is_looking = False

    def look_again(self) -> None:
        """Soon: open the doors that were shut because there was no room."""
        if not self._is_looking:
            self._is_looking = True
            self.tools.loop.later(0.0, self._look)

    def _look(self) -> None:
        self._is_looking = False
        for door in self.doors.values():
            door.open()

    def look_after(self) -> None:
        now = time.monotonic()
        for session in tuple(self.sessions.values()):
            session.look_after(now)

    def close(self) -> None:
        while self.doors:
            self.doors.popitem()[1].close()
