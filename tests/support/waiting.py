"""Waiting, always with a bound, for what other tasks and processes bring about."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until it is true; a TimeoutError where it never is."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for may be in another process
            await asyncio.sleep(0.002)


def descriptors() -> int:
    """How many descriptors this process has open, those of garbage not counted."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def is_alive(pid: int) -> bool:
    """Whether there is such a process, one that only waits to be reaped not counted."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}
