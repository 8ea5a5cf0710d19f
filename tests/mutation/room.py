"""A room in which broken code may do what it likes: process 1 of namespaces of its own.

A mutant of the launcher runs as root, and may well kill process -1 or take apart the mount tree. Here it
sees its own
processes, mounts, network and control groups; the disk is there to read, and a copy of the project lies
over the
project. One line of JSON on stdin asks, one on stdout answers.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mutation import seen
from mutation.places import ROOT
from mutation.trying import tried, watched

SCRATCH = Path("/dev/shm")
_MAP = SCRATCH / "seen"
_LOADED_BEFORE = (  # by us once, and not by each of thousands of runs; nothing of ours
    "aiohttp", "aiohttp.web", "aiohttp.test_utils", "argon2", "aiosqlite", "cryptography.x509",
    "google.protobuf.message", "grpc", "grpc.aio",
    "cryptography.hazmat.primitives.asymmetric.ec", "hypothesis", "jwt", "mcp", "mcp.types",
    "pydantic",
    "pytest", "pytest_asyncio", "pytest_asyncio.plugin", "pytest_timeout", "unittest.mock",
)  # fmt: skip
_PRIVATE = ("/tmp", "/var/tmp", "/run")


def start(folder: Path) -> "subprocess.Popen[str]":
    """A room as a child of ours; it ends with its stdin, and with us."""
    groups = _groups(folder)
    enter = '[ -z "$1" ] || echo $$ > "$1/cgroup.procs"; shift; exec "$@"'
    spaces = ["--mount", "--pid", "--net", "--ipc", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
    argv = [
        sys.executable,
        "-m",
        "mutation.room",
        str(folder),
        str(groups.parent) if groups is not None else "",
    ]
    return subprocess.Popen(
        ["sh", "-c", enter, "enter", "" if groups is None else str(groups), "nice", "-n", "19", "unshare",
        *spaces, *argv],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )  # fmt: skip


def _groups(folder: Path) -> Path | None:
    """A control group for the room, where this machine has version 2 of them and lets us."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        words = line.split()
        if words[2] == "cgroup2" and os.access(words[1], os.W_OK):
            made = Path(words[1], f"wand-mutants-{os.getpid()}-{folder.name}")
            made.mkdir(exist_ok=True)
            return made
    return None


def leave(folder: Path) -> None:
    """Remove what a room that has ended left of its control groups."""
    if made := _groups(folder):
        _remove_groups(made)
        with suppress(OSError):
            made.rmdir()


def _remove_groups(above: Path) -> None:
    for each in sorted((each for each in above.rglob("*") if each.is_dir()), reverse=True):
        with suppress(OSError):
            each.rmdir()


# -- inside ---------------------------------------------------------------------------------------------


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def _furnish(folder: Path, groups: str) -> None:
    """Make the room: the copy of the project, a disk to read, folders of its own to write."""
    _mount("-t", "tmpfs", "room", folder)
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    if (ROOT / ".git").is_file():
        shutil.copy2(ROOT / ".git", folder / ".git")
    (folder / ".venv").mkdir()
    (folder / ".dev").mkdir()
    _mount("--bind", ROOT / ".venv", folder / ".venv")
    _mount("--rbind", folder, ROOT)
    if groups:
        subprocess.run(["umount", groups], check=True)  # it shows all groups of the machine
        _mount("-t", "cgroup2", "cgroup2", groups)
    _mount("-o", "remount,bind,ro", "/")
    for path in _PRIVATE:
        _mount("-t", "tmpfs", "-o", "mode=1777", "room", path)
    _mount("-t", "tmpfs", "-o", "mode=1777", "room", SCRATCH)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.chdir(ROOT)


def main(words: Sequence[str]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder, groups = Path(words[0]), words[1]
    _furnish(folder, groups)
    for name in _LOADED_BEFORE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    room = Room(Path(groups) if groups else None)
    while line := sys.stdin.readline():
        asked = json.loads(line)
        answer = getattr(room, asked.pop("do"))(**asked)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Room:
    """What may be asked of a room."""

    def __init__(self, groups: Path | None) -> None:
        self._groups = groups
        self._changes = 0
        self._probes: list[seen.Probe] = []
        self._map: seen.Map | None = None

    def instrument(self, paths: Sequence[str]) -> list[list[Any]]:
        """Put probes into the modules at `paths`; what each number of theirs stands for."""
        for path in paths:
            text = (ROOT / path).read_text()
            (ROOT / path).write_text(seen.instrument(path, text, self._probes, _MAP))
        self._map = seen.Map(_MAP)
        return [[each.path, each.function, each.line] for each in self._probes]

    def watch(self, file: str, seconds: float) -> dict[str, Any]:
        """Run a file of tests; for each test that passes, how long it took and the numbers of what it ran."""
        assert self._map is not None, "instrument comes first"
        found = self._map
        found.take()
        told = self._in_child(lambda _: watched(file, found), seconds)
        return told or {"tests": {}, "loaded": []}

    def attempt(self, path: str, text: str, tests: Mapping[str, float], seconds: float) -> dict[str, Any]:
        """Put `text` into the module at `path`; run tests, each with its usual seconds, to one that fails."""
        module, whole = ROOT / path, (ROOT / path).read_text()
        self._write(module, text)
        began = time.monotonic()
        told = self._in_child(lambda result: tried(tests, result), seconds)
        self._write(module, whole)
        return {"took": round(time.monotonic() - began, 2), **(told or {"how": "time"})}

    def _write(self, module: Path, text: str) -> None:
        """With a time of its own: Python knows what it compiled by the second and the length of its text."""
        self._changes += 1
        module.write_text(text)
        os.utime(module, (1_000_000_000 + self._changes, 1_000_000_000 + self._changes))

    def _in_child(self, call: Callable[[int], Any], seconds: float) -> dict[str, Any] | None:
        ours, its = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            _be_a_child(call, its)
        os.close(its)
        said = _read_until(ours, time.monotonic() + seconds)
        os.close(ours)
        self._tidy()
        return json.loads(said) if said else None

    def _tidy(self) -> None:
        """End what is left, and remove what it has left."""
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all in this room but us
        while _reap():
            pass
        if self._groups:
            _remove_groups(self._groups)
        for each in (each for folder in _PRIVATE for each in Path(folder).iterdir()):
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)


def _be_a_child(call: Callable[[int], Any], result: int) -> None:
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        said = call(result)
        with os.fdopen(result, "w") as file:
            json.dump(said, file)
    except BaseException:  # noqa: BLE001 - the top of this process
        traceback.print_exc()
    finally:
        os._exit(0)


def _read_until(descriptor: int, until: float) -> bytes:
    """What a child says; nothing if that does not come in time. Orphans are reaped meanwhile."""
    said = b""
    while (left := until - time.monotonic()) > 0:
        while _reap(os.WNOHANG):
            pass
        if select.select([descriptor], [], [], min(left, 0.05))[0]:
            part = os.read(descriptor, 1 << 16)
            said += part
            if not part:
                return said
            if said.endswith(b"}"):
                with suppress(ValueError):
                    json.loads(said)
                    return said
    return b""


def _reap(how: int = 0) -> bool:
    try:
        return os.waitpid(-1, how)[0] != 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
