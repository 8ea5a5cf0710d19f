"""What Wand's processes and folders hold, looked at again and again, and whether it grows."""

import contextlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from support.processes import descendants
from support.running import Running

PROCESSES = {
    "server": ("wand_server.cli", " serve "),
    "host agent": ("wand_hostagent.cli", " serve "),
    "launcher": (" -I -S ", " --ledger "),
}
_MIB = 2**20
_ROOM = {"MiB": 4.0, "descriptors": 8.0, "threads": 2.0}  # that growth over the watched time may be
_OTHER_ROOM = 16.0
_SHARE = 0.1  # or so much of what there was, where it is left to chance how many jobs run
_BY_SHARE = ("descriptors", "a call", "processes")
_KEPT_SHARE = 0.25  # the same of outputs that are kept: their sizes are left to chance, and so how many fit
_KEPT = "outputs kept"
_MOST_OF_ONE_JOB = 4.0  # descriptors, for each process
_MARKS = "▁▂▃▄▅▆▇█"
_GRAPH_MARKS = 40

Reading = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One figure over the watched time: its middle at the start and at the end, and the room it had."""

    name: str
    first: float
    last: float
    grown: float  # by a line through all readings, from the first to the last
    room: float

    @property
    def is_flat(self) -> bool:
        return self.grown <= self.room


@dataclass
class Watch:
    """Readings of one Wand, each at its time."""

    figures: Callable[[], Reading]
    times: list[float] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    kept: TextIO | None = None  # where each reading is written, a line of JSON

    def look(self) -> None:
        """Take one reading."""
        self.times.append(time.monotonic())
        self.readings.append(self.figures())
        if self.kept is not None:
            told = {"seconds": round(self.times[-1] - self.times[0], 1), **self.readings[-1]}
            print(json.dumps(told), file=self.kept, flush=True)

    def growths(self) -> list[Growth]:
        """How each figure went over the last third, when what is kept on purpose has filled up."""
        start = len(self.times) * 2 // 3
        times, readings = self.times[start:], self.readings[start:]
        figures = {name: [each[name] for each in readings] for name in readings[-1]}
        busy = figures.get("processes", [])
        return [
            _growth(name, times, _as_busy(values, busy) if "descriptors" in name else values)
            for name, values in figures.items()
        ]

    def graph(self, name: str) -> str:
        """A figure over the whole time, from its least to its most."""
        values = [each[name] for each in self.readings]
        least, most = min(values), max(values)
        step = max(len(values) / _GRAPH_MARKS, 1)
        picked = [values[int(number * step)] for number in range(int(len(values) / step))]
        scale = (len(_MARKS) - 1) / ((most - least) or 1)
        return "".join(_MARKS[round((value - least) * scale)] for value in picked)


def _as_busy(values: Sequence[float], busy: Sequence[float]) -> Sequence[float]:
    """What the values would be, were as many jobs at work all the time; each takes a few descriptors at most.

    Jobs of clients that were killed go on for a while, so there are more of them the faster the machine is.
    """
    if len(set(busy)) < 2:
        return values
    each = min(max(statistics.linear_regression(busy, values).slope, 0), _MOST_OF_ONE_JOB)
    middle = statistics.fmean(busy)
    return [value - each * (there - middle) for value, there in zip(values, busy, strict=True)]


def _growth(name: str, times: Sequence[float], values: Sequence[float]) -> Growth:
    slope = statistics.linear_regression(times, values).slope
    quarter = max(len(values) // 4, 1)
    first = statistics.median(values[:quarter])
    room = next((room for word, room in _ROOM.items() if word in name), _OTHER_ROOM)
    return Growth(
        name=name,
        first=first,
        last=statistics.median(values[-quarter:]),
        grown=slope * (times[-1] - times[0]),
        room=max(room, first * _share(name)),
    )


def _share(name: str) -> float:
    if name == _KEPT:
        return _KEPT_SHARE
    return _SHARE if any(word in name for word in _BY_SHARE) else 0.0


def figures(wand: Running, calls: int) -> Reading:
    """How it stands with that Wand, after so many calls."""
    return dict(_figures(wand, calls))


def _figures(wand: Running, calls: int) -> Iterator[tuple[str, float]]:
    family = {pid: command for pid in descendants(wand.pid) if (command := _command(pid))}
    pids = {
        name: next(pid for pid, command in family.items() if all(word in command for word in words))
        for name, words in PROCESSES.items()
    }
    for name, pid in pids.items():
        yield f"{name}, MiB", _status(pid, "VmRSS") / 1024
        yield f"{name}, descriptors", len(list(Path(f"/proc/{pid}/fd").iterdir()))
        yield f"{name}, threads", _status(pid, "Threads")
    sizes = {path: size for path in _below(wand.state) if (size := _size(path)) is not None}
    ledger = sum(size for path, size in sizes.items() if "ledger" in path.parts)
    yield "processes", len(family)
    spool = {path: size for path, size in sizes.items() if "spool" in path.parts}
    yield "files of its state", len(sizes) - len(spool)
    yield _KEPT, len(spool)
    yield "spool, MiB", sum(spool.values()) / _MIB
    yield "ledger, bytes a call", ledger / max(calls, 1)  # it grows with each: that is what it is for
    yield "temporary files", sum(1 for _ in _below(temporary(wand)))
    groups = _jobs_group(pids["launcher"])
    yield "control groups", sum(len(folders) for _, folders, _ in os.walk(groups)) if groups else 0


def temporary(wand: Running) -> Path:
    """The folder that a soak gives Wand for its temporary files."""
    return wand.state.with_name("tmp")


def _below(folder: Path) -> Iterator[Path]:
    """The files below a folder; what goes meanwhile is passed over."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _jobs_group(launcher: int) -> Path | None:
    """The control group in which a launcher makes those of its jobs, which it holds open; None without."""
    for file in Path(f"/proc/{launcher}/fd").iterdir():
        with contextlib.suppress(OSError):
            if (path := file.readlink()).name == "jobs" and (path / "cgroup.procs").exists():
                return path
    return None


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return ""


def _status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def _size(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return path.lstat().st_size
    return None
