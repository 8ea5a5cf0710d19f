"""Tasks with effects, while whatever carries them out is killed: each is done once, or named ambiguous.

`./dev chaos [N] [--postgres]`: N tasks append lines to files by a tool, while processes of agents, the
server and (with --postgres) those of PostgreSQL's connections are killed at random with -9; others hang for
longer than their leases, and go on. At the end what is in the files is compared with what is said of the
tasks; meanwhile, `list_agents` with what runs.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chaos.parts import GONE_SECONDS, HEALTH_SECONDS, LEASE_SECONDS, Parts, kill_backend, running
from support import postgres
from support.waiting import is_alive

FILES, BATCH, CREWS = 16, 25, 3
BETWEEN_SECONDS = (0.2, 1.6)  # two deaths; to begin again takes a process some seconds of a small machine
_LATE_SECONDS = 2.0  # of the machine, which has more to do
ENDED = {"done", "failed", "cancelled", "ambiguous", "dead"}


@dataclass
class Tally:
    """What was seen."""

    kills: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    lies: list[str] = field(default_factory=list)
    handed: dict[str, str] = field(default_factory=dict)  # which task is whose number
    stop: asyncio.Event = field(default_factory=asyncio.Event)


def lines_of(number: int) -> list[str]:
    """The lines that a task appends: one, and of each fifth two."""
    return [f"{number}.a", f"{number}.b"] if number % 5 == 0 else [f"{number}.a"]


def append(number: int, line: str) -> dict[str, Any]:
    """A step that appends a line; a command takes its time for it, before or after."""
    path = f"lines-{number % FILES}.txt"
    step = {"id": line.rpartition(".")[2]}
    if number % 4:
        return {
            **step,
            "tool": "write_file",
            "arguments": {"path": path, "content": f"{line}\n", "mode": "append"},
        }
    acts = ("sleep 0.1", f"echo {line} >> {path}")
    command = "; ".join(acts if number % 8 else reversed(acts))
    return {**step, "tool": "execute_command", "arguments": {"command": command}}


def task_of(number: int) -> dict[str, Any]:
    """A task with effects: it may look first, and appends its lines, by a file tool or by a command."""
    looks = {"id": "look", "tool": "check_command_exists", "arguments": {"names": ["sh"]}}
    appends = [append(number, line) for line in lines_of(number)]
    steps = [looks, *appends] if number % 3 == 0 else appends
    return {"title": f"n{number}", "key": f"n{number}", "attempts": 100, "steps": steps}


async def hand_out(parts: Parts, count: int, tally: Tally) -> None:
    """Hand them all out; what is said twice because a server died has its key, and is there once."""
    for first in range(0, count, BATCH):
        batch = list(range(first, min(count, first + BATCH)))
        told = await parts.use("distribute_task", tasks=[task_of(number) for number in batch])
        for number, one in zip(batch, told["tasks"], strict=True):
            tally.handed[one["id"]] = f"n{number}"


async def kill(parts: Parts, chance: random.Random, database: postgres.Database | None, tally: Tally) -> None:
    """Kill something now and then, until it is enough; what dies is started again meanwhile."""
    restarting: list[asyncio.Task[None]] = []
    while not tally.stop.is_set():
        await asyncio.sleep(chance.uniform(*BETWEEN_SECONDS))
        victims = ["agents", "agents", "server", "hang", *(["backend", "backend"] if database else [])]
        victim = chance.choice(victims)
        if victim == "backend" and database is not None:
            found = await asyncio.to_thread(_backends, database)
            victim = "backend" if kill_backend(chance, found) else "nothing"
        else:
            living = [one for one in ([parts.server] if victim == "server" else parts.crews) if one.is_ready]
            if not living:
                continue
            end = parts.hang if victim == "hang" else parts.kill
            restarting.append(asyncio.create_task(end(chance.choice(living))))
        tally.kills[victim] += 1
    await asyncio.gather(*restarting)


def _backends(database: postgres.Database) -> list[int]:
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{database.name}' AND pid <> pg_backend_pid()"
    try:
        return [int(word) for word in database.sql(query).split()]
    except AssertionError:
        return []  # it is recovering


async def look(parts: Parts, tally: Tally) -> None:
    """Compare what list_agents says with the processes that there are."""
    while not tally.stop.is_set():
        before = {part.program.pid: part.ready_at for part in parts.crews if part.program.process}
        began = time.monotonic()
        told = await parts.use("list_agents")
        took = time.monotonic() - began
        tally.looks += 1
        tally.lies += list(_lies(parts, told["agents"], before, began, took))
        await asyncio.sleep(0.2)


def _lies(
    parts: Parts, agents: Sequence[dict[str, Any]], before: dict[int, float], began: float, took: float
) -> Iterator[str]:
    """An agent said to live whose process was dead for long; one not named whose process was there."""
    patience = GONE_SECONDS + _LATE_SECONDS + took
    for one in agents:
        pid = int(one["process"].rpartition(":")[2])
        died = parts.dead.get(pid)
        if one["state"] != "gone" and died is not None and time.monotonic() - died > patience:
            yield f"{one['name']} is said to be {one['state']}, and died {time.monotonic() - died:.1f} s ago"
    named = {one["name"] for one in agents if one["state"] != "gone"}
    for part in parts.crews:
        pid = part.program.pid
        was_there = began - before.get(pid, float("inf")) > 0
        if was_there and part.ready_at == before.get(pid) and is_alive(pid):
            missing = set(part.agents) - named
            if missing and took < GONE_SECONDS:
                yield f"{', '.join(sorted(missing))} live, and are not named"


async def ended(parts: Parts, tally: Tally, seconds: float) -> dict[str, dict[str, Any]]:
    """Every task, once all have ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        left = await parts.use("manage_tasks", action="list", state="open", limit=1)
        if not left.get("tasks"):
            break
        await asyncio.sleep(0.5)
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        page = await parts.use("manage_tasks", action="list", limit=500, cursor=cursor)
        found |= {one["id"]: one for one in page.get("tasks", [])}
        if not (cursor := page.get("cursor", "")):
            return found


