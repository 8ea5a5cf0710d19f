"""A server for the official conformance suite: its fixture tools behind our kernel and our transports.

    python -m conformance.server PORT     (0 takes a free one; it is printed)

It lets everybody in, because the suite has no key, and checks Host and Origin as always.
"""

import asyncio
import secrets
import sys
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp_types import (
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from conformance import library
from conformance.lasting import LASTING, as_task
from conformance.tools import TOOLS, Context
from wand_server import scopes
from wand_server.auth.asked import Headers
from wand_server.auth.guard import Guard
from wand_server.auth.origins import Origins
from wand_server.model import Principal
from wand_server.protocol import listening, skilling, tasking
from wand_server.protocol.boundary import boundary
from wand_server.protocol.kernel import Beside, Kernel
from wand_server.protocol.listening import Listening
from wand_server.protocol.methods import Methods
from wand_server.protocol.server import CACHE_HINTS
from wand_server.protocol.tasks import Tasks
from wand_server.tools.skills import BuiltInSkills
from wand_server.transports.http import HttpTransport

NOBODY = Principal(name="suite", means="anonymous", scopes=scopes.EVERYDAY)


class OpenDoor(Guard):
    """Asks for no key."""

    def __init__(self) -> None:
        self._origins = Origins()

    def known(self, headers: Headers) -> Principal:
        self._origins.check(headers.getall("Host", []), headers.getall("Origin", []))
        return NOBODY


class FixtureMethods(Methods):
    """What the kernel asks of its methods, answered for the fixture's tools."""

    def __init__(self) -> None:
        self._leaving = False

    def check(self, principal: Principal, name: Any) -> None:
        """Whoever asks may call them all."""

    def input_schema(self, name: str) -> dict[str, Any] | None:
        return TOOLS[name][1] if name in TOOLS else None


def build() -> Kernel:
    server: Server[Any] = Server("wand-conformance", version="1", cache_hints=CACHE_HINTS)
    methods, tasks = FixtureMethods(), Tasks(patience_seconds=0)
    streams = Listening(tasks)
    _add_tools(server, tasks, streams)
    _add_library(server)
    tasking.add_methods(server, tasks, methods)
    skilling.add_methods(server, BuiltInSkills())
    security = RequestStateSecurity(keys=[secrets.token_bytes(32)])
    server.middleware[:] = [boundary, RequestStateBoundary(security, default_audience="wand")]
    listening.add_methods(server, streams)
    return Kernel(server, methods, beside=Beside(tasks, streams))


async def nothing(_: Context, __: Any) -> dict[str, Any]:
    return {}


def _add_tools(server: Server[Any], tasks: Tasks, streams: Listening) -> None:
    async def list_tools(_: Context, __: PaginatedRequestParams) -> dict[str, Any]:
        tools = [
            {"name": name, "description": f"The fixture {name}.", "inputSchema": schema}
            for name, (_, schema) in {**TOOLS, **LASTING}.items()
        ]
        return {"tools": tools, "resultType": "complete"}

    async def call_tool(context: Context, params: CallToolRequestParams) -> dict[str, Any]:
        if params.name in LASTING:
            return await as_task(tasks, context, params)
        if params.name == "test_trigger_tool_change":
            streams.tools_changed()
        return await TOOLS[params.name][0](context, params)

    server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, nothing)


def _add_library(server: Server[Any]) -> None:
    async def complete(_: Context, __: CompleteRequestParams) -> dict[str, Any]:
        return {"completion": {"values": [], "total": 0, "hasMore": False}, "resultType": "complete"}

    async def list_resources(_: Context, __: PaginatedRequestParams) -> dict[str, Any]:
        return {"resources": library.RESOURCES, "resultType": "complete"}

    async def list_templates(_: Context, __: PaginatedRequestParams) -> dict[str, Any]:
        return {"resourceTemplates": library.TEMPLATES, "resultType": "complete"}

    async def list_prompts(_: Context, __: PaginatedRequestParams) -> dict[str, Any]:
        return {"prompts": library.PROMPTS, "resultType": "complete"}

    server.add_request_handler("completion/complete", CompleteRequestParams, complete)
    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, library.read_resource)
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, nothing)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, nothing)
    server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, library.get_prompt)


async def main(port: int) -> None:
    async with HttpTransport(build(), OpenDoor(), lambda: True, port=port) as served:
        print(served.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
