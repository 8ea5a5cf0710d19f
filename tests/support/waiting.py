"""Waiting, always with a bound, for what other tasks and processes bring about."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until it is true; a TimeoutError where it never is."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for may be in another process
            await asyncio.sleep(0.002)


def open_files() -> set[str]:
    """Every descriptor of this process with what it leads to, those of garbage not counted.

    What is there later and was not before is left over; others, such as gRPC, may close theirs meanwhile.
    """
    gc.collect()
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one by which they are listed
            found.add(f"{one.name} {one.readlink()}")
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process, one that only waits to be reaped not counted."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


@contextlib.asynccontextmanager
async def turns() -> AsyncIterator[list[int]]:
    """How many turns others have had in this event loop so far, in the only place of the list."""
    had = [0]

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            had[0] += 1

    counting = asyncio.create_task(count())
    try:
        yield had
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
