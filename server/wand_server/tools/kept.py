"""Results that are kept for a moment for whoever asked: of tools that say for how long, and change nothing.

A call that may change something forgets them for its caller.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.ports import Cache, Shelf

_AREA = "tools"

Run = Callable[[], Awaitable[ToolResult]]


class KeptResults:
    """Asks a cache before a tool."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def call(
        self, tool: ToolDescription, arguments: dict[str, Any], call: Call, run: Run
    ) -> ToolResult:
        """What the tool gives, or gave a moment ago."""
        if tool.read_only and not tool.kept_seconds:
            return await run()
        shelf = Shelf(_AREA, call.principal.owner)
        if not tool.read_only:
            try:
                return await run()
            finally:  # whatever came of it
                await self._cache.forget(shelf)
        key = _key(tool.name, arguments)
        if (found := await self._cache.get(shelf, key)) is not None:
            return _unpacked(found)
        result = await run()
        if not result.is_error and result.whole is None:
            await self._cache.put(shelf, key, _packed(result), tool.kept_seconds)
        return result


def _key(tool: str, arguments: dict[str, Any]) -> str:
    what = json.dumps([tool, arguments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()


def _packed(result: ToolResult) -> bytes:
    return json.dumps([result.text, result.structured]).encode("utf-8", "surrogatepass")


def _unpacked(packed: bytes) -> ToolResult:
    text, structured = json.loads(packed)
    return ToolResult(text=text, structured=structured)
