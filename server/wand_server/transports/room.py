"""How many requests there may be at once, and how many of them large: what they hold of memory is bounded."""

import contextlib
from collections.abc import Iterator

from aiohttp import web

from wand_server.protocol.failures import BUSY
from wand_server.transports.replies import Refused

REQUESTS_CEILING = 2560  # two hundred sessions with ten calls each, and some
LARGE_CEILING = 32
LARGE_BYTES = 64 * 1024  # more than that, or a size that is not told, is large


class Room:
    """The requests that are being answered."""

    def __init__(self) -> None:
        self._running = 0
        self._large = 0

    @contextlib.contextmanager
    def taken_by(self, request: web.BaseRequest) -> Iterator[None]:
        """Room for a request, until left.

        Raises:
            Refused: there is none.
        """
        large = int(request.content_length is None or request.content_length > LARGE_BYTES)
        if self._running >= REQUESTS_CEILING:
            raise _busy(f"{REQUESTS_CEILING} requests are running, which is the most at once")
        if large and self._large >= LARGE_CEILING:
            raise _busy(f"{LARGE_CEILING} requests over {LARGE_BYTES} bytes are running, the most at once")
        self._running += 1
        self._large += large
        try:
            yield
        finally:
            self._running -= 1
            self._large -= large


def _busy(message: str) -> Refused:
    return Refused(429, message, code=BUSY, headers={"Retry-After": "1"})
