"""A call that waits for approval: the client's person is told, and can approve nothing there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from support.edge import ENVELOPE, Edge, edge

FORM: dict[str, Any] = {"elicitation": {"form": {}}}
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def meta(capabilities: dict[str, Any]) -> dict[str, Any]:
    return {"_meta": {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": capabilities}}


async def ask(
    served: Edge, capabilities: dict[str, Any], method: str = "tools/call", **params: Any
) -> dict[str, Any]:
    """The result of a stateless request."""
    named = {"name": "asks"} if method == "tools/call" else {}
    request = served.modern(method, {**named, **params, **meta(capabilities)})
    return dict((await served.ask(**request))[1])


async def test_a_stateless_client_is_told_and_calls_again_until_it_is_approved(served: Edge) -> None:
    first = (await ask(served, FORM))["result"]
    assert (first["resultType"], sorted(first)) == (
        "input_required",
        ["_meta", "inputRequests", "resultType"],
    )
    shown = first["inputRequests"]["approval"]
    assert shown["method"] == "elicitation/create"
    assert "on the host, and nowhere else: approve yes ab12" in shown["params"]["message"]
    assert shown["params"]["requestedSchema"] == {"type": "object", "properties": {}}

    accepted = {"approval": {"action": "accept", "content": {}}}
    assert (await ask(served, FORM, inputResponses=accepted))["result"]["resultType"] == "input_required"
    served.tools.approved = True
    done = (await ask(served, FORM, inputResponses=accepted))["result"]
    assert (done["isError"], done["content"][0]["text"]) == (False, "done")


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {"url": {}}}])
async def test_a_client_that_cannot_ask_its_person_is_told_by_the_result(
    served: Edge, capabilities: dict[str, Any]
) -> None:
    told = (await ask(served, capabilities))["result"]
    assert (told["resultType"], told["isError"]) == ("complete", True)
    assert told["content"][0]["text"].startswith("NeedsApproval: waits for approval ab12\nHint: call again")


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_declines_has_nothing_done(served: Edge, action: str) -> None:
    served.tools.approved = True
    told = (await ask(served, FORM, inputResponses={"approval": {"action": action}}))["result"]
    assert (told["isError"], served.tools.calls) == (True, [])


async def test_a_state_that_nobody_gave_out_is_refused(served: Edge) -> None:
    served.tools.approved = True
    accepted = {"approval": {"action": "accept", "content": {}}}
    answer = await ask(served, FORM, inputResponses=accepted, requestState="approved=yes")
    assert (answer["error"]["code"], served.tools.calls) == (-32602, [])


async def test_a_task_wants_input_and_goes_on_with_it(served: Edge) -> None:
    can = {**FORM, **TASKS}
    soon = (await ask(served, can))["result"]
    task = (await ask(served, can, arguments={"late": True}))["result"]
    assert (soon["resultType"], task["resultType"]) == ("input_required", "task")
    served.tools.slow_may_end.set()
    names = {"taskId": task["taskId"]}

    async def now() -> dict[str, Any]:
        return dict((await ask(served, can, "tasks/get", **names))["result"])

    while (found := await now())["status"] != "input_required":
        assert found["status"] == "working"
    (key,) = found["inputRequests"]
    served.tools.approved = True
    await ask(served, can, "tasks/update", **names, inputResponses={key: {"action": "accept", "content": {}}})
    while (found := await now())["status"] != "completed":
        assert found["status"] == "working"
    assert found["result"]["content"][0]["text"] == "done"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize(("says", "text"), [("accept", "done"), ("decline", "NeedsApproval: ")])
async def test_the_official_client_shows_it_and_calls_again(
    served: Edge, mode: Any, says: Any, text: str
) -> None:
    shown: list[str] = []

    async def show(context: object, params: Any) -> ElicitResult:
        shown.append(params.message)
        served.tools.approved = True
        return ElicitResult(action=says, content={} if says == "accept" else None)

    headers = {"Authorization": f"Bearer {served.key}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(
            streamable_http_client(served.url, http_client=http), mode=mode, elicitation_callback=show
        ) as client,
    ):
        result = await client.call_tool("asks", {})
    assert (len(shown), "approve yes ab12" in shown[0]) == (1, True)
    assert result.content[0].text.startswith(text)  # type: ignore[union-attr]


async def test_a_client_that_says_yes_without_end_is_told_by_the_result_at_last(served: Edge) -> None:
    async def show(context: object, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={})

    headers = {"Authorization": f"Bearer {served.key}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(
            streamable_http_client(served.url, http_client=http), mode="legacy", elicitation_callback=show
        ) as client,
    ):
        result = await client.call_tool("asks", {})
    assert result.is_error
    assert len(served.tools.calls) == 17
