"""Tells the person at a client that an act waits for approval, where the client can ask its person something.

That is information and no more: an approval is given on the host, and what is answered here is only whether
to try the call again. So nothing that a client sends back has to be believed, and no state goes with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wand_server.model import ToolResult
from wand_server.protocol.extensions import Context
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.methods import wire_result
from wand_server.protocol.tasks import Task

KEY = "approval"
MOST_ROUNDS = 16  # of one call: some clients say yes without asking anybody
_ACCEPT = "\n\nAccept once that is done, and it is tried again. Decline, and nothing is done."
_NOTHING_TO_FILL_IN: dict[str, Any] = {"type": "object", "properties": {}}
Run = Callable[[], Awaitable[ToolResult]]
"""The call, which can be made again: while it waits for approval nothing is done."""


async def call(context: Context, params: CallToolRequestParams, run: Run) -> dict[str, Any]:
    """The result of a call; while it waits for approval, the client's person is told so.

    Raises:
        ProtocolFailure: the client sends back a state, and none was given to it.
    """
    comes_back = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    again = partial(_wants_it_again, context)
    return await _until_approved(context, params, run, _Asking(lambda: comes_back, again))


async def in_task(context: Context, params: CallToolRequestParams, task: Task, run: Run) -> dict[str, Any]:
    """The same for a call that may have become a task, which then says that it wants input.

    Raises:
        ProtocolFailure: the client sends back a state, and none was given to it.
    """
    asking = _Asking(lambda: not task.is_kept, partial(_wants_to_go_on, task))
    return await _until_approved(context, params, run, asking)


@dataclass(frozen=True, slots=True)
class _Asking:
    """How a person is asked."""

    comes_back: Callable[[], bool]  # whether the client is to make the call again, with what was answered
    again: Callable[[str], Awaitable[bool]]  # else: ask, and whether it is to be made again


async def _until_approved(
    context: Context, params: CallToolRequestParams, run: Run, asking: _Asking
) -> dict[str, Any]:
    if (declined := _declined(context, params)) is not None:
        return declined
    result = await run()
    for _ in range(MOST_ROUNDS):
        if not (result.waits and can_be_told(context)):
            break
        if asking.comes_back():
            return _asked(result.waits)
        if not await asking.again(result.waits):
            break
        result = await run()
    return wire_result(result, context.protocol_version)


def can_be_told(context: Context) -> bool:
    """Whether the client has declared that it can show its person a form."""
    capabilities = context.session.client_capabilities
    told = capabilities.elicitation if capabilities else None
    return told is not None and (told.form is not None or told.url is None)


def question(waits: str) -> dict[str, Any]:
    """What the client is asked to show."""
    params = {"mode": "form", "message": waits + _ACCEPT, "requestedSchema": _NOTHING_TO_FILL_IN}
    return {"method": "elicitation/create", "params": params}


def _declined(context: Context, params: CallToolRequestParams) -> dict[str, Any] | None:
    """What a client is answered whose person did not accept; None where they did, or were not asked yet."""
    if params.request_state is not None:
        raise ProtocolFailure(INVALID_PARAMS, "requestState: none was given out for this call")
    given = (params.input_responses or {}).get(KEY)
    if given is None or getattr(given, "action", "") == "accept":
        return None
    said = "the person at the client does not wait for the approval; nothing was done"
    return wire_result(ToolResult(text=f"NeedsApproval: {said}", is_error=True), context.protocol_version)


def _asked(waits: str) -> dict[str, Any]:
    return {"resultType": "input_required", "inputRequests": {KEY: question(waits)}}


async def _wants_to_go_on(task: Task, waits: str) -> bool:
    """The same of a task; one that is given no answer in time does not."""
    try:
        answers = await task.ask({KEY: question(waits)})
    except ProtocolFailure:
        return False
    return isinstance(answers[KEY], dict) and answers[KEY].get("action") == "accept"


async def _wants_it_again(context: Context, waits: str) -> bool:
    """Whether the person says that the call is to be made again; one who cannot be asked does not."""
    try:
        answer = await context.session.elicit_form(waits + _ACCEPT, _NOTHING_TO_FILL_IN, context.request_id)
    except MCPError:
        return False
    return answer.action == "accept"
