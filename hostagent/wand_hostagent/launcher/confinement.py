"""What a process takes from itself, and from all that it will ever start, in the box that stands around it.

An init that waits does it before there is a job, so that no command has to; elsewhere each command does.
What is left then is what a command still needs to become its user, and an init to end what is left of a job.
"""

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.step import Memory, Step, step
from wand_hostagent.launcher.walls import Walls

_CAPABILITY_VERSION_3 = 0x20080522
_KEPT = {5: "CAP_KILL", 6: "CAP_SETGID", 7: "CAP_SETUID"}
# What an init needs before it has confined itself. The launcher's unit bounds the launcher by the same.
NEEDED = {
    0: "CAP_CHOWN", 1: "CAP_DAC_OVERRIDE", **_KEPT, 8: "CAP_SETPCAP", 12: "CAP_NET_ADMIN",
    18: "CAP_SYS_CHROOT", 21: "CAP_SYS_ADMIN",
}  # fmt: skip
_EVERY = 2**64 - 1


def confine(
    walls: Walls, ruleset: int, memory: Memory, *, drop_capabilities: bool, bounds: int = _EVERY
) -> Iterator[Step]:
    """The steps; `ruleset` is the descriptor of the walls' own, already made.

    `bounds` is what the process is bounded by before; in a user namespace of its own that is everything.
    """
    if drop_capabilities:
        for capability in range(last_capability() + 1):
            if bounds & 1 << capability:
                shown = f"PR_CAPBSET_DROP, {capability}"
                yield step("prctl", syscalls.PR_CAPBSET_DROP, capability, shown=shown)
        clear = (syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
        yield step("prctl", *clear, shown="PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL")
        yield _capabilities(memory, _own() & sum(1 << number for number in _KEPT))
    yield step("prctl", syscalls.PR_SET_NO_NEW_PRIVS, 1, shown="PR_SET_NO_NEW_PRIVS, 1")
    if walls.ruleset is not None:
        yield step("landlock_restrict_self", ruleset, 0, shown="ruleset, 0")
    default = memory.numbers(0, 0, 0, 0)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two
        yield step("rt_sigaction", ignored, default, 0, 8, shown=f"{ignored.name}, SIG_DFL, 0, 8")
    yield from walls.filters


def bound() -> None:
    """Let nothing that is started here have what no init needs: then no init has to drop it for itself."""
    for capability in range(last_capability() + 1):
        if capability not in NEEDED:
            with suppress(OSError):  # who may not drop it has it in no bounds that count
                syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)


def bounds() -> int:
    """What bounds the launcher, and what it starts in its own user namespace; if unread, everything."""
    return _told("CapBnd:") or _EVERY


def no_capabilities(memory: Memory) -> Step:
    """The last of them goes when a command has become its user."""
    return _capabilities(memory, 0)


def last_capability() -> int:
    """The highest capability that this kernel knows."""
    try:
        return int(Path("/proc/sys/kernel/cap_last_cap").read_text("ascii"))
    except (OSError, ValueError):
        return 40


def _capabilities(memory: Memory, kept: int) -> Step:
    """Keep these as permitted and effective ones."""
    header = memory.numbers(_CAPABILITY_VERSION_3, 0)
    wanted = memory.numbers(kept | kept << 32, 0, 0)
    told = "|".join(name for number, name in _KEPT.items() if kept & 1 << number) or "none"
    return step("capset", header, wanted, shown=f"{{_LINUX_CAPABILITY_VERSION_3, 0}}, {told}")


def _own() -> int:
    """The capabilities that the launcher has itself: nobody can keep more."""
    return _told("CapPrm:")


def _told(name: str) -> int:
    """A set of capabilities in proc(5)."""
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith(name):
            return int(line.split()[1], 16)
    return 0
