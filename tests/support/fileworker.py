"""A real file worker in a process of its own, and a launcher that starts nothing else."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import wand_hostagent.filesystem
from wand_hostagent.filesystem import wire
from wand_hostagent.filesystem.model import Answer, Ask
from wand_hostagent.filesystem.refusal import Refused
from wand_hostagent.reports import ProfilesReport

PROGRAM = Path(wand_hostagent.filesystem.__file__).parent
SECONDS = 60.0


def python_for(user: int) -> str:
    """An interpreter that the user may run, and from which it may read the package; without one, skip."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            tried = subprocess.run(
                [python, "-I", "-S", str(PROGRAM), "--help"], user=user, group=user, extra_groups=[],
                check=False, capture_output=True,
            )  # fmt: skip
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip(f"user {user} may run no Python here")


def start(
    descriptor: int,
    write: list[Path],
    read: list[Path],
    *,
    user: int | None = None,
    most_file_bytes: int | None = None,
    look_seconds: float | None = None,
) -> subprocess.Popen[bytes]:
    """Start the worker as the launcher does."""
    words = [word for folder in write for word in ("--write", str(folder))]
    words += [word for folder in read for word in ("--read", str(folder))]
    words += ["--look-seconds", str(look_seconds)] if look_seconds else []
    python = sys.executable if user is None else python_for(user)
    limit = f"--fsize={most_file_bytes}" if most_file_bytes else "--fsize=unlimited"
    return subprocess.Popen(
        ["/usr/bin/prlimit", limit, python, "-I", "-S", "-E", str(PROGRAM), *words],
        stdin=descriptor, env={}, user=user, group=user, extra_groups=None if user is None else [],
    )  # fmt: skip


@dataclass
class Worker:
    """One end of the socket and the process at the other."""

    sock: socket.socket
    process: subprocess.Popen[bytes]

    def send(self, ask: Ask) -> None:
        self.sock.sendall(wire.pack(ask))

    def receive(self) -> Answer | Refused:
        header, body = wire.LENGTHS.unpack(self.exactly(wire.LENGTHS.size))
        answer: Any = wire.unpack(self.exactly(header), self.exactly(body))
        return answer  # type: ignore[no-any-return]

    def ask(self, ask: Ask) -> Any:
        """The answer; a refusal is raised."""
        self.send(ask)
        answer = self.receive()
        if isinstance(answer, Refused):
            raise answer
        return answer

    def exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self.sock.recv(count - len(got))
            if not more:
                raise EOFError
            got += more
        return got


@contextmanager
def running(write: list[Path], read: list[Path] | None = None, **how: Any) -> Iterator[Worker]:
    ours, theirs = socket.socketpair()
    ours.settimeout(SECONDS)
    with ours, theirs:
        process = start(theirs.fileno(), write, read or [], **how)
        theirs.close()
        try:
            yield Worker(ours, process)
        finally:
            ours.close()
            try:
                process.wait(SECONDS)
            finally:
                process.kill()
                process.wait()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short and that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="w", dir="/tmp")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class FakeLink:
    """The launcher's link as the file tools need it: starts real workers, remembers what it was asked."""

    def __init__(self, write: list[Path]) -> None:
        self.write = write
        self.started: list[str] = []
        self.reasons: list[Mapping[str, Any]] = []
        self.abandoned: list[str] = []
        self.released: list[str] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.refuse: Exception | None = None
        self.instead = b""  # what a false worker says at once
        self._false: list[socket.socket] = []
        self._endings: dict[str, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def worker(self, job: str, profile: str, why: Mapping[str, Any], descriptor: int, /) -> object:
        if self.refuse:
            raise self.refuse
        self.started.append(job)
        self.reasons.append(why)
        if self.instead:
            self._false.append(socket.socket(fileno=os.dup(descriptor)))
            self._false[-1].sendall(self.instead)
            self.ending(job).set_result(0)
            return None
        process = self.processes[job] = start(descriptor, self.write, [])
        ending = self.ending(job)
        task = asyncio.create_task(self._watch(process, ending))
        self._tasks.add(task)
        return None

    async def _watch(self, process: subprocess.Popen[bytes], ending: "asyncio.Future[Any]") -> None:
        status = await asyncio.to_thread(process.wait, SECONDS)
        if not ending.done():
            ending.set_result(status)

    async def profiles(self) -> ProfilesReport:
        return ProfilesReport(profiles=(), guarantees=(), default="developer")

    def ending(self, job: str, /) -> "asyncio.Future[Any]":
        return self._endings.setdefault(job, asyncio.get_running_loop().create_future())

    def release(self, job: str, /) -> None:
        self.released.append(job)

    def abandon(self, job: str, /) -> "asyncio.Task[None]":
        self.abandoned.append(job)
        task = asyncio.create_task(self._abandon(job))
        self._tasks.add(task)
        return task

    async def _abandon(self, job: str) -> None:
        if job in self.processes:
            self.processes[job].kill()
            await self.ending(job)

    async def aclose(self) -> None:
        for process in self.processes.values():
            process.kill()
        for sock in self._false:
            sock.close()
        await asyncio.gather(*self._tasks)


@dataclass
class Site:
    """Folders in /tmp and a worker that may use three of them: work, shared, and readonly to read only."""

    top: Path
    worker: Worker

    @property
    def work(self) -> Path:
        return self.top / "work"

    def ask(self, ask: Ask) -> Any:
        return self.worker.ask(ask)

    def refused(self, ask: Ask) -> Refused:
        with pytest.raises(Refused) as caught:
            self.worker.ask(ask)
        return caught.value

    def names(self, folder: str = "work") -> list[str]:
        return sorted(each.name for each in (self.top / folder).iterdir())

    def put(self, path: str, content: str | bytes = "x") -> Path:
        """A file in the workspace."""
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file


@contextmanager
def site() -> Iterator[Site]:
    with short_folder() as top:
        for name in ("work", "shared", "readonly", "outside"):
            (top / name).mkdir()
        (top / "outside" / "secret").write_text("secret")
        (top / "readonly" / "r.txt").write_text("r")
        with running([top / "work", top / "shared"], [top / "readonly"]) as worker:
            yield Site(top, worker)
