"""What a job may use: the lower of the profile's word and the caller's, and what the kernel keeps of it.

RLIMIT_AS is not used for memory: it breaks every program that reserves address space (Go, Java, Node).
RLIMIT_DATA counts what a process can write to and has not shared, of each process by itself.
RLIMIT_NPROC counts all processes of a user on this host, so it is set only where the user is the job's
alone (run_as), or where the job has a user namespace of its own; root is not held by it.
"""

import math
import resource
from collections.abc import Mapping
from contextlib import suppress

from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.protocol import LIMIT_NAMES

_WHOLE = LIMIT_NAMES - {"wall_seconds", "cpu_seconds"}
_RESOURCES = {
    "cpu_seconds": resource.RLIMIT_CPU,
    "memory_bytes": resource.RLIMIT_DATA,
    "open_files": resource.RLIMIT_NOFILE,
    "file_size_bytes": resource.RLIMIT_FSIZE,
    "processes": resource.RLIMIT_NPROC,
}
_NO_CORE = 1  # nor one for a program that the kernel starts as root: those get theirs where it is 0, core(5)
_HELD = {"memory": "memory_bytes", "pids": "processes"}


def granted(profile: Profile, asked: Mapping[str, float]) -> dict[str, float]:
    """The limits of a job, each the lower of the two."""
    lower = dict(profile.limits)
    for name, amount in asked.items():
        lower[name] = min(amount, lower.get(name, amount))
    return {name: max(1, int(amount)) if name in _WHOLE else amount for name, amount in lower.items()}


def for_kernel(
    limits: Mapping[str, float], *, counted: bool, beside: int, open_files: int, sums: frozenset[str]
) -> dict[int, tuple[int, int]]:
    """Soft and hard value of each resource limit, none above what the launcher itself has.

    What control groups hold for the whole job (`sums`) is not held for each process besides: a process may
    reserve what it does not use, and a user's other jobs are not this one's.

    Processes are limited where they are `counted` for this job or its user alone; `beside` of those counted
    are not the job's. `open_files` is the soft limit that the launcher was started with; it raises its own.
    """
    wanted = {resource.RLIMIT_CORE: (_NO_CORE, _NO_CORE)}
    wanted[resource.RLIMIT_NOFILE] = (open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    held = {name for controller, name in _HELD.items() if controller in sums}
    for name, number in _RESOURCES.items():
        if name in limits and name not in held and (name != "processes" or counted):
            amount = math.ceil(limits[name]) + beside * (name == "processes")
            # one second between SIGXCPU, which a program may catch, and SIGKILL
            wanted[number] = (amount, amount + (number == resource.RLIMIT_CPU))
    return {number: _clamped(number, *pair) for number, pair in wanted.items()}


def _clamped(number: int, soft: int, hard: int) -> tuple[int, int]:
    most = resource.getrlimit(number)[1]
    if most == resource.RLIM_INFINITY:
        return soft, hard
    return min(soft, most), min(hard, most)


def free_from_cores() -> None:
    """Let jobs have the limit that keeps every core away, where the launcher was started with none at all."""
    with suppress(ValueError):  # then theirs is 0, too
        resource.setrlimit(resource.RLIMIT_CORE, (_NO_CORE, _NO_CORE))


def raise_open_files() -> int:
    """Let the launcher hold as many descriptors as it may; the soft limit from before comes back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft
