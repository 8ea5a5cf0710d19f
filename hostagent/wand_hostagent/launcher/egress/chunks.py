"""A body that comes in chunks (RFC 9112, 7.1), read as strictly as the head, so that it has one reading.

A chunk is its size in digits of base 16, and its bytes; no extensions, no trailers. So what goes on is what
came, and ends where both sides see its end.
"""

import re
from dataclasses import dataclass, field

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_LINE_BYTES = 17  # of a size, its end included
_STEPS = 200  # that may be taken at a time, about: others wait meanwhile
_FEWEST_BYTES, _MOST_BYTES = 256, 32 * 1024


class NotChunked(ValueError):
    """What should be chunks is none; nothing more of it goes on."""


@dataclass(slots=True)
class Chunks:
    """All chunks up to the last one, and nothing that comes after it."""

    closes: bool = False
    wants_more: bool = True
    gulp_bytes: int = 4096  # less where they are small: each costs as much as a large one
    _left: int = 0  # bytes of the chunk
    _line: bytearray = field(default_factory=bytearray)
    _is_end: bool = False  # the line is the one that follows a chunk, or the last size
    _is_last: bool = False

    def take(self, part: memoryview) -> memoryview:
        """What may go on.

        Raises:
            NotChunked: it is not written as chunks are.
        """
        at = steps = 0
        while at < len(part) and self.wants_more:
            at += self._content(part[at:]) if self._left else self._line_of(part[at:])
            steps += 1
        few = steps <= _STEPS
        self.gulp_bytes = (
            min(_MOST_BYTES, 2 * self.gulp_bytes) if few else max(_FEWEST_BYTES, self.gulp_bytes // 8)
        )
        return part[:at]

    def _content(self, part: memoryview) -> int:
        taken = min(self._left, len(part))
        self._left -= taken
        return taken

    def _line_of(self, part: memoryview) -> int:
        start = bytes(part[: _LINE_BYTES - len(self._line)])
        end = start.find(b"\n") + 1 or len(start)
        self._line += start[:end]
        if self._line.endswith(b"\n"):
            line, self._line = bytes(self._line), bytearray()
            self._read(line)
        elif len(self._line) >= _LINE_BYTES:
            raise NotChunked("the size of a chunk must stand alone on its line")
        return end

    def _read(self, line: bytes) -> None:
        if self._is_end:
            if line != b"\r\n":
                raise NotChunked("a chunk does not end where its size says, or a trailer follows")
            self._is_end, self.wants_more = False, not self._is_last
            return
        found = _SIZE.fullmatch(line)
        if found is None:
            raise NotChunked("the size of a chunk must stand alone on its line")
        self._left = int(found[1], 16)
        self._is_end, self._is_last = True, not self._left
