"""The launcher beside a bare posix_spawn, asyncio and bwrap: what a start costs, request to reply."""

import argparse
import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._asking import Asking, linked
from support.launcher_client import PROGRAM, Client, command, write_profile

NOTE = """\
/bin/true with its output caught, ms, medians of {starts} starts; the contenders take turns start by start.
"limit" is posix_spawn, a pipe and waitpid in C. The launcher is asked over its socket, by C too, and has
answered when the output has ended and the job is reported as ended; "by Python" it is asked as asyncio is.
"durable" keeps its ledger on {disk}, "no disk" on a tmpfs, where fdatasync costs nothing. "box alone" is an
init that waits, given its orders by C: no request, no check, no record, so what is left is the kernel's.\
"""
TRUE = "/bin/true"
BALLAST_MIB = 300
HOMES = (
    "/srv" if os.access("/srv", os.W_OK) else "/tmp"
)  # not below /tmp: a tree with a folder there is never copied
IN_FLIGHT = 8
# A launcher that holds memory, as one that has run for long might.
HEAVY = """
import runpy, sys
held = bytearray(b"x") * ({size} << 20)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
GOALS = (
    ("launcher, no disk", "limit", 1.6),
    ("launcher, by Python", "asyncio", 1.1),
    ("launcher, durable", "limit", 2.3),
    ("launcher, 300 MB", "launcher, no disk", 1.05),
    ("launcher, no disk", "bwrap", 0.25),
)
USER = 'run_as = "nobody"' if os.geteuid() == 0 else ""  # the whole box: a user of its own too
RATE_GOAL = 1500
RESIDENT_GOAL_MIB = 16.0

Start = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Running:
    """A launcher of the bench."""

    socket: Path
    pid: int

    @property
    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextlib.contextmanager
def folder(place: str) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="w", dir=place))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def launcher(
    home: Path, ledger: Path, profile: str, ballast: int = 0, program: Path = PROGRAM
) -> Iterator[Running]:
    """A real launcher with one profile, its ledger where it is told."""
    for name in ("work", "profiles"):
        (home / name).mkdir()
    write_profile(home / "profiles" / "p.toml", f'name = "p"\nworkspace = "{home}/work"\n{profile}\n')
    words = [*map(str, command(home, program)), "--ledger", str(ledger), "--development"]
    if ballast:
        words[4:4] = ["-c", HEAVY.format(size=ballast)]
    reader, writer = os.pipe()
    with (home / "log").open("ab") as log:
        process = subprocess.Popen([*words, "--ready-fd", str(writer)], stderr=log, pass_fds=[writer])
    os.close(writer)
    if os.read(reader, 1) != b"\n":
        sys.exit((home / "log").read_text())
    os.close(reader)
    try:
        yield Running(home / "launcher.sock", process.pid)
    finally:
        process.terminate()
        process.wait(20)


# -- the contenders: one start, and its seconds ----------------------------------------------------------


@contextlib.contextmanager
def bare(binary: Path, words: Sequence[str]) -> Iterator[Start]:
    process = subprocess.Popen([binary, "0", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    to, back = process.stdin, process.stdout

    def start() -> float:
        to.write(b"x")
        to.flush()
        return int(back.readline()) / 1e9

    yield start
    to.close()
    process.wait(20)
    back.close()


def compiled(home: Path) -> Path:
    binary = home / "spawn"
    source = Path(__file__).with_name("_spawn.c")
    subprocess.run(["cc", "-O2", "-o", binary, source], check=True)
    return binary


def asked(client: Client) -> Start:
    """A start through the launcher: pipes, request, output to its end, report."""

    def start() -> float:
        began = time.perf_counter()
        running = client.run(TRUE, keep=False)
        running.read()
        exited = client.exited(running.job)
        seconds = time.perf_counter() - began
        assert exited["reason"] == "exited", exited
        client.exits.clear()
        client.jobs.clear()
        running.close()
        client.ask("forget", job=running.job)
        return seconds

    return start


async def one_of_asyncio() -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(TRUE, stdin=asyncio.subprocess.DEVNULL, stdout=pipe)
    await child.communicate()


@contextlib.contextmanager
def of_asyncio() -> Iterator[Start]:
    """Starts on one event loop, with the quicker of Python's two ways to watch a child."""
    with asyncio.Runner() as runner:
        if sys.version_info < (3, 12):
            watcher = asyncio.PidfdChildWatcher()
            watcher.attach_loop(runner.get_loop())
            asyncio.get_event_loop_policy().set_child_watcher(watcher)

        loop = runner.get_loop()

        def start() -> float:
            began = time.perf_counter()
            loop.run_until_complete(one_of_asyncio())
            return time.perf_counter() - began

        yield start


