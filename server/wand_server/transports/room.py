"""How many requests there may be at once, and how many of them large: what they hold of memory is bounded."""

from aiohttp import web

from wand_server.protocol.failures import BUSY
from wand_server.transports.replies import Refused

REQUESTS_CEILING = 2560  # two hundred sessions with ten calls each, and some
LARGE_CEILING = 32
LARGE_BYTES = 64 * 1024  # more than that, or a size that is not told, is large


class Room:
    """The requests that are being answered."""

    def __init__(self) -> None:
        self.running = 0
        self.large = 0
        self._places = Place(self, 0), Place(self, 1)

    def taken_by(self, request: web.BaseRequest) -> "Place":
        """Room for a request, until left.

        Raises:
            Refused: there is none.
        """
        length = request.content_length
        is_large = length is None or length > LARGE_BYTES
        if self.running >= REQUESTS_CEILING:
            raise _busy(f"{REQUESTS_CEILING} requests are running, which is the most at once")
        if is_large and self.large >= LARGE_CEILING:
            raise _busy(f"{LARGE_CEILING} requests over {LARGE_BYTES} bytes are running, the most at once")
        return self._places[is_large]


class Place:
    """The room of each request that has entered it, which has to be at once."""

    __slots__ = ("_large", "_room")

    def __init__(self, room: Room, large: int) -> None:
        self._room = room
        self._large = large

    def __enter__(self) -> None:
        self._room.running += 1
        self._room.large += self._large

    def __exit__(self, *_: object) -> None:
        self._room.running -= 1
        self._room.large -= self._large


def _busy(message: str) -> Refused:
    return Refused(429, message, code=BUSY, headers={"Retry-After": "1"})
