"""How long a pattern may take over one file or name: a second or two of a processor, whatever all take."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from wand_hostagent.filesystem.refusal import Refused

STEP_SECONDS = 1.0  # of a processor, so that a busy machine refuses nothing


@contextmanager
def stepping(step: Callable[[], tuple[int, str]]) -> Iterator[None]:
    """Raise Refused in the middle of a step that is still the same a second later.

    `step` tells which it is, and what it looks at: nothing where it lies between two.
    """
    seen = step()[0]

    def look(_signal: int, _frame: FrameType | None) -> None:
        nonlocal seen
        number, where = step()
        if number == seen and where:
            message = f"takes more than {STEP_SECONDS:g} second over {where} alone"
            hint = "write it without repeats in repeats, such as (a+)+, set `literal`, or leave that file out"
            raise Refused("TimedOut", message, hint=hint, field="pattern")
        seen = number

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, STEP_SECONDS, STEP_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
