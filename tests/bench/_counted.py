"""`wand-server embedded` whose server and host agent count, between two signals, what Python does in them.

Each writes what cProfile has counted to the folder that BENCH_COUNTS names. How long a thing took is not to
be read there: to count costs more than most functions do.
"""

import os
import pstats
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wand_server import cli
from wand_server.embedded import parts

COMMAND = (sys.executable, "-m", "bench._counted")
FOLDER = "BENCH_COUNTS"
BEGIN, END = "SIGUSR1", "SIGUSR2"
HALVES = {"server": "wand_server.cli", "host agent": "wand_hostagent.cli"}
_CODE = f"""\
import cProfile, os, signal, sys
from {{module}} import run
counts = cProfile.Profile()
def begin(*_):
    counts.clear()
    counts.enable()
def end(*_):
    counts.disable()
    counts.dump_stats(os.environ["{FOLDER}"] + "/{{module}}.new")
    os.rename(os.environ["{FOLDER}"] + "/{{module}}.new", os.environ["{FOLDER}"] + "/{{module}}")
signal.signal(signal.{BEGIN}, begin)
signal.signal(signal.{END}, end)
sys.exit(run(sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What Python did: functions called, turns of its event loop, tasks, timers, messages written."""

    functions: int
    turns: int
    tasks: int
    timers: int
    messages: int


def is_there(half: str) -> bool:
    """Whether a half has written down what it counted."""
    return _path(half).exists()


def _path(half: str) -> Path:
    return Path(os.environ[FOLDER]) / HALVES[half]


def read(half: str) -> Counts:
    """What a half has counted; it can be read once."""
    path = _path(half)
    stats: Mapping[tuple[str, int, str], tuple[int, int, float, float, object]]
    stats = pstats.Stats(str(path)).stats  # type: ignore[attr-defined] # its stubs do not know it
    path.unlink()

    def named(name: str, file: str = "") -> int:
        return sum(each[1] for (where, _, what), each in stats.items() if what == name and file in where)

    return Counts(
        functions=sum(each[1] for each in stats.values()),
        turns=named("_run_once"),
        tasks=named("create_task", "base_events"),
        timers=named("call_at"),
        messages=named("_next_batch"),
    )


def _python(module: str, *words: str) -> tuple[str, ...]:
    code = _CODE.format(module=module)
    return (sys.executable, *parts._SAFE, "-c", code, *words)


def main() -> None:
    parts._python = _python
    cli.main()


if __name__ == "__main__":
    main()
