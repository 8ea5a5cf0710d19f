"""What Wand's processes and folders hold, looked at again and again, and whether it grows."""

import contextlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.running import Running, descendants

PROCESSES = {
    "server": ("wand_server.cli", " serve "),
    "host agent": ("wand_hostagent.cli", " serve "),
    "launcher": (" -I -S ", " --ledger "),
}
_MIB = 2**20
_ROOM = {"MiB": 4.0, "descriptors": 8.0, "threads": 2.0}  # that growth over the watched time may be
_OTHER_ROOM = 16.0
_SHARE = 0.1  # or so much of the descriptors that there were: how many jobs run is left to chance
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

    wand: Running
    times: list[float] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    def look(self) -> None:
        """Take one reading."""
        self.times.append(time.monotonic())
        self.readings.append(dict(_figures(self.wand)))

    def growths(self) -> list[Growth]:
        """How each figure went over the last third, when what is kept on purpose has filled up."""
        start = len(self.times) * 2 // 3
        times, readings = self.times[start:], self.readings[start:]
        return [_growth(name, times, [each[name] for each in readings]) for name in readings[-1]]

    def graph(self, name: str) -> str:
        """A figure over the whole time, from its least to its most."""
        values = [each[name] for each in self.readings]
        least, most = min(values), max(values)
        step = max(len(values) / _GRAPH_MARKS, 1)
        picked = [values[int(number * step)] for number in range(int(len(values) / step))]
        scale = (len(_MARKS) - 1) / ((most - least) or 1)
        return "".join(_MARKS[round((value - least) * scale)] for value in picked)


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
        room=max(room, first * _SHARE) if "descriptors" in name else room,
    )


def _figures(wand: Running) -> Iterator[tuple[str, float]]:
    family = {pid: command for pid in descendants(wand.pid) if (command := _command(pid))}
    for name, words in PROCESSES.items():
        pid = next(pid for pid, command in family.items() if all(word in command for word in words))
        yield f"{name}, MiB", _status(pid, "VmRSS") / 1024
        yield f"{name}, descriptors", len(list(Path(f"/proc/{pid}/fd").iterdir()))
        yield f"{name}, threads", _status(pid, "Threads")
    files = [path for path in wand.state.rglob("*") if path.is_file()]
    yield "files of its state", len(files)
    yield "spool, MiB", sum(_size(path) for path in files if "spool" in path.parts) / _MIB
    yield "control groups", sum(1 for _ in _control_groups(wand))


def _control_groups(wand: Running) -> Iterator[Path]:
    """The groups below the one in which Wand's launcher is."""
    for mount in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        own = Path(f"/proc/{wand.pid}/cgroup").read_text().rpartition("::")[2].strip()
        folder = Path(mount + own)
        if (folder / "cgroup.procs").exists():
            yield from (path for path in folder.rglob("*") if path.is_dir())
            return


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return ""


def _status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
