"""Settings of what is kept: answers for a while, files, notes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from wand_server.kinds import Frozen, Words
from wand_server.settings.work import a_database

Bytes = Annotated[int, Field(ge=0)]


class State(Frozen):
    """Where the server keeps what outlives it."""

    folder: Path = Path("/var/lib/wand-server")


class Cache(Frozen):
    """Answers of services and of tools, each kept for whoever got it."""

    most_bytes: Bytes = 32 * 1024 * 1024  # of all together, in memory; 0: nothing is kept


class Artifacts(Frozen):
    """Files that are kept for whoever they were made for: results too large for an answer."""

    folder: Path | None = None  # None: artifacts in the folder of the state
    most_bytes: Bytes = 4 * 1024**3  # of all together; 0: nothing is kept
    most_bytes_of_one: Bytes = 512 * 1024**2  # of one principal's
    most_bytes_each: Bytes = 64 * 1024**2
    keep_seconds: Annotated[float, Field(gt=0)] = 7 * 24 * 3600


def _database(untrusted: str) -> str:
    return a_database(untrusted) if untrusted else ""


def _service(untrusted: str) -> str:
    if untrusted and not untrusted.startswith(("https://", "http://")):
        raise ValueError("must be like https://api.openai.com/v1")
    return untrusted


class Memory(Frozen):
    """Notes that agents keep, and find again."""

    enabled: bool = True
    database: Annotated[str, AfterValidator(_database)] = ""  # empty: where tasks are, in a file of its own
    database_password: str = ""  # where that of PostgreSQL is: env:NAME, file:/PATH or cred:NAME
    most_notes: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000  # of one principal
    most_note_bytes: Annotated[int, Field(ge=64, le=65536)] = 8192
    shared_by: Words = ()  # principals and groups that may write notes for all; "*": anybody
    embeddings: Literal["", "openai", "ollama", "local"] = ""  # who makes vectors; empty: words alone
    embeddings_url: Annotated[str, AfterValidator(_service)] = ""  # of openai and ollama
    embeddings_model: str = ""  # of theirs
    embeddings_key: str = ""  # where it is, for openai
    embeddings_folder: Path | None = None  # the files of local; None: those of its package
