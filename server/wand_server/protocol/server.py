"""The SDK's low-level server with our methods on it."""

import logging
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PaginatedRequestParams,
    PromptReference,
    ReadResourceRequestParams,
    SetLevelRequestParams,
)
from pydantic import ValidationError

from wand_proto.context import REQUEST_ID, new_request_id
from wand_server.model import Principal, Progress
from wand_server.ports import Tools
from wand_server.protocol import failures
from wand_server.protocol.exchange import progress_token
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.messages import meta
from wand_server.protocol.methods import Methods, Visit, client_claim, readable_traceparent
from wand_server.protocol.reading import Library

log = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Principal]

# The list of tools depends on who asks; what the server is does not.
_FRESHNESS_MS = 60_000
CACHE_HINTS: dict[Any, CacheHint] = {
    "tools/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "resources/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "resources/templates/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "prompts/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "resources/read": CacheHint(ttl_ms=0, scope="private"),  # a file may change at any time
    "server/discover": CacheHint(ttl_ms=_FRESHNESS_MS, scope="public"),
}


def build(tools: Tools, library: Library | None = None, *, version: str, instructions: str) -> Kernel:
    """The kernel that answers for those tools, and for a library where there is one."""
    methods = Methods(tools)
    server: Server[Any] = Server(
        "wand", version=version, title="Wand", instructions=instructions, cache_hints=CACHE_HINTS
    )

    async def list_tools(_: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return methods.list_tools(params.cursor)

    async def call_tool(context: Context, params: CallToolRequestParams) -> dict[str, Any]:
        return await methods.call_tool(params.name, params.arguments or {}, _visit(context))

    async def set_level(_: Context, __: SetLevelRequestParams) -> dict[str, Any]:
        return {}  # answered for clients that ask at once; we send no log messages

    server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    if library is not None:
        _add_library(server, library)
    server.middleware[:] = [boundary]  # without the SDK's tracing, which costs 28-60 us a call
    return Kernel(server, methods)


def _add_library(server: Server[Any], library: Library) -> None:
    async def list_resources(_: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return library.list_resources(params.cursor)

    async def list_templates(_: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return library.list_templates(params.cursor)

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> dict[str, Any]:
        return await library.read(str(params.uri), _visit(context))

    async def list_prompts(_: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return library.list_prompts(params.cursor)

    async def get_prompt(_: Context, params: GetPromptRequestParams) -> dict[str, Any]:
        return library.prompt(params.name, params.arguments or {})

    async def complete(_: Context, params: CompleteRequestParams) -> dict[str, Any]:
        asked = params.argument
        if isinstance(params.ref, PromptReference):
            return library.complete_prompt(params.ref.name, asked.name, asked.value)
        return library.complete_resource(params.ref.uri, asked.name, asked.value)

    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)
    server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)
    server.add_request_handler("completion/complete", CompleteRequestParams, complete)


async def boundary(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Every failure leaves as an error of JSON-RPC that names what is wrong and shows nothing else."""
    try:
        return await call_next(ctx)
    except MCPError:
        raise
    except ProtocolFailure as why:
        raise MCPError(why.code, why.message, why.data) from why
    except ValidationError as why:
        raise MCPError(INVALID_PARAMS, f"Invalid params: {_what_is_wrong(why)}") from why
    except Exception as broken:
        REQUEST_ID.set(new_request_id())
        log.exception("method broke", extra={"method": ctx.method})
        told = failures.internal(REQUEST_ID.get())
        raise MCPError(told.code, told.message, told.data) from broken


def _what_is_wrong(why: ValidationError) -> str:
    """The first fields that are wrong, without what they held."""
    found = why.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'params'}: {one['msg']}" for one in found[:3])


def _visit(context: Context) -> Visit:
    principal = context.request
    if principal is None:
        raise RuntimeError("a transport let a request in without its principal")
    about = meta(dict(context.params) if context.params else None)
    client = context.session.client_params
    return Visit(
        principal=principal,
        client=client_claim(client.client_info.name, client.client_info.version) if client else "",
        traceparent=readable_traceparent(about.get("traceparent")),
        progress=_progress(context) if progress_token({"_meta": about}) is not None else None,
    )


def _progress(context: Context) -> Progress:
    async def tell(progress: float, total: float | None, message: str) -> None:
        await context.session.report_progress(progress, total, message or None)

    return tell
