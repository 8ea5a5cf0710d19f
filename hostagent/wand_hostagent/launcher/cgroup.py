"""Control groups (cgroup v2): what the processes of a job may use together, and what they used.

A job has a leaf of its own, into which its first process is born (CLONE_INTO_CGROUP): a process that is moved
waits for milliseconds, and one that starts outside could be elsewhere before. Below the group that was given
to the launcher lie

    launcher    the launcher, and whoever else was in that group: a group with processes can give no shares
    jobs/N      the leaves; they can be made before it is known for which job

`delegation.py` finds that group. Leaves of an earlier launcher are ended and removed before the first job.
"""

import errno
import fcntl
import itertools
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

from wand_hostagent.launcher import log
from wand_hostagent.launcher.ends import Usage

_PERIOD = 100_000  # microseconds, of cpu.max
_NO_LIMIT = "max"
_SWEEP_SECONDS = 5.0
_LOCK_SECONDS = 2.0  # copies of a launcher that is dead may live a moment longer
_FILE_BYTES = 65536
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# File systems that tell the group of a job what they write for it, later, to the disk.
_TELLING = frozenset({"ext4", "xfs", "btrfs", "f2fs"})


class Leaf:
    """The group of one job; `descriptor` is what clone3(2) takes."""

    def __init__(self, groups: "Groups", name: str) -> None:
        self._groups = groups
        self.name = name
        self._written: dict[str, str] = {}
        os.mkdir(name, 0o755, dir_fd=groups.descriptor)
        self.descriptor = os.open(name, _FLAGS, dir_fd=groups.descriptor)
        try:
            if "memory" in groups.counted:
                _write(self.descriptor, "memory.oom.group", "1")  # a job without one of its processes is none
        except OSError:
            os.close(self.descriptor)
            raise

    def limit(self, limits: Mapping[str, float]) -> None:
        """Hold the job to these, as far as they are counted here; what is not limited is free."""
        for name, text in _files(limits, self._groups.counted).items():
            if self._written.get(name, _NO_LIMIT) == text:
                continue
            with suppress(FileNotFoundError) if name == "memory.swap.max" else nullcontext():
                _write(self.descriptor, name, text)  # without swap there is nothing to limit
            self._written[name] = text

    def usage(self, known: Usage) -> Usage:
        """What its processes used and ran into; what this kernel does not count is as it is `known`."""
        try:
            return Usage(
                cpu_seconds=self._numbers("cpu.stat").get("usage_usec", 0) / 1e6 or known.cpu_seconds,
                peak_memory_bytes=_number(self.descriptor, "memory.peak") or known.peak_memory_bytes,
                out_of_memory=self._numbers("memory.events").get("oom_kill", 0) > 0,
                process_limit=self._numbers("pids.events").get("max", 0) > 0,
            )
        except OSError as error:
            log.write("warning", "usage unknown", group=self.name, why=str(error))
            return known

    def cpu_seconds(self) -> float:
        """What its processes have used.

        Raises:
            OSError: nobody knows, which is not the same as none.
        """
        told = self._numbers("cpu.stat")
        if "usage_usec" not in told:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        return told["usage_usec"] / 1e6

    def has_written(self, amount: int, devices: frozenset[int]) -> bool:
        """Whether so much on these devices can be the job's; true where that cannot be known."""
        try:
            if not {"io", "memory"} <= self._groups.counted or not _all_tell(devices):
                return True
            words = _read(self.descriptor, "io.stat").split()
            memory = self._numbers("memory.stat")
        except OSError:
            return True
        if not {"file_dirty", "file_writeback"} <= memory.keys():
            return True
        written = sum(int(word[7:]) for word in words if word.startswith("wbytes="))
        return written + memory["file_dirty"] + memory["file_writeback"] >= amount

    def kill(self) -> bool:
        """End every process in it; false where the kernel was not even told."""
        try:
            _write(self.descriptor, "cgroup.kill", "1")
        except OSError as error:
            log.write("error", "group not ended", group=self.name, why=str(error))
            return False
        return True

    def remove(self) -> None:
        """Its processes are gone, so it can go; where the kernel is not that far, soon."""
        os.close(self.descriptor)
        self._groups.remove(self.name)

    def _numbers(self, name: str) -> dict[str, int]:
        pairs = (line.split() for line in _read(self.descriptor, name).splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


class Groups:
    """All leaves; `counted` are the controllers that they have."""

    def __init__(self, descriptor: int, counted: frozenset[str]) -> None:
        """Take over the folder of leaves.

        Raises:
            OSError: another launcher has it (EWOULDBLOCK), or what is in it does not end.
        """
        self.descriptor = descriptor
        self.counted = counted
        self._names = map(str, itertools.count(1))
        self._left: list[str] = []  # that could not be removed yet
        _lock(descriptor)
        self.swept = self._sweep()

    def leaf(self, limits: Mapping[str, float] | None = None) -> Leaf:
        """A new group for one job.

        Raises:
            OSError: the kernel makes none, or does not take a limit.
        """
        for name in tuple(self._left):
            self.remove(name)
        name = next(self._names)
        try:
            leaf = Leaf(self, name)
        except OSError:
            self.remove(name)
            raise
        try:
            leaf.limit(limits or {})
        except OSError:
            leaf.remove()
            raise
        return leaf

    def remove(self, name: str) -> None:
        """Remove the leaf of that name, now or before the next one is made."""
        with suppress(ValueError):
            self._left.remove(name)
        try:
            os.rmdir(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return
        except OSError:
            self._left.append(name)

    def _sweep(self) -> int:
        """End what an earlier launcher has left; how many groups with processes that were."""
        old = [entry for entry in os.listdir(self.descriptor) if entry.isdigit()]  # noqa: PTH208
        living = sum(_populated(self.descriptor, name) for name in old)
        if living:
            _write(self.descriptor, "cgroup.kill", "1")
        give_up = time.monotonic() + _SWEEP_SECONDS
        while any(_populated(self.descriptor, name) for name in old):
            if time.monotonic() > give_up:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            time.sleep(0.002)
        for name in old:
            self.remove(name)
        return living


def _files(limits: Mapping[str, float], counted: frozenset[str]) -> dict[str, str]:
    """What each file of a leaf has to say for these limits."""
    memory, processes, percent = (limits.get(name) for name in ("memory_bytes", "processes", "cpu_percent"))
    wanted = {
        "memory.max": _NO_LIMIT if memory is None else str(int(memory)),
        "memory.swap.max": _NO_LIMIT if memory is None else "0",
        "pids.max": _NO_LIMIT if processes is None else str(int(processes) + 1),  # its init is one more
        "cpu.max": _NO_LIMIT if percent is None else f"{int(percent * _PERIOD / 100)} {_PERIOD}",
    }
    return {name: text for name, text in wanted.items() if name.partition(".")[0] in counted}


def _all_tell(devices: frozenset[int]) -> bool:
    """Whether what lies on all of these tells who has written."""
    kinds: dict[int, str] = {}
    for words in map(str.split, Path("/proc/self/mountinfo").read_text().splitlines()):
        major, _, minor = words[2].partition(":")
        kinds[os.makedev(int(major), int(minor))] = words[words.index("-") + 1]
    return all(kinds.get(device) in _TELLING for device in devices)


def _lock(descriptor: int) -> None:
    """Have the folder for ourselves."""
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _populated(folder: int, name: str) -> bool:
    return "populated 1" in _read(folder, f"{name}/cgroup.events")


def _number(folder: int, name: str) -> int:
    text = _read(folder, name).strip()
    return int(text) if text.isdigit() else 0


def _read(folder: int, name: str) -> str:
    """What a file of a group says; nothing where this kernel has no such file, or the group is going.

    Raises:
        OSError: it cannot be read now, as where no descriptor is left: what it says is unknown.
    """
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    try:
        return os.read(descriptor, _FILE_BYTES).decode("ascii", "replace")
    except OSError as error:
        if error.errno == errno.ENODEV:
            return ""
        raise
    finally:
        os.close(descriptor)


def _write(folder: int, name: str, text: str) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
