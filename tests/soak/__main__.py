"""Clients of every kind at work on one Wand, some cancelled, some killed; then nothing may have grown.

`./dev soak [SECONDS]`. One call in twenty is cancelled, one in fifty ends with its client killed.
`./dev soak --draw FIGURES SVG` draws what `--figures` has kept of a run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from soak import clients, drawing
from soak.clients import Answer, Client, Connect
from soak.resting import Turnstile
from soak.watching import Watch, figures, temporary
from support.processes import descendants
from support.running import Running, embedded
from wand_server.transports.sessions import SESSIONS_OF_ONE_CEILING

CLIENTS = 50
CANCELLED, KILLED = 1 / 20, 1 / 50
_CALLS_OF_ONE_VISIT = (5, 60)
_LOOK_SECONDS, _MOST_LOOKS = 3.0, 200
_ANSWER_SECONDS = 120.0
_BUSY = ("Exhausted", "-31429", "already running", "most at once")
_GONE = (ConnectionError, aiohttp.ClientError, OSError)

Act = tuple[str, dict[str, Any]]
_LONG: Act = ("tools/call", {"name": "execute_command", "arguments": {"argv": ["sleep", "30"]}})


@dataclass
class Tally:
    """What the clients saw, and how they are kept from asking while somebody looks."""

    turnstile: Turnstile = field(default_factory=Turnstile)
    calls: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    killed: int = 0
    busy: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def all(self) -> int:
        """Every call, however it ended."""
        return self.calls.total() + self.cancelled + self.killed


def acts(chance: random.Random) -> Act:
    """Something that an agent does."""
    number = chance.randrange(20)
    text = "".join(chance.choices("abcdefgh \n", k=chance.randrange(1, 2000)))
    path = f"soak-{number}.txt"
    tools: list[tuple[str, dict[str, Any]]] = [
        ("execute_command", {"argv": ["true"]}),
        ("execute_command", {"command": "echo here; sleep 0.1; exit 3"}),
        ("execute_command", {"argv": ["head", "-c", str(chance.randrange(1, 300_000)), "/dev/zero"]}),
        ("execute_command", {"argv": ["sleep", "0.2"], "background": True}),
        ("write_file", {"path": path, "content": text, "mode": "replace"}),
        ("read_file", {"path": "kept.txt"}),
        ("list_directory", {"path": "."}),
        ("search_files", {"pattern": "nowhere to be found"}),
        ("get_system_info", {}),
        ("check_command_exists", {"names": ["tar"]}),
    ]
    lists: list[Act] = [("tools/list", {}), ("resources/list", {}), ("prompts/list", {})]
    if chance.random() < 0.1:
        return chance.choice(lists)
    name, arguments = chance.choice(tools)
    return "tools/call", {"name": name, "arguments": arguments}


async def visit_again_and_again(name: str, connect: Connect, seed: int, until: float, tally: Tally) -> None:
    """One client's life: it comes, works, and goes in one way or another, over and over."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        try:
            async with connect() as client:
                await visit(name, client, chance, until, tally)
        except _GONE as why:
            if not isinstance(why, _Killed):
                tally.wrong.append(f"{name}: {type(why).__name__}: {why}")
                await asyncio.sleep(0.5)


class _Killed(ConnectionError):
    """This client was killed on purpose."""


async def visit(name: str, client: Client, chance: random.Random, until: float, tally: Tally) -> None:
    for _ in range(chance.randrange(*_CALLS_OF_ONE_VISIT)):
        if time.monotonic() > until:
            return
        fate = chance.random()
        async with tally.turnstile.passed():
            if fate < KILLED:
                await kill(client, chance, tally)
            elif fate < KILLED + CANCELLED:
                await cancel(client, chance, tally)
            else:
                await work(name, client, acts(chance), tally)


async def work(name: str, client: Client, act: Act, tally: Tally) -> None:
    async with asyncio.timeout(_ANSWER_SECONDS):
        answer = await client.ask(*act)
    tally.calls[name] += 1
    if said := complaint(act, answer):
        if any(word in said for word in _BUSY):
            tally.busy += 1
            await asyncio.sleep(0.1)
        else:
            tally.wrong.append(f"{name}: {str(act)[:200]}: {said}")


