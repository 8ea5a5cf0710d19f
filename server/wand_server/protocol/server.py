"""The SDK's low-level server with our methods on it."""

import functools
from dataclasses import dataclass
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PaginatedRequestParams,
    PromptReference,
    ReadResourceRequestParams,
)

from wand_server.model import Progress, ToolResult
from wand_server.offers import Tools
from wand_server.protocol import approving, listening, skilling, subscribing, tasking, telling
from wand_server.protocol.boundary import boundary
from wand_server.protocol.exchange import progress_token
from wand_server.protocol.extensions import UI, Context, principal_of, shows_pages
from wand_server.protocol.icon import ICONS
from wand_server.protocol.kernel import Beside, Kernel
from wand_server.protocol.lane import Lane, claim_of
from wand_server.protocol.listening import Listening
from wand_server.protocol.messages import meta
from wand_server.protocol.methods import Methods, Visit, readable_claim, readable_traceparent, wire_result
from wand_server.protocol.reading import Library, check
from wand_server.protocol.tasks import PATIENCE_SECONDS, Task, Tasks
from wand_server.protocol.watching import LOOK_SECONDS, Watcher

# The list of tools depends on who asks; what the server is does not.
_FRESHNESS_MS = 60_000
AGENT_META_KEY, MODEL_META_KEY = "wand/agent", "wand/model"
CACHE_HINTS: dict[Any, CacheHint] = {
    "tools/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "resources/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "resources/templates/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "prompts/list": CacheHint(ttl_ms=_FRESHNESS_MS, scope="private"),
    "resources/read": CacheHint(ttl_ms=0, scope="private"),  # a file may change at any time
    "server/discover": CacheHint(ttl_ms=_FRESHNESS_MS, scope="public"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How the server goes about its calls."""

    fast: bool = True
    patience_seconds: float = PATIENCE_SECONDS  # before a call becomes a task
    look_seconds: float = LOOK_SECONDS  # between two looks at a resource that is watched


def build(
    tools: Tools,
    library: Library | None = None,
    *,
    version: str,
    instructions: str,
    conduct: Conduct = Conduct(),
) -> Kernel:
    """The kernel that answers for those tools, and for a library where there is one.

    Plain calls of tools go past the SDK unless the conduct is not `fast`; the answers are the same.
    """
    methods, kept = Methods(tools), Tasks(patience_seconds=conduct.patience_seconds)
    server: Server[Any] = Server(
        "wand", version=version, title="Wand", instructions=instructions, cache_hints=CACHE_HINTS
    )

    _ = server.server_info_stamp  # kept by the SDK from now on: results are stamped without the icon
    server.icons = ICONS

    server.extensions[UI] = {}
    _add_tools(server, methods, kept)
    telling.add_methods(server)
    if library is not None:
        _add_library(server, library)
        skilling.add_methods(server, library.skills)
    tasking.add_methods(server, kept, methods, library.handed_out if library else None)
    watcher = Watcher(library.resources, look_seconds=conduct.look_seconds) if library else None
    streams = _add_streams(server, kept, watcher)
    server.middleware[:] = [boundary]  # without the SDK's tracing, which costs 28-60 us a call
    return Kernel(server, methods, Lane(server, methods) if conduct.fast else None, Beside(kept, streams))


def _add_tools(server: Server[Any], methods: Methods, kept: Tasks) -> None:
    async def list_tools(context: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return methods.list_tools(params.cursor, principal_of(context), with_views=shows_pages(context))

    async def call_tool(context: Context, params: CallToolRequestParams) -> dict[str, Any]:
        visit, run = _visit(context), functools.partial(_run, methods, context, params)
        if not (methods.may_last(params.name) and tasking.is_negotiated(context)):
            if not methods.may_wait(params.name):
                return wire_result(await run(visit), context.protocol_version)
            return await approving.call(context, params, functools.partial(run, visit))

        async def work(task: Task) -> dict[str, Any]:
            told = visit._replace(progress=_telling(task, visit.progress), may_last=True)
            return await approving.in_task(context, params, task, functools.partial(run, told, task))

        return await tasking.call(kept, context, params.name, work)

    server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)


async def _run(
    methods: Methods, context: Context, params: CallToolRequestParams, visit: Visit, task: Task | None = None
) -> ToolResult:
    """Run a tool, and tell the client how that ended; a task tells of itself."""
    result = await methods.call_tool(params.name, params.arguments or {}, visit)
    if task is None or not task.is_kept:
        await telling.tell(context, params.name, result)
    return result


def _add_streams(server: Server[Any], tasks: Tasks, watcher: Watcher | None) -> Listening:
    streams = Listening(tasks, (watcher, _visit) if watcher else None)
    listening.add_methods(server, streams)
    if watcher is not None:
        subscribing.add_methods(server, watcher, _visit)
    return streams


def _add_library(server: Server[Any], library: Library) -> None:
    async def list_resources(context: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return library.list_resources(params.cursor, principal_of(context))

    async def list_templates(context: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return library.list_templates(params.cursor, principal_of(context))

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> dict[str, Any]:
        check(principal_of(context), "resources/read")
        return await library.read(str(params.uri), _visit(context))

    async def list_prompts(context: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        return library.list_prompts(params.cursor, principal_of(context))

    async def get_prompt(context: Context, params: GetPromptRequestParams) -> dict[str, Any]:
        check(principal_of(context), "prompts/get")
        return library.prompt(params.name, params.arguments or {})

    async def complete(context: Context, params: CompleteRequestParams) -> dict[str, Any]:
        check(principal_of(context), "completion/complete")
        asked = params.argument
        if isinstance(params.ref, PromptReference):
            return library.complete_prompt(params.ref.name, asked.name, asked.value)
        return await library.complete_resource(params.ref.uri, asked.name, asked.value, _visit(context))

    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)
    server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)
    server.add_request_handler("completion/complete", CompleteRequestParams, complete)


def _visit(context: Context) -> Visit:
    about = meta(dict(context.params) if context.params else None)
    return Visit(
        principal=principal_of(context),
        client=claim_of(context.session.client_params),
        agent=readable_claim(about.get(AGENT_META_KEY)),
        model=readable_claim(about.get(MODEL_META_KEY)),
        traceparent=readable_traceparent(about.get("traceparent")),
        progress=_progress(context) if progress_token({"_meta": about}) is not None else None,
    )


def _progress(context: Context) -> Progress:
    async def tell(progress: float, total: float | None, message: str) -> None:
        await context.session.report_progress(progress, total, message or None)

    return tell


def _telling(task: Task, progress: Progress | None) -> Progress:
    """Progress of a call that may become a task: for the task, and while it has none for the client."""

    async def tell(done: float, total: float | None, message: str) -> None:
        task.tell(message)
        if progress is not None and not task.is_kept:
            await progress(done, total, message)

    return tell
