"""Watching the tests: which statements each of them runs, kept in map.jsonl, a line for each file."""

import hashlib
import json
import threading
import time
from pathlib import Path
from typing import Any

from mutation import picking
from mutation.places import PACKAGES, ROOT, STATE, modules, name, tests
from mutation.workers import Worker, in_rooms

MAP = STATE / "map.jsonl"
_MOST_SECONDS = 900.0  # for a file of tests


def sources() -> dict[str, str]:
    """A digest of every module that is mutated."""
    return {name(path): picking.digest(path) for package in PACKAGES for path in modules(package)}


def seen() -> list[picking.Seen]:
    """What was seen of each file of tests when it was watched last, of those that are still there."""
    return [each for each in picking.read(MAP, STATE) if (ROOT / each.file).exists()]


def watch(rooms: int) -> None:
    """Watch every file of tests that is new or has changed."""
    STATE.mkdir(parents=True, exist_ok=True)
    known = {each.file: each.digest for each in seen()}
    todo = [path for path in tests() if known.get(name(path)) != picking.digest(path)]
    now = sources()
    key = hashlib.sha256(repr(now).encode()).hexdigest()[:12]
    lock = threading.Lock()

    def instrument(worker: Worker) -> None:
        probes = worker.ask("instrument", paths=list(now))
        (STATE / f"probes-{key}.json").write_text(json.dumps({"probes": probes, "sources": now}))

    def one(worker: Worker, path: Path) -> None:
        began = time.monotonic()
        told: Any = worker.ask("watch", file=name(path), seconds=_MOST_SECONDS)
        told = told or {"tests": {}, "loaded": [], "failed": ["the room ended"]}
        with lock:
            print(f"{name(path)}: {len(told['tests'])} tests, {time.monotonic() - began:.0f} s", flush=True)
            for failure in told.pop("failed", []):
                print(f"  not asked: {failure}", flush=True)
            with MAP.open("a") as file:
                line = {"file": name(path), "digest": picking.digest(path), "probes": key, **told}
                file.write(json.dumps(line) + "\n")

    in_rooms([f"watch-{number}" for number in range(rooms)], todo, one, instrument)
