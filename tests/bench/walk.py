"""One call walked: what each process spends on it, and how often it wakes, asks the kernel, and writes."""

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import _contenders, _counted, _graph, _servers
from bench._load import Load, Target, open_load
from bench._servers import Server
from support.waiting import until

NOTE = """\
`execute_command` with /bin/true, over HTTP, the protocol without sessions. All of Wand is held to one core,
the load to the other; Wand and the bare handler, which runs /bin/true and lets its output go, take turns, and
a figure is the median of the rounds. "us" is time on the processor for each call, of all threads (schedstat,
proc(5)); of the commands it is what the launcher has waited for, inits and all. Wakes are voluntary
switches. "x bare" is all of it over what the bare handler spends, command and all.\
"""
COUNT_NOTE = """\
Counted, not timed: system calls by strace, with one call at a time, the rest by cProfile. A turn is one of
the event loop; messages are those that a half writes to the other.\
"""
PROCESSES = {
    "server": ("from wand_server.cli", " serve "),
    "host agent": ("from wand_hostagent.cli", " serve "),
    "launcher": ("wand_hostagent", "launcher", "-I"),
}
COUNTED = {
    "server": ("from wand_server.cli", " serve "),
    "host agent": ("from wand_hostagent.cli", " serve "),
}
COMMANDS = "the commands"
_TICKS = os.sysconf("SC_CLK_TCK")
_WARM_SECONDS = 0.5


@dataclass(slots=True, kw_only=True)
class Spent:
    """What each process spent on a call, one figure for each round."""

    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    wakes: dict[str, list[float]] = field(default_factory=dict)
    bare_us: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)

    def of(self, name: str) -> float:
        return statistics.median(self.cpu_us[name])

    @property
    def ratio(self) -> float:
        """The median of the rounds: in each, one ran right after the other."""
        rounds = map(sum, zip(*self.cpu_us.values(), strict=True))
        return statistics.median(
            [float(ours / bare) for ours, bare in zip(rounds, self.bare_us, strict=True)]
        )


