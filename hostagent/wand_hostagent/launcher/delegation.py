"""Which control group the launcher may divide, and what this machine counts in it.

That is the group that was named (`--cgroup`), the launcher's own where that was delegated to it (systemd's
`Delegate=yes`, or a group that belongs to the launcher's user), or `wand-jobs.slice` at the top.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.cgroup import Groups
from wand_hostagent.launcher.refusal import Refused, reason_of

SUMS = ("memory", "pids", "cpu")  # without one of these, a limit of a job is not held
_WANTED = (*SUMS, "io")
_SLICES = ("wand-jobs.slice", "wand-jobs")
_MARKS = ("user.delegate", "trusted.delegate")  # how systemd marks a group that it has delegated
_WEIGHT = "400"  # of the launcher, against 100 for all jobs together: it answers when they compute
_LEAF = "launcher"
_TIMES = 10  # that processes may be born in the group while it is emptied
_HOW = "set Delegate=yes in the launcher's unit, or name a group with --cgroup"


@dataclass(frozen=True, slots=True)
class Found:
    """The groups for jobs; None where there are none, and then why and what to do."""

    groups: Groups | None
    why: str


def find(told: str) -> Found:
    """The groups that jobs get; with `told`, that group and no other.

    Raises:
        Refused: the one that was named cannot be used.
    """
    if told:
        try:
            return _take(Path(told), is_own=_own_is(Path(told)))
        except _Unusable as trouble:
            hint = "name a folder of cgroup v2 that the launcher may write"
            raise Refused("Invalid", f"--cgroup {told}: {trouble}", hint=hint) from trouble
    why = ""
    for path, is_own in _candidates():
        try:
            return _take(path, is_own=is_own)
        except _Unusable as trouble:
            why = why or f"{path}: {trouble}"
    return Found(None, why or _why_none())


class _Unusable(Exception):
    """Why a group cannot be used."""


def _candidates() -> Iterator[tuple[Path, bool]]:
    mounted = _mounted()
    if mounted is None:
        return
    own = _own(*mounted)
    if own is not None and own.name == _LEAF and _is_delegated(own.parent):
        own = own.parent  # an earlier launcher has divided it, and put whoever starts us into the leaf
    if own is not None and _is_delegated(own):
        yield own, True
    yield from ((mounted[1] / name, False) for name in _SLICES if (mounted[1] / name).is_dir())


def _why_none() -> str:
    mounted = _mounted()
    if mounted is None:
        return "cgroup v2 is not mounted: boot with systemd.unified_cgroup_hierarchy=1"
    there = _words(mounted[1] / "cgroup.controllers")
    missing = [name for name in SUMS if name not in there]
    if missing:
        return f"cgroup v2 has no {', '.join(missing)} here: boot with systemd.unified_cgroup_hierarchy=1"
    return f"no control group was delegated to the launcher: {_HOW}"


# -- where things are ------------------------------------------------------------------------------------


def _mounted() -> tuple[str, Path] | None:
    """Which group is seen at the mount point of cgroup v2, and that point."""
    for words in map(str.split, Path("/proc/self/mountinfo").read_text().splitlines()):
        if words[words.index("-") + 1] == "cgroup2":
            return words[3], Path(words[4])
    return None


def _own(root: str, mounted: Path) -> Path | None:
    """The folder of the group that we are in; None where it is not below the mount point."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            with suppress(ValueError):
                return mounted / Path(line[3:]).relative_to(root)
    return None


def _own_is(path: Path) -> bool:
    mounted = _mounted()
    own = _own(*mounted) if mounted is not None else None
    return own is not None and own.exists() and path.exists() and own.samefile(path)


def _is_delegated(path: Path) -> bool:
    for mark in _MARKS:
        with suppress(OSError):
            if os.getxattr(path, mark) == b"1":
                return True
    with suppress(OSError):
        return os.geteuid() != 0 and path.stat().st_uid == os.geteuid()
    return False


# -- taking it -------------------------------------------------------------------------------------------


def _take(path: Path, *, is_own: bool) -> Found:
    """Divide this group, and see that a process can be born in a leaf.

    Raises:
        _Unusable: it cannot be divided.
    """
    if not (path / "cgroup.subtree_control").exists():
        raise _Unusable("is no group of cgroup v2")
    try:
        if is_own:
            _empty(path)
        _enable(path)
        with suppress(OSError):
            (path / _LEAF / "cpu.weight").write_text(_WEIGHT)
        jobs = path / "jobs"
        jobs.mkdir(exist_ok=True)
        _enable(jobs)
        if not (jobs / "cgroup.kill").exists():
            raise _Unusable("cannot be ended as a whole: Linux 5.14 or newer can")
        counted = _words(jobs / "cgroup.subtree_control") & set(_WANTED)
        descriptor = os.open(jobs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        groups = Groups(descriptor, frozenset(counted))
        _try(groups)
    except OSError as error:
        taken = error.errno in {errno.EWOULDBLOCK, errno.EAGAIN}
        raise _Unusable("another launcher has it" if taken else reason_of(error.errno or 0)) from error
    if not counted:
        raise _Unusable(f"nothing is counted in it: {_HOW}")
    missing = [name for name in SUMS if name not in counted]
    why = (
        f"{path} has no {', '.join(missing)}: boot with systemd.unified_cgroup_hierarchy=1" if missing else ""
    )
    return Found(groups, why)


def _empty(path: Path) -> None:
    """Put every process of the group into a leaf, ourselves among them."""
    leaf = path / _LEAF
    leaf.mkdir(exist_ok=True)
    for _ in range(_TIMES):
        pids = (path / "cgroup.procs").read_text().split()
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(pid)


def _enable(path: Path) -> None:
    """Have as much counted below as there is."""
    for name in _words(path / "cgroup.controllers") & set(_WANTED):
        with suppress(OSError):
            (path / "cgroup.subtree_control").write_text(f"+{name}")


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _try(groups: Groups) -> None:
    leaf = groups.leaf()
    try:
        pid, pidfd = syscalls.clone(0, leaf.descriptor)
        if pid == 0:
            os._exit(0)
        os.close(pidfd)
        os.waitpid(pid, 0)
    finally:
        leaf.remove()
