"""Freed memory goes back to the system; glibc keeps what lies between things that stay, and that adds up."""

import asyncio
import contextlib
import ctypes
from collections.abc import AsyncIterator

_EVERY_SECONDS = 30.0


def trim() -> None:
    """Give back every page of the heap in which nothing lies (malloc_trim(3)): a few milliseconds at most."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.asynccontextmanager
async def trimmed() -> AsyncIterator[None]:
    """Trim now, when all has been loaded, and again and again while entered."""
    task = asyncio.create_task(_trim_again_and_again(), name="trim")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _trim_again_and_again() -> None:
    while True:
        trim()
        await asyncio.sleep(_EVERY_SECONDS)
