"""Memory: recall over many notes beside a plain scan of them, and files that are kept beside bare writes.

Notes are of twenty words each, in SQLite; vectors of 384 numbers come from a table: no model is timed.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.notes import ANN, engine_of, notes_on
from wand_server.memory.artifacts import ArtifactFolder, Quotas
from wand_server.memory.notes import Bounds, Notes
from wand_server.ports import NewArtifact, NewNote
from wand_server.storage.asking import Act, Engine, Moment, rows

GOAL_WORDS, GOAL_BOTH, GOAL_READ = 0.3, 0.8, 10.0
GOAL_KEEP = 8.0  # four flushes of the disk, where a bare write has one
_DIMENSIONS = 384
_AT_ONCE = 200
_MIB = 1024 * 1024
_CHANCE = random.Random(7)
_WORDS = [
    "".join(_CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=_CHANCE.randint(4, 9))) for _ in range(5000)
]
_WEIGHTS = [1 / (rank + 10) for rank in range(len(_WORDS))]


class Table:
    """Vectors out of a table, a direction for each of a hundred kinds of texts."""

    model = "table"

    def __init__(self) -> None:
        self._vectors = [[_CHANCE.gauss(0, 1) for _ in range(_DIMENSIONS)] for _ in range(100)]

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [self._vectors[hash(text) % 100] for text in texts]

    async def close(self) -> None:
        """Nothing is open."""


async def filled(notes: Notes, count: int) -> None:
    for first in range(0, count, _AT_ONCE):
        texts = [" ".join(_CHANCE.choices(_WORDS, _WEIGHTS, k=20)) for _ in range(_AT_ONCE)]
        new = [NewNote(text=f"{first} {text}", source="person") for text in texts]
        await asyncio.gather(*(notes.remember(ANN, one) for one in new))


def scan(_at: Moment, words: Sequence[str]) -> Act[list[str]]:
    """What somebody without an index does: look at each, count the words that it has, take the best eight."""
    found = yield from rows("SELECT text FROM note WHERE owner = $1", ANN.owner)
    scored = [(sum(word in one["text"] for word in words), one["text"]) for one in found]
    return [text for score, text in sorted(scored, reverse=True)[:8] if score]


async def ms(work: Callable[[list[str]], Awaitable[Any]], questions: Sequence[list[str]]) -> float:
    """The median of a question."""
    taken = []
    for one in questions:
        began = time.perf_counter()
        await work(one)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def recalled(folder: Path, count: int, rounds: int) -> dict[str, float]:
    async with engine_of("sqlite", folder, None) as engine:
        bounds = Bounds(notes=count + 1)
        async with notes_on(engine, Table(), bounds) as both, notes_on(engine, None, bounds) as words:
            await filled(both, count)
            questions = [_CHANCE.sample(_WORDS[20:2000], 4) for _ in range(rounds)]
            return await _asked(engine, words, both, questions)


async def _asked(
    engine: Engine, words: Notes, both: Notes, questions: Sequence[list[str]]
) -> dict[str, float]:
    async def plain(question: list[str]) -> None:
        await engine.read(lambda at: scan(at, question))

    async def by(notes: Notes, question: list[str]) -> None:
        await notes.recall(ANN, " ".join(question), "")

    ways: dict[str, Callable[[list[str]], Awaitable[Any]]] = {
        "a plain scan": plain,
        "recall by words": lambda question: by(words, question),
        "recall by words and meaning": lambda question: by(both, question),
    }
    for way in ways.values():
        await way(questions[0])  # what is loaded once
    each: dict[str, list[float]] = {name: [] for name in ways}
    for first in range(0, len(questions), 5):  # they take turns
        for name, way in ways.items():
            each[name].append(await ms(way, questions[first : first + 5]))
    return {name: statistics.median(taken) for name, taken in each.items()}


def bare_write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


async def kept(folder: Path, rounds: int) -> dict[str, float]:
    quotas = Quotas(in_all=2**40, of_one=2**40, each=2**30, seconds=3600)
    artifacts = ArtifactFolder(folder / "artifacts", quotas)
    contents = [os.urandom(_MIB) for _ in range(rounds)]
    times: dict[str, list[float]] = {}

    async def timed(name: str, work: Awaitable[Any]) -> Any:
        began = time.perf_counter()
        done = await work
        times.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        return done

    for number, data in enumerate(contents):
        path = folder / f"bare-{number}"
        await timed("a bare write, to the disk", asyncio.to_thread(bare_write, path, data))
        new = NewArtifact(data=data, name="x", mime_type="application/octet-stream")
        made = await timed("an artifact is kept", artifacts.keep(ANN.owner, new))
        await timed("a bare read", asyncio.to_thread(path.read_bytes))
        await timed("48 KiB of an artifact", artifacts.read(ANN.owner, made.digest, (4096, 48 * 1024)))
    return {name: statistics.median(each) for name, each in times.items()}


def said(title: str, each: dict[str, float], beside: str) -> None:
    print(f"{title}\n")
    for name, one in each.items():
        print(f"  {one:8.2f} ms   {one / each[beside]:5.2f} x   {name}")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench memory", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer notes and rounds")
    asked = parser.parse_args()
    count, rounds = (2000, 20) if asked.quick else (10_000, 60)
    with TemporaryDirectory(dir=".") as folder:
        notes = asyncio.run(recalled(Path(folder), count, rounds))
        files = asyncio.run(kept(Path(folder), rounds))
    said(f"A question to {count:,} notes, the median of {rounds}:", notes, "a plain scan")
    said("One MiB:", files, "a bare write, to the disk")
    ratios = {
        "recall by words": (notes["recall by words"] / notes["a plain scan"], GOAL_WORDS),
        "recall by both": (notes["recall by words and meaning"] / notes["a plain scan"], GOAL_BOTH),
        "an artifact, beside a bare write": (
            files["an artifact is kept"] / files["a bare write, to the disk"], GOAL_KEEP,
        ),
        "48 KiB of one, beside a bare read of it all": (
            files["48 KiB of an artifact"] / files["a bare read"], GOAL_READ,
        ),
    }  # fmt: skip
    for name, (ratio, goal) in ratios.items():
        print(f"  {ratio:5.2f} x   {name}   (goal: at most {goal})")
    return int(any(ratio > goal for ratio, goal in ratios.values()))


if __name__ == "__main__":
    sys.exit(main())
