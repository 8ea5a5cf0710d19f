"""Our server beside its peers under one load: an echo, and running /bin/true."""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import _contenders, _servers
from bench._contenders import Contender
from bench._load import Era, Load, Run, Target, open_load
from bench._servers import Server

NOTE = """\
Every server is held to one core and the load to the other; the servers take turns within each round,
and a row is the median of the rounds. CPU and memory are the server's with all its processes. The peers
run /bin/true by themselves and keep no record; Wand asks its host agent, which decides, and its launcher,
which writes a durable record before it starts the command. "x bare" is CPU per call over that of the bare
handler for the same act. The goals are held against the bare handler that runs the command and lets its
output go; beside it stand one that catches it, as Wand does, and one whose command is in bwrap.\
"""
GOALS = ((_contenders.FLOOR, 2.0), (_contenders.IN_BWRAP, 0.5))
IDLE_MIB, IDLE_PERCENT, IDLE_SECONDS = 50.0, 1.0, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One contender under one kind of call."""

    name: str
    act: str
    era: Era
    pid: int
    load: Load


@dataclass(slots=True, kw_only=True)
class Row:
    """What an entry did: one figure for each round."""

    name: str
    act: str
    era: Era
    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    resident_mib: float = 0.0
    calls: int = 0
    wrong: int = 0

    def add(self, run: Run, cpu_seconds: float, resident_bytes: int) -> None:
        ordered = sorted(run.latencies)
        self.per_second.append(run.calls / run.wall_seconds)
        self.p50_ms.append(ordered[len(ordered) // 2] * 1000)
        self.p99_ms.append(ordered[len(ordered) * 99 // 100] * 1000)
        self.cpu_us.append(cpu_seconds / run.calls * 1e6)
        self.resident_mib = max(self.resident_mib, resident_bytes / 2**20)
        self.calls += run.calls
        self.wrong += run.wrong


async def enter(contender: Contender, server: Server, connections: int) -> list[Entry]:
    """The contender's entries, their sessions open."""
    entries = []
    for act, ask in contender.acts.items():
        for era in contender.eras:
            target = Target(
                port=server.port, era=era, tool=ask.tool, arguments=ask.arguments, proof=ask.proof,
                headers=server.headers,
            )  # fmt: skip
            load = await open_load(target, connections)
            entries.append(Entry(name=contender.name, act=act, era=era, pid=server.pid, load=load))
    return entries


async def one_turn(entry: Entry, row: Row, seconds: float) -> None:
    before = _servers.usage(entry.pid)
    run = await entry.load.run(seconds)
    after = _servers.usage(entry.pid)
    row.add(run, after.cpu_seconds - before.cpu_seconds, after.resident_bytes)
    if run.wrong:
        print(f"bench: {entry.name}: {run.wrong} wrong answers: {run.first_wrong!r}", file=sys.stderr)


async def measure(entries: Sequence[Entry], rounds: int, seconds: float) -> list[Row]:
    """Each entry in turn, round after round: a busy minute of the machine hits all alike."""
    rows = [Row(name=entry.name, act=entry.act, era=entry.era) for entry in entries]
    for entry in entries:
        await entry.load.run(min(seconds, 0.5))  # to warm up
    for _ in range(rounds):
        for entry, row in zip(entries, rows, strict=True):
            await one_turn(entry, row, seconds)
    return rows


async def compete(contenders: Sequence[Contender], options: argparse.Namespace) -> dict[int, list[Row]]:
    """The rows for each number of connections; the host agent's figures are printed on the way."""
    with contextlib.ExitStack() as stack:
        running = []
        for contender in contenders:
            folder = stack.enter_context(_contenders.scratch())
            running.append((contender, stack.enter_context(contender.start(folder))))
        found = {}
        for connections in options.connections:
            entries = [each for one, server in running for each in await enter(one, server, connections)]
            with _servers.on_core(1):
                found[connections] = await measure(entries, options.rounds, options.seconds)
        for contender, server in running:
            if contender.name == _contenders.WAND:
                print(*idle(_servers.below(server.pid, "hostagent", " serve ")), sep="\n")
        return found


def idle(hostagent: int) -> Iterator[str]:
    """What the host agent needs when nobody wants anything, after the load."""
    time.sleep(1)
    before = _servers.alone(hostagent)
    time.sleep(IDLE_SECONDS)
    after = _servers.alone(hostagent)
    percent = (after.cpu_seconds - before.cpu_seconds) / IDLE_SECONDS * 100
    yield verdict("host agent idle: resident, MiB", after.resident_bytes / 2**20, IDLE_MIB)
    yield verdict("host agent idle: % CPU", percent, IDLE_PERCENT)


def verdict(what: str, figure: float, goal: float) -> str:
    return f"  {what:62}{figure:8.2f}  goal <= {goal:g}  {'yes' if figure <= goal else 'NO'}"


def verdicts(found: Mapping[int, Sequence[Row]]) -> Iterator[str]:
    """Wand's `true` against the goals: CPU a call, and half of the calls with one connection."""
    for connections, rows in found.items():
        trues = [row for row in rows if row.act == "true"]
        for ours in (row for row in trues if row.name == _contenders.WAND):
            for theirs in trues:
                for goal in (goal for name, goal in GOALS if name == theirs.name):
                    what = f"{ours.era}, {connections} at once / {theirs.name}"
                    yield verdict(f"CPU a call, {what}", _ratio(ours.cpu_us, theirs.cpu_us), goal)
                    if connections == 1:
                        yield verdict(f"p50, {what}", _ratio(ours.p50_ms, theirs.p50_ms), goal)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds: in each, one ran right after the other."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def lines(rows: Sequence[Row]) -> Iterator[str]:
    heads = ("calls/s", "p50 ms", "p99 ms", "CPU us", "x bare", "MiB", "wrong")
    yield f"{'':34}{'era':8}" + "".join(f"{head:>9}" for head in heads)
    floor = {row.act: statistics.median(row.cpu_us) for row in rows if row.name == _contenders.FLOOR}
    for act in dict.fromkeys(row.act for row in rows):
        yield _contenders.ACTS[act]
        for row in (row for row in rows if row.act == act):
            parts = (row.per_second, row.p50_ms, row.p99_ms, row.cpu_us)
            rate, p50, p99, cpu = (statistics.median(part) for part in parts)
            ratio = f"{cpu / floor[act]:9.1f}" if floor.get(act) else f"{'-':>9}"
            figures = f"{rate:9.0f}{p50:9.2f}{p99:9.2f}{cpu:9.0f}{ratio}{row.resident_mib:9.0f}{row.wrong:9}"
            yield f"  {row.name:32}{row.era:8}{figures}"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench spine", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; no figures to quote")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load for each row in each round")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--only", default="", help="contenders whose name holds this, and the floor")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.4
    return options


def main() -> int:
    options = read_options()
    beside = {name for name, _ in GOALS}
    chosen = [one for one in _contenders.every() if options.only in one.name or one.name in beside]
    found = asyncio.run(compete(chosen, options))
    for connections, rows in found.items():
        print(
            f"{connections} at once, {options.rounds} rounds of {options.seconds} s a row:",
            *lines(rows),
            sep="\n",
        )
    print(*verdicts(found), "", NOTE, sep="\n")
    if options.json:
        written = {connections: [asdict(row) for row in rows] for connections, rows in found.items()}
        options.json.write_text(json.dumps(written, indent=1))
    return 1 if any(row.wrong for rows in found.values() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
