"""What is kept of all streams of one principal, in all its sessions, for clients that come back."""

from collections.abc import Callable, Hashable

BYTES_CEILING = 64 * 1024 * 1024


class Share:
    """How much that is; beyond the ceiling streams that have ended go, the oldest first."""

    __slots__ = ("__weakref__", "_ended", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        self._ended: dict[Hashable, Callable[[], None]] = {}

    @property
    def is_full(self) -> bool:
        return self.size_bytes > BYTES_CEILING

    def add(self, size_bytes: int) -> None:
        """Count what is kept from now on, or, below zero, no more."""
        self.size_bytes += size_bytes
        while self.size_bytes > BYTES_CEILING and len(self._ended) > 1:
            self._ended.pop(next(iter(self._ended)))()

    def note_ended(self, stream: Hashable, forget: Callable[[], None]) -> None:
        """Note a stream that nothing is added to any more, and how it is forgotten."""
        self._ended[stream] = forget

    def leave(self, stream: Hashable, size_bytes: int) -> None:
        """Count a stream no more."""
        self._ended.pop(stream, None)
        self.size_bytes -= size_bytes
