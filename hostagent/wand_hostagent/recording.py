"""When a terminal showed what: lines beside its spooled output, from which a recording is played back.

12.345 o 4096       the stream went on from byte 4096 so many seconds after the start
13.000 r 132x43     the terminal has had this size since
"""

import time
from collections.abc import Iterator

from wand_hostagent.model import Size
from wand_hostagent.spool import Spool

BETWEEN_SECONDS = 0.01  # what a terminal shows within this time is one moment: a bound on what times take
_READ_BYTES = 256 * 1024


class Recording:
    """The times of one terminal, and the size that it has now."""

    def __init__(self, spool: Spool, size: Size, began_unix_seconds: float) -> None:
        self.spool = spool
        self.size = size
        self._began = began_unix_seconds
        self._newest = -1.0

    def begin(self) -> None:
        """It begins with this size."""
        self._add(f"r {self.size[0]}x{self.size[1]}")

    def resized(self, size: Size) -> None:
        """The terminal has another size."""
        self.size = size
        self._add(f"r {size[0]}x{size[1]}")

    def shown(self, offset: int) -> None:
        """The stream goes on from there now."""
        if self._elapsed() >= self._newest + BETWEEN_SECONDS:
            self._add(f"o {offset}")
            self._newest = self._elapsed()

    def _add(self, what: str) -> None:
        self.spool.append(f"{self._elapsed():.3f} {what}\n".encode())

    def _elapsed(self) -> float:
        return max(time.time() - self._began, self._newest, 0.0)  # a clock that is set back stands still


def taken_up(spool: Spool, began_unix_seconds: float) -> Recording | None:
    """The recording that an earlier host agent has left; None where the job has no terminal."""
    spool.take_up(0)
    size = None
    for line in _lines(spool):
        size = _size(line) or size
    return Recording(spool, size, began_unix_seconds) if size else None


def _lines(spool: Spool) -> Iterator[str]:
    offset, rest = 0, b""
    while part := spool.read(offset, _READ_BYTES)[1]:
        offset += len(part)
        *lines, rest = (rest + part).split(b"\n")
        yield from (line.decode("ascii", "replace") for line in lines)


def _size(line: str) -> Size | None:
    _, is_size, text = line.partition(" r ")
    columns, _, rows = text.partition("x")
    return (int(columns), int(rows)) if is_size and columns.isdecimal() and rows.isdecimal() else None
