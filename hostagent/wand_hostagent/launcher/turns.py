"""How soon the launcher has its turn where others compute: it needs little at a time, and asks for no more.

The kernel lets wait who comes with a long turn before it: sched(7), sched_setattr(2). Whose turns are short
waits less for each, and has no more of them in all than others have. What the launcher starts has that from
it; a command goes back to turns as all have them.
"""

import ctypes
import os
import struct
from contextlib import suppress

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.step import Memory, Step, step

_NANOSECONDS = 100_000  # the least that the kernel takes
_FORM = struct.Struct("=IIQiIQQQ")  # sched_setattr(2): its size, policy, flags, nice, …, sched_runtime


def shorten() -> None:
    """Ask for short turns, where we are scheduled as most are; before Linux 6.12 that changes nothing."""
    if os.sched_getscheduler(0) == os.SCHED_OTHER:
        asked = ctypes.create_string_buffer(_attributes(_NANOSECONDS), _FORM.size)
        with suppress(OSError, KeyError):
            syscalls.call("sched_setattr", 0, ctypes.addressof(asked), 0)


def are_short() -> bool:
    """Whether that was heard."""
    told = ctypes.create_string_buffer(_FORM.size)
    with suppress(OSError, KeyError):
        syscalls.call("sched_getattr", 0, ctypes.addressof(told), _FORM.size, 0)
    return int(_FORM.unpack(told.raw)[5]) == _NANOSECONDS


def as_others(memory: Memory) -> Step:
    """Turns as all have them, for a command."""
    return step("sched_setattr", 0, memory.block(_attributes(0)), 0, shown="0, SCHED_OTHER, 0")


def _attributes(nanoseconds: int) -> bytes:
    return _FORM.pack(_FORM.size, os.SCHED_OTHER, 0, os.getpriority(os.PRIO_PROCESS, 0), 0, nanoseconds, 0, 0)
