"""Frames of WebSocket clients, which must be masked (RFC 6455, 5.1); one that is not ends the connection.

aiohttp reads them masked or not. So this looks at the head of each frame before, and hands on what is right.
"""

from typing import Protocol

_MASKED, _LENGTH = 0x80, 0x7F
_HEAD_BYTES, _MASK_BYTES = 2, 4
_LONGER = {126: 2, 127: 8}  # bytes of the length that follow, where the head has no room for it
_WRONG = b"\xf0\x80"  # a head with reserved bits: whoever reads it closes with 1002, as is right here


class Reader(Protocol):
    """What reads frames, as aiohttp has it."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


class Masked:
    """Reads frames by `reader`, as long as each is masked."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ahead = 0  # bytes of a frame that are yet to come
        self._head = b""  # of the next, as far as it has come

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Hand on what has come, but for a head that is not whole yet."""
        data = self._head + data if self._head else data
        place, size = self._ahead, len(data)
        while size - place >= _HEAD_BYTES:
            told = data[place + 1]
            if not told & _MASKED:
                return self._reader.feed_data(data[:place] + _WRONG)
            length = told & _LENGTH
            if more := _LONGER.get(length, 0):
                if size - place < _HEAD_BYTES + more:
                    break
                length = int.from_bytes(data[place + _HEAD_BYTES : place + _HEAD_BYTES + more])
            place += _HEAD_BYTES + more + _MASK_BYTES + length
        self._ahead = max(place - size, 0)
        self._head = data[place:]
        if place == 0:
            return False, b""
        return self._reader.feed_data(data[:place] if place < size else data)
