"""Tasks that agents carry out, in the words of the extension io.modelcontextprotocol/tasks (SEP-2663)."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, TypeVar

from mcp_types.methods import serialize_server_result

from wand_proto.errors import NotFound, WandError
from wand_server.model import Principal, TaskTold
from wand_server.offers import HandedOut
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.methods import wire_result
from wand_server.protocol.tasks import POLL_MS

_Told = TypeVar("_Told")
NO_TASK = "taskId: there is no such task, or its time is over"


async def detailed(handed_out: HandedOut, principal: Principal, task: str, version: str) -> dict[str, Any]:
    """The task as it is now, with what came of it.

    Raises:
        ProtocolFailure: the principal has no such task.
    """
    told = await _asked(handed_out.told(principal, task))
    wire = {**_described(task, told), "resultType": "complete"}
    if told.result is not None:
        wire["result"] = serialize_server_result("tools/call", version, wire_result(told.result, version))
    return wire


async def cancel(handed_out: HandedOut, principal: Principal, task: str) -> dict[str, Any]:
    """End it.

    Raises:
        ProtocolFailure: the principal has no such task.
    """
    await _asked(handed_out.end(principal, task))
    return {"resultType": "complete"}


async def _asked(answer: Awaitable[_Told]) -> _Told:
    try:
        return await answer
    except NotFound as why:
        raise ProtocolFailure(INVALID_PARAMS, NO_TASK) from why
    except WandError as why:
        raise ProtocolFailure(INVALID_PARAMS, str(why), data={"kind": type(why).__name__}) from why


def _described(task: str, told: TaskTold) -> dict[str, Any]:
    wire = {
        "taskId": task,
        "status": told.status,
        "createdAt": _moment(told.created),
        "lastUpdatedAt": _moment(told.updated),
        "ttlMs": None,  # as long as the settings say, after its end
        "pollIntervalMs": POLL_MS,
    }
    return {**wire, "statusMessage": told.message} if told.message else wire


def _moment(unix_seconds: float) -> str:
    when = datetime.fromtimestamp(unix_seconds, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
