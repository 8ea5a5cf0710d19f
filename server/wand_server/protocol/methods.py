"""What the server answers to: the list of tools, and a call of one."""

import asyncio
import base64
import functools
import logging
import re
import time
from typing import Any, NamedTuple

from wand_proto.context import REQUEST_ID, new_request_id
from wand_proto.errors import Ambiguous, Exhausted, Unavailable, WandError
from wand_server import scopes
from wand_server.arguments import unknown_tool
from wand_server.model import (
    Call,
    Picture,
    Principal,
    Progress,
    ResourceLink,
    ToolDescription,
    ToolResult,
    refusal,
)
from wand_server.offers import Tools
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure

log = logging.getLogger(__name__)

CALLS_CEILING = 2560
_TEXT_CEILING = 200
_LINKS_SINCE = "2025-06-18"
_LOOK_FIRST = "look at what it changed before you call again, in a moment"
_MOST_KNOWN = 64  # sets of scopes whose list of tools is kept
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Visit(NamedTuple):
    """Who calls, with which program, under which trace, and how to tell them of progress."""

    principal: Principal
    client: str = ""
    agent: str = ""
    model: str = ""
    traceparent: str = ""
    progress: Progress | None = None
    may_last: bool = False


class Methods:
    """The tools, as methods of the protocol."""

    def __init__(self, tools: Tools, *, calls_ceiling: int = CALLS_CEILING) -> None:
        self._tools = tools
        self._calls_ceiling = calls_ceiling
        self._running: set[asyncio.Task[Any]] = set()
        self._leaving = self._is_cutting = False
        self._idle = asyncio.Event()
        self._described: tuple[ToolDescription, ...] | None = None
        self._wire: dict[tuple[frozenset[str], bool], list[dict[str, Any]]] = {}
        self._by_name: dict[str, ToolDescription] = {}

    @property
    def is_leaving(self) -> bool:
        """Whether no new calls are taken, because the server is about to stop."""
        return self._leaving

    def leave(self) -> None:
        """Take no new calls; those that run go on."""
        self._leaving = True
        self._see_whether_idle()

    def cut_off(self) -> None:
        """End the calls that run: each is answered with that."""
        self._is_cutting = True
        for call in self._running:
            call.cancel()

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """That of all calls: to ask for it each time costs a system call."""
        return asyncio.get_running_loop()

    async def idle(self) -> None:
        """Wait until the last call has ended; after `leave`."""
        await self._idle.wait()

    def _see_whether_idle(self) -> None:
        if self._leaving and not self._running:
            self._idle.set()

    def list_tools(
        self, cursor: str | None, principal: Principal, *, with_views: bool = False
    ) -> dict[str, Any]:
        """Every tool that the principal may call, on one page, always in the same order.

        With views, the pages that show results are named, for clients that can show them.
        """
        if cursor is not None:
            raise ProtocolFailure(INVALID_PARAMS, "cursor: is unknown; the tools stand on one page")
        self._refresh()
        return {"tools": self._wired(principal.scopes, with_views=with_views), "resultType": "complete"}

    def check(self, principal: Principal, name: Any) -> None:
        """Let a call of the tool of that name pass; of a name that no tool has, nothing is said here.

        Raises:
            InsufficientScope: the principal may not call it.
        """
        if isinstance(name, str) and (tool := self._tool(name)) is not None:
            scopes.check_tool(principal, tool)

    def may_last(self, name: str) -> bool:
        """Whether a call of the tool of that name may take long enough to become a task."""
        tool = self._tool(name)
        return tool is not None and tool.may_last

    def may_wait(self, name: str) -> bool:
        """Whether a call of the tool of that name may wait for approval: what only looks does not."""
        tool = self._tool(name)
        return tool is not None and not tool.read_only

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """What the tool of that name takes, as JSON Schema."""
        tool = self._tool(name)
        return tool.input_schema if tool else None

    async def call_tool(self, name: str, arguments: dict[str, Any], visit: Visit) -> ToolResult:
        """Run a tool under a new request id; a log line tells of it, without its contents.

        Raises:
            ProtocolFailure: there is no such tool, or the tool is broken.
        """
        tool = self._tool(name)
        if tool is None:
            raise ProtocolFailure(INVALID_PARAMS, f"name: {unknown_tool(name, self._callable(visit))}")
        call = call_of(visit)
        token = REQUEST_ID.set(call.request_id)
        started, ended, task = time.monotonic(), "cancelled", asyncio.current_task(self._loop)
        assert task is not None
        self._running.add(task)
        try:
            result = await self._run(tool, arguments, call, task)
            ended = "error" if result.is_error else "ok"
        except ProtocolFailure:
            ended = "broken"
            raise
        else:
            return result
        finally:
            self._running.discard(task)
            self._see_whether_idle()
            _log_call(name, call, ended, time.monotonic() - started)
            REQUEST_ID.reset(token)

    async def _run(
        self, tool: ToolDescription, arguments: dict[str, Any], call: Call, task: asyncio.Task[Any]
    ) -> ToolResult:
        try:
            scopes.check_tool(call.principal, tool)
            self._need_room()
            return await self._tools.call(tool.name, arguments, call)
        except WandError as failed:
            return refusal(failed)
        except asyncio.CancelledError:
            if not self._is_cutting or task.uncancel():
                raise  # the client has cancelled it, or is gone
            return refusal(Ambiguous("the server stopped while this ran, and ended it", hint=_LOOK_FIRST))
        except Exception as broken:
            log.exception("tool broke", extra={"tool": tool.name, "principal": call.principal.name})
            raise failures.internal(call.request_id) from broken

    def _need_room(self) -> None:
        if self._leaving:
            raise Unavailable("the server is about to stop; nothing was done", hint="call again in a moment")
        if len(self._running) > self._calls_ceiling:
            message = f"{self._calls_ceiling} calls are running, which is the most at once"
            raise Exhausted(message, hint="try again when one of them has ended")

    def _tool(self, name: str) -> ToolDescription | None:
        """The tool of that name, listed or not."""
        self._refresh()
        return self._by_name.get(name) or self._tools.unlisted(name)

    def _refresh(self) -> None:
        described = self._tools.describe()
        if described is not self._described:
            self._described = described
            self._wire = {}
            self._by_name = {tool.name: tool for tool in described}

    def _wired(self, granted: frozenset[str], *, with_views: bool) -> list[dict[str, Any]]:
        known = self._wire.get((granted, with_views))
        if known is None:
            if len(self._wire) >= _MOST_KNOWN:
                self._wire.clear()
            tools = (tool for tool in self._by_name.values() if scopes.may_call(granted, tool))
            known = self._wire[granted, with_views] = [
                wire_tool(tool, with_view=with_views) for tool in tools
            ]
        return known

    def _callable(self, visit: Visit) -> list[str]:
        granted = visit.principal.scopes
        return [name for name, tool in self._by_name.items() if scopes.may_call(granted, tool)]


