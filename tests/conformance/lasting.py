"""The tools of the official conformance suite that become tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams

from conformance.tools import NAME, NO_ARGUMENTS, Answer, Context, elicitation, given, said, wanted
from wand_server.protocol import tasking
from wand_server.protocol.extensions import TASKS, require
from wand_server.protocol.failures import INTERNAL_ERROR
from wand_server.protocol.tasks import Task, Tasks

Arguments = dict[str, Any]
Run = Callable[[Task | None, Arguments], Awaitable[Answer]]


async def slow_compute(_: Task | None, arguments: Arguments) -> Answer:
    await asyncio.sleep(float(arguments.get("seconds", 0)))
    return said(f"computed {arguments.get('label', '')}")


async def failing_job(_: Task | None, __: Arguments) -> Answer:
    await asyncio.sleep(1)
    return said("the job failed", is_error=True)


async def protocol_error_job(_: Task | None, __: Arguments) -> Answer:
    await asyncio.sleep(0.05)  # so that it is a task by then
    raise MCPError(INTERNAL_ERROR, "the job broke")


def asks(*names: str) -> Run:
    """A tool that needs a confirmation under each name."""

    async def run(task: Task | None, arguments: Arguments) -> Answer:
        question = elicitation(
            f"Go on with {arguments.get('filename', 'it')}?", {"confirm": {"type": "boolean"}}
        )
        answers = await task.ask(dict.fromkeys(names, question)) if task else {}
        return said(f"got {answers}")

    return run


async def greet_later(_: Task | None, arguments: Arguments) -> Answer:
    await asyncio.sleep(0.05)
    return said(f"Hello, {arguments['user_name']}!")


SECONDS = {
    "type": "object",
    "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}},
}
FILENAME = {"type": "object", "properties": {"filename": {"type": "string"}}}
LASTING: dict[str, tuple[Run, dict[str, Any]]] = {
    "slow_compute": (slow_compute, SECONDS),
    "failing_job": (failing_job, NO_ARGUMENTS),
    "protocol_error_job": (protocol_error_job, NO_ARGUMENTS),
    "confirm_delete": (asks("confirm"), FILENAME),
    "multi_input": (asks("first", "second"), NO_ARGUMENTS),
    "test_tool_with_task": (greet_later, NO_ARGUMENTS),
}
ONLY_AS_TASKS = frozenset({"failing_job", "test_tool_with_task"})


async def as_task(tasks: Tasks, context: Context, params: CallToolRequestParams) -> Answer:
    """Run one of them, as a task where the client takes that for an answer."""
    run, arguments = LASTING[params.name][0], params.arguments or {}
    if params.name in ONLY_AS_TASKS:
        require(context, TASKS)
    if not tasking.is_negotiated(context):
        return await run(None, arguments)
    if params.name == "test_tool_with_task":
        if (answer := given(params, "user_name")) is None:
            return wanted({"user_name": NAME}, "asked")
        arguments = {"user_name": answer["content"]["name"]}
    return await tasking.call(tasks, context, params.name, lambda task: run(task, arguments))
