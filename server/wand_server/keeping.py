"""What is kept for callers: built from the settings, and handed to the tools and resources that use it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from wand_server.memory.artifacts import ArtifactFolder, Quotas
from wand_server.memory.cache import InMemoryCache
from wand_server.ports import Artifacts, Cache
from wand_server.settings import Settings
from wand_server.tools.artifacts import ArtifactResources, ReadFileEntry
from wand_server.tools.kept import KeptResults
from wand_server.tools.large import Large
from wand_server.tools.registry import Around, Entry
from wand_server.tools.resources import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The cache and the files, open."""

    cache: Cache
    artifacts: Artifacts

    def entries(self) -> tuple[Entry, ...]:
        """The tools that work with them."""
        return (ReadFileEntry(self.artifacts),)

    def around(self) -> Around:
        """Where results are kept."""
        return Around(kept=KeptResults(self.cache), large=Large(self.artifacts))

    def rooms(self) -> dict[str, Room]:
        """The resources of them."""
        return {"artifacts": ArtifactResources(self.artifacts)}


@contextlib.asynccontextmanager
async def opened(read: Settings) -> AsyncIterator[Keeping]:
    """All of it, while entered."""
    yield Keeping(
        cache=InMemoryCache(read.cache.most_bytes),
        artifacts=artifact_folder(read),
    )


def artifact_folder(read: Settings) -> ArtifactFolder:
    """Where files are kept; it makes nothing before something is."""
    given = read.artifacts
    quotas = Quotas(
        in_all=given.most_bytes,
        of_one=given.most_bytes_of_one,
        each=given.most_bytes_each,
        seconds=given.keep_seconds,
    )
    return ArtifactFolder(read.artifacts_folder, quotas)