def verdict(parts: Parts, tally: Tally, found: dict[str, dict[str, Any]]) -> Counter[str]:
    """How many ended how; what must not be is told line by line."""
    written: Counter[str] = Counter()
    for path in parts.wand.workspace.glob("lines-*.txt"):
        written.update(path.read_text().split())
    counts: Counter[str] = Counter()
    for task, title in tally.handed.items():
        one = found.get(task)
        state = one["state"] if one else "missing"
        times = [written.pop(line, 0) for line in lines_of(int(title[1:]))]
        counts[state] += 1
        counts["doubled"] += max(times) > 1
        if state == "ambiguous":
            counts["ambiguous with effect"] += times[-1] == 1
        elif state != "done":
            counts["lost"] += 1
            print(f"  {title} is {state}: {one and one.get('message')}")
        elif times != [1] * len(times):
            counts["lost"] += min(times) == 0
            print(f"  {title} is done, and its lines are there {times} times")
    counts["lines of nobody"] = written.total()
    return counts


async def run(parts: Parts, count: int, seed: int, database: postgres.Database | None) -> bool:
    """All of it; whether it is as it must be."""
    tally, chance, began = Tally(), random.Random(seed), time.monotonic()
    killing = asyncio.create_task(kill(parts, chance, database, tally))
    looking = asyncio.create_task(look(parts, tally))
    await hand_out(parts, count, tally)
    found = await ended(parts, tally, 120 + count)
    tally.stop.set()
    await asyncio.gather(killing, looking)
    counts = verdict(parts, tally, found)
    kills = ", ".join(f"{number} {victim}" for victim, number in sorted(tally.kills.items()))
    again = sum(one.get("attempt", 1) > 1 for one in found.values())
    print(
        f"tasks {count}: done {counts['done']}, ambiguous {counts['ambiguous']} "
        f"({counts['ambiguous with effect']} had their effect), lost {counts['lost']}, "
        f"doubled {counts['doubled']}, lines of nobody {counts['lines of nobody']}"
    )
    print(
        f"killed with -9, or hung: {kills}; {again} tasks begun more than once; "
        f"{time.monotonic() - began:.0f} s"
    )
    print(f"list_agents: {tally.looks} looks, {len(tally.lies)} untrue")
    print(*(f"  {lie}" for lie in tally.lies[:10]), sep="\n", end="")
    bad = counts["lost"] + counts["doubled"] + counts["lines of nobody"] + len(tally.lies)
    return bad == 0 and counts["done"] + counts["ambiguous"] == count and tally.looks > 0


@contextmanager
def store(*, on_postgres: bool) -> Iterator[tuple[str, postgres.Database | None]]:
    """The settings of a store, and its database where it has one."""
    if not on_postgres:
        yield "", None
        return
    with postgres.running(durable=True) as cluster, cluster.database() as database:
        where = f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"
        secret = cluster.folder / "password"
        yield f'[tasks]\ndatabase = "{where}"\npassword = "file:{secret}"', database


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=2000, metavar="N")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, whose connections die too")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    if asked.postgres and (why := postgres.why_not()):
        print(f"chaos: {why}")
        return 0
    print(f"chaos: seed {asked.seed}, lease {LEASE_SECONDS} s, health {HEALTH_SECONDS} s", flush=True)
    with store(on_postgres=asked.postgres) as (settings, database), running(settings, CREWS) as parts:
        good = asyncio.run(run(parts, asked.count, asked.seed, database))
    print("chaos: good" if good else "chaos: NOT good")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
