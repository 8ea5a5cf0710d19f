"""Answers that come bit by bit: lines, of which each is JSON, and server-sent events."""

import codecs
import json
from collections.abc import AsyncIterator
from typing import Any

from wand_server.orchestrator.work.models.trouble import Trouble

_MOST_BYTES = 32 * 1024 * 1024  # of an answer


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The lines of what comes in pieces, wherever those were cut.

    Raises:
        Trouble: it is endless, or no UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    begun, size = "", 0
    async for piece in pieces:
        size += len(piece)
        if size > _MOST_BYTES:
            raise Trouble("answers with more than can be a turn")
        try:
            text = decoder.decode(piece)
        except UnicodeDecodeError as why:
            raise Trouble("answers with what is no UTF-8") from why
        *whole, begun = (begun + text).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
    if begun:
        yield begun.removesuffix("\r")


async def events(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """What each server-sent event carries; the name that some have stands in their JSON as well."""
    parts: list[str] = []
    async for line in lines(pieces):
        if not line and parts:
            yield "\n".join(parts)
            parts = []
        elif line.startswith("data:"):
            parts.append(line.removeprefix("data:").removeprefix(" "))


def parsed(text: str) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        Trouble: it is none.
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as why:
        raise Trouble("answers with what is no JSON") from why
    if not isinstance(read, dict):
        raise Trouble("answers with what is no object of JSON")
    return read


def arguments(text: str) -> dict[str, Any] | None:
    """The arguments of a call as a model wrote them; None where they are no object of JSON."""
    try:
        read = json.loads(text or "{}", parse_constant=_no_number)
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _no_number(name: str) -> None:
    raise ValueError(name)
