"""What gRPC's core writes to descriptor 2, as lines of our log: it alone knows of failed handshakes."""

import asyncio
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_log = logging.getLogger("wand.hostagent.core")
_LINE = re.compile(r"([IWEF])\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] (.*)")  # as Abseil writes them
_LEVELS = {"I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR, "F": logging.CRITICAL}
_REFUSED = "Handshake failed with error "
_MOST_BYTES = 64 * 1024


@contextmanager
def own_stderr() -> Iterator[None]:
    """Give `sys.stderr` a descriptor of its own, so that what others write to 2 can be told from it."""
    before = sys.stderr
    with open(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace") as own:  # noqa: PTH123 - a descriptor
        sys.stderr = own
        try:
            yield
        finally:
            sys.stderr = before


@contextmanager
def gathered() -> Iterator[None]:
    """While this is open, what is written to descriptor 2 is logged by the running loop."""
    loop, kept = asyncio.get_running_loop(), os.dup(2)
    ours, its = os.pipe2(
        os.O_CLOEXEC | os.O_NONBLOCK
    )  # where nobody reads in time a line is lost: none may wait
    os.dup2(its, 2)
    os.close(its)
    loop.add_reader(ours, _read, ours)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        loop.remove_reader(ours)
        _read(ours)
        os.close(ours)
        os.close(kept)


def _read(descriptor: int) -> None:
    with suppress(BlockingIOError):
        for line in os.read(descriptor, _MOST_BYTES).decode(errors="backslashreplace").splitlines():
            tell(line)


def tell(line: str) -> None:
    """Log one foreign line."""
    found = _LINE.fullmatch(line)
    level, text = (_LEVELS[found[1]], found[2]) if found else (logging.INFO, line)
    if text.startswith(_REFUSED):
        _log.warning("peer refused", extra={"uri": "", "why": text.removeprefix(_REFUSED)})
    elif text.strip():
        _log.log(level, "gRPC says", extra={"text": text})
