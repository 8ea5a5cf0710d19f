"""Limits that no kernel holds for a whole job: what it may add to a disk, and compute in all.

They are looked at from time to time while the job runs. Disk: what is used on the file systems of its
writable folders, compared with what was used when it began, a few times a second. Whoever else writes
there meanwhile is counted too, where nothing tells who wrote (see cgroup.py), and who removes makes room
for it; what is written and removed between two looks is not counted. A file system that has only so many
files (inodes) is as full as they are: of those a job may take the same share as of the bytes. Processor
time: as soon as the limit can have been reached; a job of which nobody can tell for seconds what it uses is
ended as if it had been.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from wand_hostagent.launcher.loop import Loop

DISK_SECONDS = 0.2  # between two looks
_LEAST_SECONDS = 0.02
_MOST_UNKNOWN = 25  # looks that told nothing, one after the other; then the limit cannot be held


class Counts(Protocol):
    """What is counted of the job itself."""

    def cpu_seconds(self) -> float:
        """Of all its processes, so far.

        Raises:
            OSError: nobody knows.
        """

    def has_written(self, amount: int, devices: frozenset[int]) -> bool:
        """Whether so many bytes there can be its own; true where it cannot be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """What is watched of a job; 0 is no limit. `counts` is None where nothing counts for the whole job."""

    disk_bytes: float
    cpu_seconds: float
    folders: Sequence[str]
    counts: Counts | None

    @property
    def is_watched(self) -> bool:
        return bool(self.disk_bytes or (self.cpu_seconds and self.counts))


class Watch:
    """One job's; `exceed` is told the reason once, then nothing is watched any more."""

    def __init__(self, loop: Loop, limited: Limited, exceed: Callable[[str], None]) -> None:
        self._loop = loop
        self._limited = limited
        self._exceed = exceed
        self._unknown = 0
        self._processors = len(os.sched_getaffinity(0))
        self._timers: dict[str, int] = {}
        if limited.disk_bytes:
            self._used = used(limited.folders)
            self._again("disk", DISK_SECONDS, self._look_at_disk)
        if limited.cpu_seconds and limited.counts is not None:
            self._again("cpu", limited.cpu_seconds / self._processors, self._look_at_cpu)

    def stop(self) -> None:
        for timer in self._timers.values():
            self._loop.cancel(timer)
        self._timers.clear()

    def _again(self, name: str, seconds: float, look: Callable[[], None]) -> None:
        self._timers[name] = self._loop.later(max(seconds, _LEAST_SECONDS), look)

    def _end(self, reason: str) -> None:
        self.stop()
        self._exceed(reason)

    def _look_at_disk(self) -> None:
        limited = self._limited
        now = used(limited.folders)
        pairs = {device: (before, now.get(device, before)) for device, before in self._used.items()}
        added = {device: after.bytes - before.bytes for device, (before, after) in pairs.items()}
        grown = frozenset(device for device, amount in added.items() if amount > 0)
        counts, most = limited.counts, int(limited.disk_bytes)
        files = sum(max(0, after.files - before.files) * before.share for before, after in pairs.values())
        if files > most or (
            sum(added[device] for device in grown) > most
            and (counts is None or counts.has_written(most, grown))
        ):
            self._end("disk_limit")
        else:
            self._again("disk", DISK_SECONDS, self._look_at_disk)

    def _look_at_cpu(self) -> None:
        limited = self._limited
        assert limited.counts is not None
        try:
            left = limited.cpu_seconds - limited.counts.cpu_seconds()
        except OSError:  # as where no descriptor is left
            self._unknown += 1
            left = DISK_SECONDS * self._processors if self._unknown < _MOST_UNKNOWN else 0
        else:
            self._unknown = 0
        if left <= 0:
            self._end("cpu_limit")
        else:
            self._again("cpu", left / self._processors, self._look_at_cpu)


class Used(NamedTuple):
    """What is used of a file system; `share` is how many of its bytes there are for each file, 0 of any."""

    bytes: int
    files: int
    share: int


def used(folders: Sequence[str]) -> dict[int, Used]:
    """What is used of each file system that holds one of the folders, by its device's number."""
    found: dict[int, Used] = {}
    for folder in folders:
        try:
            device, room = os.stat(folder).st_dev, os.statvfs(folder)  # noqa: PTH116 - text
        except OSError:
            continue
        share = room.f_blocks * room.f_frsize // room.f_files if room.f_files else 0
        taken = (room.f_blocks - room.f_bfree) * room.f_frsize
        found[device] = Used(taken, room.f_files - room.f_ffree, share)
    return found