def complaint(act: Act, answer: Answer) -> str:
    """What is wrong with the answer, or nothing."""
    if "error" in answer:
        return json.dumps(answer["error"])[:500]
    result: Mapping[str, Any] = answer.get("result", {})
    if act[0] == "tools/call" and result.get("isError"):
        return str(result["content"][0]["text"])[:500]
    return "" if result else f"no result: {str(answer)[:300]}"


async def cancel(client: Client, chance: random.Random, tally: Tally) -> None:
    asking = asyncio.create_task(client.ask(*_LONG))
    await asyncio.sleep(chance.uniform(0, 0.3))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    tally.cancelled += 1


async def kill(client: Client, chance: random.Random, tally: Tally) -> None:
    asking = asyncio.create_task(client.ask(*_LONG))
    await asyncio.sleep(chance.uniform(0, 0.2))
    client.kill()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    tally.killed += 1
    raise _Killed


async def soak(wand: Running, seconds: float, seed: int, kept: TextIO | None) -> tuple[Tally, Watch]:
    """Let all of them at it for so long."""
    (wand.workspace / "kept.txt").write_text("what every client reads\n" * 50)
    tally, until = Tally(), time.monotonic() + seconds
    watch = Watch(lambda: figures(wand, tally.all), kept=kept)
    ways = clients.every(wand)
    await clients.abandon_sessions(wand, SESSIONS_OF_ONE_CEILING)
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            name, connect = ways[number % len(ways)]
            group.create_task(visit_again_and_again(name, connect, seed + number, until, tally))
        pause = max(_LOOK_SECONDS, seconds / _MOST_LOOKS)
        while time.monotonic() + pause < until:  # the last clients are going when it is over
            await asyncio.sleep(pause)
            async with tally.turnstile.at_rest(lambda: len(descendants(wand.pid))):
                watch.look()
    return tally, watch


def report(tally: Tally, watch: Watch, seconds: float) -> bool:
    """Print what was seen; whether all was well."""
    for name, calls in sorted(tally.calls.items()):
        print(f"  {name:24}{calls:8} calls")
    print(f"  {tally.calls.total()} calls in {seconds:.0f} s, {tally.cancelled} cancelled, ", end="")
    print(f"{tally.killed} clients killed, {tally.busy} told to come later, {len(tally.wrong)} wrong")
    for said in tally.wrong[:5]:
        print(f"    wrong: {said}")
    print(f"\n  {'over the last third':28}{'first':>10}{'last':>10}{'growth':>10}{'room':>8}")
    growths = watch.growths()
    for each in growths:
        figures = f"{each.first:10.1f}{each.last:10.1f}{each.grown:10.2f}{each.room:8.0f}"
        verdict = "flat" if each.is_flat else "GROWS"
        print(f"  {each.name:28}{figures}  {verdict:6}{watch.graph(each.name)}")
    return not tally.wrong and all(each.is_flat for each in growths)


def options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=600.0, help="how long (default: 600)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--figures", type=Path, metavar="FILE", help="keep each reading here, as it is taken")
    parser.add_argument("--draw", type=Path, nargs=2, metavar=("FIGURES", "SVG"), help="draw those of a run")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    told = options(words)
    if told.draw:
        told.draw[1].write_text(drawing.drawn(told.draw[0].read_text()))
        return 0
    print(f"{CLIENTS} clients, seed {told.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        scratch = tempfile.TemporaryDirectory(prefix="ws", dir="/tmp")  # a short name: sockets lie below it
        folder = Path(stack.enter_context(scratch))
        (folder / "work").mkdir()
        (folder / "tmp").mkdir()
        os.environ["TMPDIR"] = str(folder / "tmp")
        kept = stack.enter_context(told.figures.open("w")) if told.figures else None
        wand = stack.enter_context(embedded(folder / "work", folder / "state"))
        assert temporary(wand) == folder / "tmp"
        well = report(*asyncio.run(soak(wand, told.seconds, told.seed, kept)), told.seconds)
    print("  nothing is left of it")  # `embedded` has looked
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
