"""What is kept for callers: built from the settings, and handed to the tools and resources that use it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from urllib.parse import urlsplit

from wand_proto.errors import Invalid, WandError
from wand_server.integrations.kit.secrets import Sources
from wand_server.memory import arrays, tables
from wand_server.memory.artifacts import ArtifactFolder, Quotas
from wand_server.memory.cache import InMemoryCache
from wand_server.memory.embeddings.local import MiniLm
from wand_server.memory.embeddings.services import Ollama, OpenAI
from wand_server.memory.meaning import ByMeaning
from wand_server.memory.notes import Bounds, Notes
from wand_server.memory.provenance import Seen
from wand_server.ports import Artifacts, Cache, Embeddings, Meaning, Memory, Wake
from wand_server.settings import Settings
from wand_server.storage.asking import Engine
from wand_server.storage.sqlite import SqliteEngine
from wand_server.tools import memory
from wand_server.tools.artifacts import ArtifactResources, ReadFileEntry
from wand_server.tools.kept import KeptResults
from wand_server.tools.large import Large
from wand_server.tools.registry import Around, Entry
from wand_server.tools.resources import Room

_URLS = {"openai": "https://api.openai.com/v1", "ollama": "http://127.0.0.1:11434"}
_MODELS = {"openai": "text-embedding-3-small", "ollama": "nomic-embed-text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The cache, the files and the notes."""

    cache: Cache
    artifacts: Artifacts
    memory: Memory | None  # None: switched off
    meaning: Meaning | None  # None: no embeddings are set up, or nothing compares them
    seen: Seen

    def entries(self) -> tuple[Entry, ...]:
        """The tools that work with them."""
        notes = memory.entries(self.memory) if self.memory is not None else ()
        return (ReadFileEntry(self.artifacts), *notes)

    def around(self) -> Around:
        """Where results are kept."""
        told = self.seen.told if self.memory is not None else None
        return Around(kept=KeptResults(self.cache), large=Large(self.artifacts), told=told)

    def rooms(self) -> dict[str, Room]:
        """The resources of them."""
        return {"artifacts": ArtifactResources(self.artifacts)}


@contextlib.asynccontextmanager
async def opened(read: Settings) -> AsyncIterator[Keeping]:
    """All of it, while entered; a database is opened when it is first asked.

    Raises:
        WandError: what makes embeddings cannot be used as the settings say.
    """
    async with contextlib.AsyncExitStack() as parts:
        seen = Seen()
        embeddings = _embeddings(read) if read.memory.enabled else None
        yield Keeping(
            cache=InMemoryCache(read.cache.most_bytes),
            artifacts=artifact_folder(read),
            memory=_notes(read, seen, embeddings, parts) if read.memory.enabled else None,
            meaning=_meaning(read, embeddings, parts),
            seen=seen,
        )


async def summary(read: Settings) -> str:
    """Where notes are, and by what they are found, in words; nothing is changed.

    Raises:
        WandError: what makes embeddings cannot be used as the settings say.
    """
    if not read.memory.enabled:
        return "switched off"
    where = read.memory_file or (read.memory.database or read.tasks.database)
    embeddings = _embeddings(read)
    if embeddings is None:
        return f"in {where}, found by words alone"
    try:
        await embeddings.embed(["Good morning"])
    except WandError as why:
        return f"in {where}, found by words alone: {why.message}"
    finally:
        await embeddings.close()
    return f"in {where}, found by words and by meaning: {embeddings.model} answers"


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


def _meaning(
    read: Settings, embeddings: Embeddings | None, parts: contextlib.AsyncExitStack
) -> Meaning | None:
    if embeddings is None or arrays.missing():
        return None
    meaning = ByMeaning(embeddings, read.meaning_file)
    parts.push_async_callback(meaning.close)
    return meaning


def _notes(
    read: Settings, seen: Seen, embeddings: Embeddings | None, parts: contextlib.AsyncExitStack
) -> Notes:
    given = read.memory
    bounds = Bounds(notes=given.most_notes, note_bytes=given.most_note_bytes, shared_by=given.shared_by)
    notes = Notes(partial(_engine, read, parts), bounds, embeddings, seen)
    parts.push_async_callback(notes.close)
    return notes


async def _engine(read: Settings, parts: contextlib.AsyncExitStack) -> Engine:
    """The database of notes, open until the end."""
    path = read.memory_file
    if path is not None:
        steps = {tables.PART: tables.STEPS["sqlite"]}
        return await parts.enter_async_context(SqliteEngine(path, _nobody_waits, parts=steps))
    url, given, field = read.memory.database, read.memory.database_password, "memory.database_password"
    if not url:
        url, given, field = read.tasks.database, read.tasks.password, "tasks.password"
    password = Sources().read(given, field) if given else ""
    postgres = import_module("wand_server.storage.postgres")  # the driver is loaded where it is used alone
    engine: AbstractAsyncContextManager[Engine] = postgres.PostgresEngine(
        postgres.Address(url=url, password=password),
        _nobody_waits,
        parts={tables.PART: tables.STEPS["postgres"]},
    )
    return await parts.enter_async_context(engine)


def _embeddings(read: Settings) -> Embeddings | None:
    given = read.memory
    if not given.embeddings:
        return None
    if given.embeddings == "local":
        return MiniLm(given.embeddings_folder)
    url = given.embeddings_url or _URLS[given.embeddings]
    model = given.embeddings_model or _MODELS[given.embeddings]
    key = Sources().read(given.embeddings_key, "memory.embeddings_key") if given.embeddings_key else ""
    if (
        key
        and urlsplit(url).scheme != "https"
        and urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    ):
        raise Invalid("would send the key in clear: use https", field="memory.embeddings_url")
    return OpenAI(url, model, key) if given.embeddings == "openai" else Ollama(url, model, key)


async def _nobody_waits(wakes: Sequence[Wake]) -> None:
    """Notes wake nobody."""
