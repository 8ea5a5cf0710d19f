"""Settings of what is kept: answers for a while, files, notes."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from wand_server.kinds import Frozen

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