# -- measuring -------------------------------------------------------------------------------------------


def take_turns(contenders: Mapping[str, Start], starts: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for start in contenders.values():
        for _ in range(10):
            start()
    for _ in range(starts):
        for name, start in contenders.items():
            taken[name].append(start())
    return taken


def row(name: str, taken: Sequence[float], limit: float) -> str:
    ordered = sorted(seconds * 1000 for seconds in taken)
    middle = statistics.median(ordered)
    tenth, last = (ordered[len(ordered) * part // 100] for part in (10, 99))
    return f"  {name:20}{tenth:8.3f}{middle:8.3f}{last:8.3f}{middle / limit:9.2f}"


def verdict(what: str, figure: float, goal: float, *, below: bool) -> str:
    kept = figure <= goal if below else figure >= goal
    return f"  {what:44}{figure:9.2f}  goal {'<=' if below else '>='} {goal:g}  {'yes' if kept else 'NO'}"


def report(taken: Mapping[str, Sequence[float]]) -> Iterator[str]:
    limit = statistics.median(taken["limit"]) * 1000
    yield f"  {'':20}{'p10':>8}{'p50':>8}{'p99':>8}{'x limit':>9}"
    yield from (row(name, times, limit) for name, times in taken.items())
    for one, other, goal in GOALS:
        if one in taken and other in taken:
            ratio = statistics.median(taken[one]) / statistics.median(taken[other])
            yield verdict(f"{one} / {other}", ratio, goal, below=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench launcher", description=__doc__)
    parser.add_argument("--starts", type=int, default=300, help="starts of each contender (300)")
    parser.add_argument("--many", type=int, default=2000, help="starts of the throughput run (2000)")
    parser.add_argument("--profile", default=USER, help="lines added to the profile")
    parser.add_argument("--disk", default="/var/tmp", help="where the durable ledger lies")
    return parser.parse_args()


def main() -> None:
    told = options()
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        homes = [enter(folder(HOMES)) for _ in range(4)]
        disk, memory = enter(folder(told.disk)), enter(folder("/dev/shm"))
        durable = enter(launcher(homes[0], disk, told.profile))
        quick = enter(launcher(homes[1], memory / "quick", told.profile))
        heavy = enter(launcher(homes[2], memory / "heavy", told.profile, BALLAST_MIB))
        other = enter(launcher(homes[3], memory / "other", told.profile))
        binary, asking = compiled(homes[0]), Asking(homes[0])
        links = [enter(linked(one.socket)) for one in (quick, durable, heavy)]
        contenders: dict[str, Start] = {
            "limit": enter(bare(binary, [TRUE])),
            "box alone": enter(asking.box(homes[0] / "profiles")),
            "launcher, no disk": asking.ask(links[0]),
            "launcher, durable": asking.ask(links[1]),
            "launcher, 300 MB": asking.ask(links[2]),
            "launcher, by Python": asked(enter(Client(other.socket))),
            "asyncio": enter(of_asyncio()),
        }
        bwrap = shutil.which("bwrap")
        if bwrap:
            confined = [bwrap, "--unshare-all", "--new-session", "--ro-bind", "/", "/", "--proc", "/proc"]
            contenders["bwrap"] = enter(bare(binary, [*confined, "--dev", "/dev", TRUE]))
        print(NOTE.format(starts=told.starts, disk=told.disk))
        print("\n".join(report(take_turns(contenders, told.starts))))
        many = statistics.median(asking.rate(links[1], told.many, IN_FLIGHT) for _ in range(3))
        print(verdict(f"starts a second, durable, {IN_FLIGHT} in flight", many, RATE_GOAL, below=False))
        size = durable.resident_mib
        print(verdict("launcher resident, MiB", size, RESIDENT_GOAL_MIB, below=True))


if __name__ == "__main__":
    main()
