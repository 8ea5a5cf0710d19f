"""Databases as each version of the tables left them.

`./dev sh env PYTHONPATH=tests python -m support.released` writes those of this version. Whoever adds a step
to `storage/schema.py` leaves the files of the versions before, and adds those of the new one.
"""

import asyncio
import os
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from support import postgres, stores
from support.postgres import Database
from support.stores import ADA, DONE, Stand, failed
from support.tree import ROOT
from wand_server.ports import Checkpoint, NewProject, Registration, StepBegins, StepEnds, TaskProgress, Usage
from wand_server.storage.schema import STEPS

FOLDER = ROOT / "tests" / "server" / "storage" / "released"


def file_of(part: str, version: int, kind: str) -> Path:
    """Where that database is kept, as SQL."""
    return FOLDER / f"{part}-{version}.{kind}.sql"


async def fill(stand: Stand) -> None:
    """Tasks in every state, with all that belongs to them."""
    project = await stand.store.create_project(NewProject(principal=ADA, name="site", budget={"cost_usd": 1}))
    await stand.store.register(Registration(name="a1", capabilities=frozenset({"gpu"})))
    done = await stand.claimed_new(title="done", key="k1", project=project.id, labels={"team": "blue"})
    spent = Checkpoint(ended=(StepEnds("1", {"exit": 0}),), spent=Usage(cost_micros=9))
    await stand.store.checkpoint(done.lease, spent)
    await stand.store.transcribe(done.lease, [("message", "hello ☂")])
    await stand.store.finish(done.lease, DONE)
    bad = await stand.claimed_new(title="failed")
    await stand.submitted(title="failed with it", depends_on=(bad.lease.task,))
    await stand.store.finish(bad.lease, failed())
    doubt = await stand.claimed_new(title="ambiguous")
    await stand.store.checkpoint(doubt.lease, Checkpoint(begins=(StepBegins("pay"),)))
    await stand.submitted(title="blocked", depends_on=(doubt.lease.task,))
    await stand.store.finish(doubt.lease, failed())
    await stand.store.cancel(await stand.submitted(title="cancelled"))
    running = await stand.claimed_new(title="running", deadline=stand.clock.now + 9e6)
    await stand.store.renew(running.lease, 60, TaskProgress(done=1, total=2, message="half"))
    await stand.submitted(title="queued", needs=frozenset({"gpu"}), priority=3)


async def _made(kind: str, folder: Path, database: Database | None) -> None:
    async with stores.opened(kind, folder, database) as stand:
        await fill(stand)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    version = len(STEPS["tasks"])
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_made("sqlite", Path(folder), None))
        raw = sqlite3.connect(Path(folder, "state", "tasks.db"))
        file_of("tasks", version, "sqlite").write_text("\n".join(raw.iterdump()) + "\n")
        raw.close()
    with postgres.running() as cluster, cluster.database() as database:
        asyncio.run(_made("postgres", Path("/none"), database))
        assert postgres.PROGRAMS is not None
        words = [str(postgres.PROGRAMS / "pg_dump"), "--inserts", "--no-owner", "-d", database.url]
        text = subprocess.run(words, env=os.environ, capture_output=True, text=True, check=True).stdout
        lines = (one for one in text.splitlines() if one and not one.startswith(("--", "SET ", "\\")))
        kept = "\n".join(one for one in lines if not one.startswith("SELECT pg_catalog.set_config"))
        file_of("tasks", version, "postgres").write_text(kept + "\n")


if __name__ == "__main__":
    main()
