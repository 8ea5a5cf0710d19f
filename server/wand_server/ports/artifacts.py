"""Files that are kept for callers, for a while: results too large for an answer, and what tasks leave."""

from dataclasses import dataclass
from typing import Protocol

EVERYONE = "everyone"  # beside owners: something shared with whoever may call


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file by its digest, as one owner has it; times are seconds of the Unix clock."""

    digest: str  # SHA-256 of its bytes, in hexadecimal
    name: str
    mime_type: str
    total_bytes: int
    made: float
    expires: float
    shared_by: str = ""  # the owner who lets this one read it; empty where it is their own

    @property
    def uri(self) -> str:
        """Where a client reads it."""
        return f"wand://artifacts/{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """What is to be kept."""

    data: bytes
    name: str
    mime_type: str = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPart:
    """Some of its bytes, from `offset` on."""

    artifact: Artifact
    data: bytes
    offset: int


class Artifacts(Protocol):
    """Where they are kept. An owner is a `Principal.owner`, and sees what is theirs or shared with them."""

    async def keep(self, owner: str, new: NewArtifact) -> Artifact:
        """Keep it; where the owner has no room left, their oldest go.

        Raises:
            Exhausted: it is too large, or there is no room for it.
            Unavailable: it cannot be written.
        """
        ...

    async def find(self, owner: str, digest: str) -> Artifact:
        """What is known of it.

        Raises:
            NotFound: this owner has none of that digest, or no longer.
        """
        ...

    async def read(self, owner: str, digest: str, part: tuple[int, int]) -> ArtifactPart:
        """Some of it; `part` is (offset, most bytes).

        Raises:
            NotFound: this owner has none of that digest, or no longer.
            Broken: its file is not as it was written.
        """
        ...

    async def listed(self, owner: str) -> tuple[Artifact, ...]:
        """All that this owner has, the newest first."""
        ...

    async def share(self, owner: str, digest: str, reader: str) -> Artifact:
        """Let another owner, or EVERYONE, read it as long as it is kept.

        Raises:
            NotFound: it is not this owner's.
        """
        ...

    async def remove(self, owner: str, digest: str) -> None:
        """Keep it for this owner no more; and where it was theirs, for nobody whom they let read it.

        Raises:
            NotFound: this owner has none of that digest.
        """
        ...
