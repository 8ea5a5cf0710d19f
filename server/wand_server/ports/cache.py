"""Where answers are kept for a while; they may be gone at any moment."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where something is kept: of what, and for whom. Nobody gets what was kept for another."""

    area: str  # "integrations/…", "tools"
    owner: str  # `Principal.owner`


class Cache(Protocol):
    """Bytes by name, each for so many seconds at most. What cannot be kept is not, and nothing is raised."""

    async def get(self, shelf: Shelf, key: str) -> bytes | None:
        """What was put there, if it still is."""
        ...

    async def put(self, shelf: Shelf, key: str, value: bytes, seconds: float) -> None:
        """Keep it in place of what was there."""
        ...

    async def forget(self, shelf: Shelf) -> None:
        """Keep nothing of that shelf any more."""
        ...
