"""The extension io.modelcontextprotocol/tasks: its methods, and how a task looks on the wire (SEP-2663)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import RequestParams
from mcp_types.methods import serialize_server_result
from pydantic import Field

from wand_server import scopes
from wand_server.model import Principal
from wand_server.offers import HandedOut
from wand_server.protocol import handed
from wand_server.protocol.extensions import TASKS, Context, declares, principal_of, require
from wand_server.protocol.failures import FORBIDDEN, HEADER_MISMATCH, INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.messages import Request
from wand_server.protocol.methods import Methods
from wand_server.protocol.tasks import POLL_MS, Task, Tasks, Work

METHODS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})


class TaskParams(RequestParams):
    """Names a task."""

    task_id: str = Field(alias="taskId", max_length=200)


class UpdateParams(TaskParams):
    """Gives a task what it waits for."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


def add_methods(
    server: Server[Any], tasks: Tasks, methods: Methods, handed_out: HandedOut | None = None
) -> None:
    """Let the server answer to the methods of the extension, and say that it does.

    Beside calls that have become tasks, it answers for those that agents carry out.
    """

    def find(context: Context, params: TaskParams) -> Task:
        require(context, TASKS)
        principal = principal_of(context)
        task = tasks.find(principal, params.task_id)
        _permit(methods, principal, task)
        return task

    async def get(context: Context, params: TaskParams) -> dict[str, Any]:
        if handed_out and _may_be_agents(tasks, context, params):
            principal, version = principal_of(context), context.protocol_version
            _permit_offered(methods, principal, "get_project_status")
            return await handed.detailed(handed_out, principal, params.task_id, version)
        return {"resultType": "complete", **detailed(find(context, params), context.protocol_version)}

    async def update(context: Context, params: UpdateParams) -> dict[str, Any]:
        find(context, params).give(params.input_responses)
        return {"resultType": "complete"}

    async def cancel(context: Context, params: TaskParams) -> dict[str, Any]:
        if handed_out and _may_be_agents(tasks, context, params):
            _permit_offered(methods, principal_of(context), "manage_tasks")
            return await handed.cancel(handed_out, principal_of(context), params.task_id)
        tasks.cancel(find(context, params))
        return {"resultType": "complete"}

    server.extensions[TASKS] = {}
    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", UpdateParams, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)


def _may_be_agents(tasks: Tasks, context: Context, params: TaskParams) -> bool:
    """Whether it is no call that has become a task, for a client that knows tasks."""
    return declares(context, TASKS) and not tasks.has(principal_of(context), params.task_id)


async def call(tasks: Tasks, context: Context, tool: str, work: Work) -> dict[str, Any]:
    """The result of a call, or the task that it has become; for a client that has declared the extension."""
    became = await tasks.call(principal_of(context), tool, work)
    return {"resultType": "task", **_described(became)} if isinstance(became, Task) else became


def is_negotiated(context: Context) -> bool:
    """Whether the client of this request takes a task for an answer."""
    return declares(context, TASKS)


def check_name(request: Request, headers: Mapping[str, str]) -> None:
    """Compare the header Mcp-Name with the task that a request names.

    Raises:
        ProtocolFailure: they differ.
    """
    named = (request.params or {}).get("taskId")
    if request.method not in METHODS or named is None:
        return
    if decode_header_value(headers.get(MCP_NAME_HEADER)) != named:
        raise ProtocolFailure(HEADER_MISMATCH, "Mcp-Name header does not match the body's 'taskId'")


def detailed(task: Task, version: str) -> dict[str, Any]:
    """A task with what it waits for, or what came of it."""
    wire = _described(task)
    if task.status == "input_required":
        wire["inputRequests"] = dict(task.wanted)
    elif task.failure is not None:
        wire["error"] = {"code": task.failure.code, "message": task.failure.message}
        if task.failure.data is not None:
            wire["error"]["data"] = task.failure.data
    elif task.result is not None:
        wire["result"] = serialize_server_result("tools/call", version, task.result)
    return wire


def _described(task: Task) -> dict[str, Any]:
    wire = {
        "taskId": task.id,
        "status": task.status,
        "createdAt": _moment(task.created),
        "lastUpdatedAt": _moment(task.updated),
        "ttlMs": task.ttl_ms,
        "pollIntervalMs": POLL_MS,
    }
    return {**wire, "statusMessage": task.message} if task.message else wire


def _moment(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _permit(methods: Methods, principal: Principal, task: Task) -> None:
    """A sign-in that may not call the tool may not look into what another of the same party called."""
    _permit_tool(methods, principal, task.tool)


def _permit_tool(methods: Methods, principal: Principal, tool: str) -> None:
    try:
        methods.check(principal, tool)
    except scopes.InsufficientScope as why:
        raise ProtocolFailure(FORBIDDEN, why.message, data={"scope": why.needed}) from why


def _permit_offered(methods: Methods, principal: Principal, tool: str) -> None:
    """The same of a tool that may be switched off: then nobody may do by a task what it would have done."""
    if methods.input_schema(tool) is None:
        raise ProtocolFailure(INVALID_PARAMS, handed.NO_TASK)
    _permit_tool(methods, principal, tool)
