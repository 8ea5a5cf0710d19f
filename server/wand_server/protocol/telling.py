"""Log messages of the protocol: how each call ended, for clients that have asked, and no others.

A client of the handshake era asks with `logging/setLevel`; one of the stateless era with each request
(`io.modelcontextprotocol/logLevel`), and it hears on the stream of that request and nowhere else. They say
nothing that the answer to the call does not say: they are for the person at the client, not for the model.
"""

from contextvars import ContextVar
from typing import Any, NamedTuple, get_args

from mcp.server.lowlevel import Server
from mcp_types import (
    LOG_LEVEL_META_KEY,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SetLevelRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wand_server.model import ToolResult
from wand_server.protocol.extensions import Context
from wand_server.protocol.messages import meta

LOGGER = "wand"
LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)  # from debug to emergency
_CHARACTERS = 500  # of what an error says
_FAILURES = frozenset({"Unavailable", "Ambiguous", "TimedOut", "Exhausted", "Broken", "BrokenPolicy"})


class Wish:
    """From which level on one client of the handshake era wants to hear; nothing before it has said."""

    level: LoggingLevel | None = None


WISH: ContextVar[Wish] = ContextVar("WISH")
"""That of the client whose request is being answered, in the handshake era."""


class Told(NamedTuple):
    """What is said of a call."""

    level: LoggingLevel
    event: str
    more: dict[str, Any]


def add_methods(server: Server[Any]) -> None:
    """Let the server answer to logging/setLevel."""

    async def set_level(_: Context, params: SetLevelRequestParams) -> dict[str, Any]:
        WISH.get().level = params.level
        return {}

    server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)


async def tell(context: Context, tool: str, result: ToolResult) -> None:
    """Tell the client how a call ended, where it wants to hear of that."""
    least = _least(context)
    if least is None:
        return
    told = of(result)
    if LEVELS.index(told.level) < LEVELS.index(least):
        return
    data = {"event": told.event, "tool": tool, **told.more}
    params = LoggingMessageNotificationParams(level=told.level, logger=LOGGER, data=data)
    message = LoggingMessageNotification(params=params)
    await context.session.send_notification(message, related_request_id=context.request_id)


def of(result: ToolResult) -> Told:
    """What is said of a call that ended so."""
    if result.waits:
        return Told("notice", "waits for approval", {"message": _short(result.waits)})
    if result.is_error:
        level: LoggingLevel = "error" if result.kind in _FAILURES else "warning"
        event = "call refused" if result.kind == "Denied" else "call failed"
        kind = {"kind": result.kind} if result.kind else {}
        return Told(level, event, {**kind, "message": _short(result.text)})
    if result.links:
        return Told("info", "result shortened", {"whole": [link.uri for link in result.links]})
    return Told("debug", "call done", {})


def _least(context: Context) -> LoggingLevel | None:
    """From which level on the client of a request wants to hear of it."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return WISH.get().level
    asked = meta(dict(context.params) if context.params else None).get(LOG_LEVEL_META_KEY)
    return asked if asked in LEVELS else None


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"