def _log_call(tool: str, call: Call, ended: str, seconds: float) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    who = call.principal
    fields = {"tool": tool, "principal": who.name, "signed_in_by": who.credential, "client": call.client}
    fields["ended"] = ended
    log.info("tool called", extra={**fields, "is_error": ended != "ok", "ms": round(seconds * 1000, 1)})


def client_claim(name: str, version: str) -> str:
    """The client's name and version in one line that is fit for a log and for metadata."""
    text = f"{name}/{version}" if version else name
    return "".join(char for char in text if char.isprintable())[:_TEXT_CEILING]


def readable_claim(untrusted: Any) -> str:
    """What a client says of itself, in one line; nothing where it is no text."""
    return client_claim(untrusted, "") if isinstance(untrusted, str) else ""


def readable_traceparent(untrusted: Any) -> str:
    """The W3C trace context, or nothing where it is none."""
    return untrusted if isinstance(untrusted, str) and _TRACEPARENT.fullmatch(untrusted) else ""


def call_of(visit: Visit) -> Call:
    """What a visit comes to: a call under a new request id."""
    principal, client, agent, model, traceparent, progress, may_last = visit
    progress = _rising(progress) if progress else None
    return Call(principal, new_request_id(), client, agent, model, traceparent, progress, may_last=may_last)


def _rising(tell: Progress) -> Progress:
    """`tell`, but silent where progress would not rise: MCP forbids it."""
    last = float("-inf")

    async def tell_if_risen(progress: float, total: float | None, message: str) -> None:
        nonlocal last
        if progress > last:
            last = progress
            await tell(progress, total, message.encode(errors="replace").decode())

    return tell_if_risen


def wire_tool(tool: ToolDescription, *, with_view: bool) -> dict[str, Any]:
    """A tool as it stands in the list."""
    view = {"_meta": {"ui": {"resourceUri": tool.view}}} if with_view and tool.view else {}
    hints = _hints(tool)
    return {
        **view,
        "name": tool.name,
        **({} if tool.title.lower() == tool.name else {"title": tool.title}),
        "description": tool.description,
        "inputSchema": tool.input_schema,
        **({"outputSchema": tool.output_schema} if tool.output_schema else {}),
        **({"annotations": hints} if hints else {}),
    }


def _hints(tool: ToolDescription) -> dict[str, bool]:
    """What is not as a client supposes where nothing is said (2026-07-28 schema, ToolAnnotations).

    Whether what only reads may destroy or be repeated means nothing.
    """
    said = {"readOnlyHint": True} if tool.read_only else {}
    if not tool.read_only:
        said |= {} if tool.destructive else {"destructiveHint": False}
        said |= {"idempotentHint": True} if tool.idempotent else {}
    return said if tool.open_world else {**said, "openWorldHint": False}


def _picture(picture: Picture) -> dict[str, Any]:
    """An image as one, anything else as a resource that is embedded."""
    data = base64.b64encode(picture.data).decode()
    if picture.mime_type.startswith("image/"):
        return {"type": "image", "data": data, "mimeType": picture.mime_type}
    resource = {"uri": picture.uri, "mimeType": picture.mime_type, "blob": data}
    return {"type": "resource", "resource": resource}


def wire_result(result: ToolResult, version: str) -> dict[str, Any]:
    """The result in the words of the newest protocol; what others do not know is dropped for them.

    A kind of content is not: links are given to clients of a version that has them.
    """
    links = result.links if version >= _LINKS_SINCE else ()
    content = [{"type": "text", "text": result.text}, *map(_picture, result.pictures), *map(_link, links)]
    wire: dict[str, Any] = {"content": content, "isError": result.is_error}
    wire["resultType"] = "complete"
    if result.structured or not result.is_error:
        wire["structuredContent"] = result.structured
    return messages.sayable(wire)


def _link(link: ResourceLink) -> dict[str, Any]:
    about = {"name": link.name, "mimeType": link.mime_type, "size": link.total_bytes}
    return {"type": "resource_link", "uri": link.uri, **about}
