"""A launcher that keeps the port's shape and checks nothing: a real socket, real processes, no box."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.places import short_folder
from wand_hostagent.launcher import protocol
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.seqpacket import Connection, close_all
from wand_proto.errors import Conflict, NotFound, WandError

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@dataclass
class FakeJob:
    """A command that was started, and how it ended."""

    asked: Mapping[str, Any]
    limits: Mapping[str, float]
    process: subprocess.Popen[bytes]
    kept: list[int]
    began: float
    reason: str = ""
    exited: dict[str, Any] | None = None


@dataclass
class FakeLauncher:
    """What it was asked, what it recorded, which jobs it has; and how it shall misbehave."""

    path: Path
    ceiling: dict[str, float] = field(default_factory=lambda: {"wall_seconds": 60.0, "output_bytes": 2**30})
    workspace: str = "/"
    default: str = "developer"
    asked: list[str] = field(default_factory=list)
    runs: list[Mapping[str, Any]] = field(default_factory=list)
    records: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    notes: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)  # that nobody waits for
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    fails: dict[str, WandError] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    is_slow: bool = False  # jobs are over before it says that they have started
    _connections: list[Connection] = field(default_factory=list)
    _listening: socket.socket | None = None

    # -- listening ----------------------------------------------------------------------------------------

    def listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.setblocking(False)
        self._listening.bind(str(self.path))
        self._listening.listen()
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        assert self._listening is not None
        sock, _ = self._listening.accept()
        sock.setblocking(False)
        self._connections.append(
            Connection(sock, protocol.MESSAGE_BYTES, self._received, self._connections.clear)
        )
        for job in self.jobs.values():
            if job.exited is not None:
                self._say(job.exited)

    def hang_up(self) -> None:
        """Drop whoever is connected; jobs live on."""
        while self._connections:
            self._connections.pop().close()

    def die(self) -> None:
        """Stop listening, hang up, and take every job along."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        self.hang_up()
        for job in self.jobs.values():
            with suppress(ProcessLookupError):
                os.killpg(job.process.pid, signal.SIGKILL)
            job.process.wait()
            close_all(job.kept)
        self.jobs.clear()

    # -- answering ----------------------------------------------------------------------------------------

    def _received(self, untrusted: bytes, descriptors: list[int]) -> None:
        request = protocol.read_request(protocol.decode(untrusted), len(descriptors))
        self.asked.append(request.do)
        if request.do in self.silent:
            return close_all(descriptors)
        try:
            if request.do in self.fails:
                raise self.fails[request.do]
            getattr(self, f"_do_{request.do}")(request, descriptors)
        except WandError as error:
            close_all(descriptors)
            text = {"message": error.message, "hint": error.hint, "field": error.field}
            self._say({"say": "failed", "re": request.re, "kind": type(error).__name__, **text})
        return None

    def _say(self, message: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        for connection in self._connections:
            connection.send(protocol.encode(message), descriptors)

    def _do_run(self, request: protocol.Request, descriptors: list[int]) -> None:
        asked = request.fields
        self.runs.append(asked)
        process = self._popen(asked, descriptors[:3])
        close_all(descriptors[:3])
        limits = {name: min(self.ceiling.get(name, most), most) for name, most in asked["limits"].items()}
        job = FakeJob(asked, self.ceiling | limits, process, descriptors[3:], time.time())
        self.jobs[asked["job"]] = job
        started = {"job": asked["job"], "pid": process.pid, "directory": asked["directory"] or self.workspace}
        answer = {"say": "started", "re": request.re, **started, "limits": job.limits, "program": "?"}
        if self.is_slow:
            self._ended(job, answer)
        else:
            self._say(answer)
            self._watch(job)

    def _popen(self, asked: Mapping[str, Any], descriptors: list[int]) -> subprocess.Popen[bytes]:
        stdin, stdout, stderr = descriptors
        try:
            return subprocess.Popen(
                asked["argv"],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=asked["directory"] or self.workspace,
                env=ENVIRONMENT | asked["environment"],
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise NotFound(f"there is no program {asked['argv'][0]}", field="argv") from error

    def _watch(self, job: FakeJob) -> None:
        loop = asyncio.get_running_loop()
        watched = os.pidfd_open(job.process.pid)
        clock = loop.call_later(job.limits["wall_seconds"], self._kill, job, signal.SIGKILL, "timed_out")

        def ended() -> None:
            clock.cancel()
            loop.remove_reader(watched)
            os.close(watched)
            self._ended(job)

        loop.add_reader(watched, ended)

    def _ended(self, job: FakeJob, answer: Mapping[str, Any] | None = None) -> None:
        status = job.process.wait()
        killed = -status if status < 0 else 0
        job.exited = {
            "say": "exited",
            "job": job.asked["job"],
            "reason": job.reason or ("signaled" if killed else "exited"),
            "exit_code": max(status, 0),
            "signal": killed,
            "wall_seconds": time.time() - job.began,
            "cpu_seconds": 0.0,
            "peak_memory_bytes": 1,
        }
        if job.asked["job"] in self.jobs:
            self._say({**answer, "exited": job.exited} if answer else job.exited)

    def _kill(self, job: FakeJob, signum: int, reason: str) -> None:
        job.reason = "" if reason == "signal" else reason
        with suppress(ProcessLookupError):
            os.killpg(job.process.pid, signum)

    def _job(self, name: str) -> FakeJob:
        if name not in self.jobs:
            raise NotFound(f"there is no job {name}", field="job")
        return self.jobs[name]

    def _do_kill(self, request: protocol.Request, _: list[int]) -> None:
        job = self._job(request.fields["job"])
        if job.exited is not None:
            raise NotFound("it has ended", field="job")
        self._kill(job, request.fields["signal"], request.fields["reason"])
        self._say({"say": "done", "re": request.re})

    def _do_record(self, request: protocol.Request, _: list[int]) -> None:
        self.records.append((request.fields["event"], request.fields["fields"]))
        self._say({"say": "done", "re": request.re})

    def _do_note(self, request: protocol.Request, _: list[int]) -> None:
        self.notes.append((request.fields["event"], request.fields["fields"]))
        self._say_done(request)

    def _do_jobs(self, request: protocol.Request, _: list[int]) -> None:
        jobs = [
            {
                **{name: job.asked[name] for name in ("job", "profile", "argv", "directory", "why")},
                "limits": job.limits,
                "started_unix_seconds": job.began,
                "running": job.exited is None,
            }
            for job in self.jobs.values()
        ]
        self._say({"say": "jobs", "re": request.re, "jobs": jobs})

    def _do_adopt(self, request: protocol.Request, _: list[int]) -> None:
        job = self._job(request.fields["job"])
        self._say({"say": "adopted", "re": request.re, "job": job.asked["job"]}, tuple(job.kept))

    def _do_forget(self, request: protocol.Request, _: list[int]) -> None:
        job = self._job(request.fields["job"])
        if job.exited is None:
            raise Conflict("it still runs", field="job")
        close_all(job.kept)
        del self.jobs[request.fields["job"]]
        self._say_done(request)

    def _say_done(self, request: protocol.Request) -> None:
        if "quiet" not in request.fields:
            self._say({"say": "done", "re": request.re})

    def _do_profiles(self, request: protocol.Request, _: list[int]) -> None:
        profile = {
            "name": self.default, "workspace": self.workspace, "directories": [], "read_only": [],
            "run_as": "nobody", "path": ENVIRONMENT["PATH"], "limits": self.ceiling,
        }  # fmt: skip
        guarantee = {"name": "process tree", "enforced": False, "detail": "this is a fake"}
        self._say(
            {
                "say": "profiles",
                "re": request.re,
                "profiles": [profile],
                "guarantees": [guarantee],
                "default": self.default,
            }
        )

    def _do_worker(self, request: protocol.Request, _: list[int]) -> None:
        raise NotImplementedError


@contextmanager
def fake_launcher() -> Iterator[FakeLauncher]:
    """A fake launcher that listens; afterwards no process of it is left."""
    with short_folder() as folder:
        launcher = FakeLauncher(folder / "launcher.sock")
        launcher.listen()
        try:
            yield launcher
        finally:
            launcher.die()


@asynccontextmanager
async def linked(*, answer_seconds: float = 10.0) -> AsyncIterator[tuple[FakeLauncher, LauncherLink]]:
    """A fake launcher and a link to it."""
    with fake_launcher() as launcher:
        async with LauncherLink.open(launcher.path, answer_seconds=answer_seconds) as link:
            yield launcher, link
