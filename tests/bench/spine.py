"""Our server beside its peers under one load: an echo, and running /bin/true."""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
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
handler for the same act.\
"""


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


async def compete(contenders: Sequence[Contender], options: argparse.Namespace) -> list[Row]:
    with contextlib.ExitStack() as stack:
        entries = []
        for contender in contenders:
            folder = stack.enter_context(_contenders.scratch())
            server = stack.enter_context(contender.start(folder))
            entries += await enter(contender, server, options.connections)
        with _servers.on_core(1):
            return await measure(entries, options.rounds, options.seconds)


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
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--only", default="", help="contenders whose name holds this, and the floor")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.4
    return options


def main() -> int:
    options = read_options()
    chosen = [one for one in _contenders.every() if options.only in one.name or one.name == _contenders.FLOOR]
    rows = asyncio.run(compete(chosen, options))
    print(*lines(rows), "", NOTE, sep="\n")
    print(f"{options.connections} connections, {options.rounds} rounds of {options.seconds} s a row.")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if any(row.wrong for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
