"""Many processes claim from one store and are killed at any moment: nothing is lost, nothing done twice."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.claimer import store_at
from support.postgres import Database
from support.stores import address, task
from support.tree import ROOT
from wand_server.lifecycle import ENDED, Retries, TaskState
from wand_server.ports import TaskFilter, TaskStore

LONG = bool(os.environ.get("LONG_TESTS"))
TASKS, PROCESSES, KILLS = (2000, 4, 60) if LONG else (150, 3, 8)
OFTEN = Retries(most_attempts=100, base_seconds=0.01)
CUT = """SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'wand-server' ORDER BY random() LIMIT 2) AS two"""


class Workers:
    """Some processes, of which there are always so many."""

    def __init__(self, database: str, effects: Path) -> None:
        self._words = [sys.executable, "-m", "support.claimer", database, str(effects)]
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        self.all = [self._begun() for _ in range(PROCESSES)]

    def _begun(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([*self._words, f"w{random.random()}"], env=self._environment)

    def kill_one(self) -> None:
        """End one at once, and begin another."""
        number = random.randrange(PROCESSES)
        self.all[number].kill()
        self.all[number].wait()
        self.all[number] = self._begun()

    def end(self) -> None:
        for one in self.all:
            one.kill()
            one.wait()


@contextlib.contextmanager
def workers(database: str, effects: Path) -> Iterator[Workers]:
    some = Workers(database, effects)
    try:
        yield some
    finally:
        some.end()


async def ended(store: TaskStore) -> int:
    counts = await store.counts()
    return sum(counts[state] for state in ENDED)


async def harried(store: TaskStore, some: Workers, database: Database | None) -> None:
    """Kill, each time a share of the tasks has ended, until all have."""
    killed = 0
    while (done := await ended(store)) < TASKS:
        if killed < KILLS and done >= killed * TASKS / (KILLS + 2):
            some.kill_one()
            killed += 1
            if database is not None and killed % 2:
                database.sql(CUT)
        assert all(one.poll() is None for one in some.all), "a worker ended by itself"
        await store.sweep()
        await asyncio.sleep(0.05)  # between two looks
    assert killed == KILLS


def effects_of(file: Path) -> Counter[tuple[str, ...]]:
    return Counter(tuple(line.split()) for line in file.read_text().splitlines())


async def test_every_task_is_done_once_or_named_ambiguous(
    kind: str, a_database: Database | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = address(a_database).url if a_database else str(tmp_path / "state" / "tasks.db")
    file = tmp_path / "effects"
    monkeypatch.setenv("PASSWORD", a_database.password if a_database else "")
    async with store_at(where) as store:
        new = [task(retries=OFTEN) for _ in range(TASKS)]
        for some in (new[:1000], new[1000:]):
            await store.submit(some or [new[0]])
        with workers(where, file) as processes:
            await harried(store, processes, a_database)
        found = [one async for one in _every(store)]
    names = {one.id for one in new}
    effects = effects_of(file)
    counts = Counter(one for _, one in found)
    print(kind, dict(counts), f"{sum(effects.values())} effects")
    assert {name for name, _ in found} == names
    assert set(counts) <= {TaskState.DONE, TaskState.AMBIGUOUS}
    assert all(times == 1 for times in effects.values()), "an effect was had twice"
    done = {name for name, state in found if state is TaskState.DONE}
    assert all(effects[name, key] == 1 for name in done for key in "12"), "an effect is missing"
    assert counts[TaskState.AMBIGUOUS] <= KILLS * 3 * 2, "more are in doubt than were under way"


async def _every(store: TaskStore) -> AsyncIterator[tuple[str, TaskState]]:
    cursor = ""
    while True:
        page = await store.list(TaskFilter(), limit=500, cursor=cursor)
        for one in page.tasks:
            yield one.id, one.state
        if not (cursor := page.cursor):
            return
