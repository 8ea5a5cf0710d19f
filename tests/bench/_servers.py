"""The contenders as processes: started on one core, measured with all their children, ended by id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.processes import descendants

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".dev" / "bench"
PEERS = ROOT / "tests" / "bench" / "peers"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_SECONDS = 60
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is measured is compiled, as packages install it


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process and everything below it has used."""

    cpu_seconds: float
    resident_bytes: int


def python_of(peer: str) -> Path:
    """The interpreter of the peer's own environment, built from its lock where it is not there yet."""
    lock = ROOT / "packaging" / "locks" / f"bench-{peer}.txt"
    home, stamp = HOME / peer, HOME / f"{peer}.built-from"
    python = home / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == lock.read_text() and python.exists()):
        uv = os.environ["UV"]
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, home], check=True)
        subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock], check=True)
        stamp.write_text(lock.read_text())
    return python


def node_home(peer: str) -> Path:
    """Where npm has put the peer and a Node for it, from its lock; no script of any package is run."""
    lock, home = PEERS / peer / "package-lock.json", HOME / peer
    stamp = home / "built-from"
    if not (stamp.exists() and stamp.read_text() == lock.read_text()):
        home.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(lock.with_name(file), home)
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
        subprocess.run(["npm", "ci", "--prefix", home, *quiet], check=True)
        stamp.write_text(lock.read_text())
    return home


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside runs on one core, where there are two."""
    before = os.sched_getaffinity(0)
    if core in before and len(before) > 1:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers: its process, where, and what to send it in every request."""

    pid: int
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def started(
    argv: Sequence[str | Path], port: int, log: Path, headers: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server on `port`; ended when the block is left."""
    with log.open("wb") as out, on_core(0):
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_for(port, child, log)
        yield Server(pid=child.pid, port=port, headers=headers or {})
    finally:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        if child.returncode is None:
            child.kill()
            child.wait()


def wait_for(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit(f"bench: {child.args!r} did not start:\n{log.read_text(errors='replace')[-4000:]}")


def seconds_to_ready(argv: Sequence[str | Path], log: Path) -> float:
    """From the start of a command to the line that it writes to `--ready-fd`; it is ended then.

    Its modules are compiled, as a package installs them, from the second time on.
    """
    with ready_server(argv, log) as seconds:
        return seconds


@contextlib.contextmanager
def ready_server(argv: Sequence[str | Path], log: Path) -> Iterator[float]:
    """A command that has written its line to `--ready-fd`, and after how long; ended with the block."""
    reading, writing = os.pipe()
    began = time.perf_counter()
    with log.open("wb") as out:
        child = subprocess.Popen(
            [*argv, "--ready-fd", str(writing)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            pass_fds=[writing],
        )  # fmt: skip
    os.close(writing)
    try:
        with open(reading, "rb") as told:  # noqa: PTH123 - a descriptor, not a path
            line = told.readline()
        if not line:
            sys.exit(f"bench: {child.args!r} did not start:\n{log.read_text(errors='replace')[-4000:]}")
        yield time.perf_counter() - began
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def usage(root: int) -> Usage:
    """CPU time and resident memory of a process, its children, and the children they have waited for."""
    found = [fields for pid in [root, *descendants(root)] if (fields := _stat(pid)) is not None]
    ticks = sum(int(part) for fields in found for part in fields[11:15])
    pages = sum(int(fields[21]) for fields in found)
    return Usage(cpu_seconds=ticks / _TICKS, resident_bytes=pages * _PAGE)


def alone(pid: int) -> Usage:
    """CPU time and resident memory of one process, no child counted."""
    fields = _stat(pid)
    assert fields is not None
    ticks = sum(map(int, fields[11:13]))
    return Usage(cpu_seconds=ticks / _TICKS, resident_bytes=int(fields[21]) * _PAGE)


def below(root: int, *words: str) -> int:
    """The one process below `root` whose command line holds all these words."""
    for pid in descendants(root):
        with contextlib.suppress(OSError):
            said = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            if all(word in said for word in words):
                return pid
    raise LookupError(f"no process below {root} is {words}")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name (man 5 proc): state is the first of them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
