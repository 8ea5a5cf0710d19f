"""Settings of what is kept: answers for a while, files, notes."""

from typing import Annotated

from pydantic import Field

from wand_server.kinds import Frozen

Bytes = Annotated[int, Field(ge=0)]


class Cache(Frozen):
    """Answers of services and of tools, each kept for whoever got it."""

    most_bytes: Bytes = 32 * 1024 * 1024  # of all together, in memory; 0: nothing is kept
