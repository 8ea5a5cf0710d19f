"""What a tunnel lets through: nothing, until its first bytes say whom the client means, if they say so."""

from dataclasses import dataclass, field

from wand_hostagent.launcher.egress import hello
from wand_hostagent.launcher.egress.relay import ROOM_BYTES

# A TLS alert: fatal, unrecognized_name; the client says so in its own words.
ALERT = bytes([21, 3, 1, 0, 2, 2, 112])
_MOST_PARTS = 64  # each is looked at anew


class Mismatch(ValueError):
    """The client speaks TLS and means somebody else than it told us."""


@dataclass(slots=True)
class Greeting:
    """All bytes of a client, once the first are right; `host` is empty where any name will do."""

    host: str
    closes: bool = True
    wants_more: bool = True
    gulp_bytes: int = ROOM_BYTES
    _parts: int = 0
    _kept: bytearray = field(default_factory=bytearray)
    _is_right: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether something is held back."""
        return not self._is_right and bool(self._kept)

    def take(self, part: memoryview) -> bytes | memoryview:
        """What may go on.

        Raises:
            Mismatch: none of it.
        """
        if self._is_right:
            return part
        self._kept += part
        self._parts += bool(part)
        if self._parts > _MOST_PARTS:
            raise Mismatch("its first bytes come one by one")
        try:
            told = hello.read(bytes(self._kept))
        except hello.NotSo as error:
            raise Mismatch(f"what began as TLS is none: {error}") from error
        if not told.whole:
            return b""
        if self.host and told.name and told.name != self.host:
            raise Mismatch(f"the tunnel is to {self.host}, and TLS in it asks for {told.name[:253]}")
        self._is_right = True
        return bytes(self._kept)