def on_cpu(pid: int) -> tuple[int, int]:
    """The nanoseconds that all threads of a process have run, and how often they gave up the processor."""
    ran = gave_up = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            ran += int((task / "schedstat").read_text().split()[0])
            status = (task / "status").read_text()
            gave_up += int(status.rpartition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return ran, gave_up


def of_children(pid: int) -> float:
    """The seconds of all children that a process has waited for, and of theirs."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[13:15])) / _TICKS


def target_of(server: Server, ask: _contenders.Ask) -> Target:
    return Target(
        port=server.port, era="modern", tool=ask.tool, arguments=ask.arguments, proof=ask.proof,
        headers=server.headers,
    )  # fmt: skip


async def one_round(load: Load, pids: Mapping[str, int], seconds: float, spent: Spent) -> None:
    before = {name: on_cpu(pid) for name, pid in pids.items()}
    children = of_children(pids["launcher"])
    run = await load.run(seconds)
    for name, pid in pids.items():
        ran, gave_up = on_cpu(pid)
        spent.cpu_us.setdefault(name, []).append((ran - before[name][0]) / run.calls / 1000)
        spent.wakes.setdefault(name, []).append((gave_up - before[name][1]) / run.calls)
    more = (of_children(pids["launcher"]) - children) / run.calls * 1e6
    spent.cpu_us.setdefault(COMMANDS, []).append(more)
    spent.p50_ms.append(statistics.median(run.latencies) * 1000)
    spent.per_second.append(run.calls / run.wall_seconds)
    if run.wrong:
        sys.exit(f"bench: {run.wrong} wrong answers: {run.first_wrong!r}")


async def bare_round(load: Load, pid: int, seconds: float, spent: Spent) -> None:
    before = _servers.usage(pid).cpu_seconds
    run = await load.run(seconds)
    spent.bare_us.append((_servers.usage(pid).cpu_seconds - before) / run.calls * 1e6)


async def measure(wand: Server, bare: Server, options: argparse.Namespace) -> dict[int, Spent]:
    """What a call costs, for each number of calls at once."""
    pids = {name: _servers.below(wand.pid, *words) for name, words in PROCESSES.items()}
    found = {}
    for at_once in options.connections:
        ours = await open_load(target_of(wand, _contenders.WANDS_TRUE), at_once)
        theirs = await open_load(target_of(bare, _contenders.TRUE), at_once)
        spent = found[at_once] = Spent()
        with _servers.on_core(1):
            for load in (ours, theirs):
                await load.run(_WARM_SECONDS)
            for _ in range(options.rounds):
                await bare_round(theirs, bare.pid, options.seconds, spent)
                await one_round(ours, pids, options.seconds, spent)
    return found


def lines(found: Mapping[int, Spent]) -> Iterator[str]:
    for at_once, spent in found.items():
        rate, p50 = statistics.median(spent.per_second), statistics.median(spent.p50_ms)
        yield f"{at_once} at once, {rate:.0f} calls a second, half within {p50:.1f} ms:"
        for name in spent.cpu_us:
            wakes = f"{statistics.median(spent.wakes[name]):6.1f} wakes" if name in spent.wakes else ""
            yield f"  {name:14}{spent.of(name):8.0f} us  {wakes}"
        bare = statistics.median(spent.bare_us)
        whole = sum(map(spent.of, spent.cpu_us))
        yield f"  {'together':14}{whole:8.0f} us, {spent.ratio:.2f} x bare ({bare:.0f} us)"


# -- what is counted -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def under_load(server: Server, at_once: int, seconds: float) -> AsyncIterator[list[int]]:
    """Calls for so long, while the block runs; the list has their number, when it is over."""
    load = await open_load(target_of(server, _contenders.WANDS_TRUE), at_once)
    calls: list[int] = []

    async def keep() -> None:
        calls.append((await load.run(seconds)).calls)

    await load.run(_WARM_SECONDS)
    running = asyncio.create_task(keep())
    yield calls
    await running


async def system_calls(server: Server, seconds: float) -> dict[str, float]:
    """How often each process asks the kernel for something, for each call."""
    found = {}
    for name, words in PROCESSES.items():
        with tempfile.NamedTemporaryFile("r") as told:
            pid = _servers.below(server.pid, *words)
            async with under_load(server, 1, seconds) as calls:
                argv = ["strace", "-f", "-c", "-o", told.name, "-p", str(pid)]
                tracer = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL)
            tracer.send_signal(signal.SIGINT)
            await tracer.wait()
            total = re.search(r"([\d]+)(?:\s+\d+)?\s+total$", told.read().strip())
        if total:
            found[name] = int(total[1]) / calls[0]
    return found


async def counted(server: Server, at_once: int, seconds: float) -> dict[str, tuple[_counted.Counts, int]]:
    """What Python did in each half, and for how many calls."""
    pids = {name: _servers.below(server.pid, *words) for name, words in COUNTED.items()}
    async with under_load(server, at_once, seconds) as calls:
        for pid in pids.values():
            os.kill(pid, signal.Signals[_counted.BEGIN])
    for pid in pids.values():
        os.kill(pid, signal.Signals[_counted.END])
    found = {}
    for name in pids:
        await until(partial(_counted.is_there, name))
        found[name] = _counted.read(name), calls[0]
    return found


async def count(options: argparse.Namespace) -> None:
    """Print what is counted, which needs servers of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(_contenders.scratch())
        os.environ[_counted.FOLDER] = str(folder)
        server = stack.enter_context(_contenders.start_wand(folder, None, _counted.COMMAND))
        for at_once in options.connections:
            print(f"{at_once} at once, counted for each call:")
            for name, (counts, calls) in (await counted(server, at_once, options.seconds)).items():
                each = {key: getattr(counts, key) / calls for key in counts.__slots__}
                print(f"  {name:14}", "  ".join(f"{amount:.2f} {key}" for key, amount in each.items()))
    if shutil.which("strace") is None:
        print("system calls are not counted: there is no strace")
        return
    with _contenders.scratch() as folder, _contenders.start_wand(folder) as server:
        each = await system_calls(server, options.seconds)
        print(
            "system calls for each call:", ", ".join(f"{name} {amount:.1f}" for name, amount in each.items())
        )


def picture(found: Mapping[int, Spent]) -> str:
    """The load graph: which process spends what of a call, by how many there are at once."""
    parts = list(next(iter(found.values())).cpu_us)
    graph = _graph.Graph(
        title="What one call costs, by process",
        across="calls at once",
        up="microseconds of processor time for each call",
        parts=parts,
        bars={str(at_once): [spent.of(name) for name in parts] for at_once, spent in found.items()},
        bare={str(at_once): statistics.median(spent.bare_us) for at_once, spent in found.items()},
    )
    return _graph.drawn(graph)


def read_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench walk", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; no figures to quote")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of load in each round")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--count", action="store_true", help="count what is done, too")
    parser.add_argument("--svg", type=Path, help="draw the load graph into this file")
    options = parser.parse_args(words)
    if options.quick:
        options.rounds, options.seconds = 1, 0.4
    return options


def main() -> int:
    options = read_options()
    bare = next(one for one in _contenders.every() if one.name == _contenders.FLOOR)
    with ExitStack() as stack:
        wand = stack.enter_context(_contenders.start_wand(stack.enter_context(_contenders.scratch())))
        floor = stack.enter_context(bare.start(stack.enter_context(_contenders.scratch())))
        found = asyncio.run(measure(wand, floor, options))
    print(*lines(found), "", NOTE, sep="\n")
    if options.svg:
        options.svg.write_text(picture(found))
    if options.count:
        print()
        asyncio.run(count(options))
        print("", COUNT_NOTE, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
