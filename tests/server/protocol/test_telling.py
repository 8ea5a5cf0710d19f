"""What clients that have asked for log messages are told of calls, in both eras; others hear nothing."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.edge import Edge, edge, legacy, short_folder, unix_edge
from support.tools import FakeTools
from wand_proto.errors import Ambiguous, Denied, Invalid, NeedsApproval, WandError
from wand_server.model import ResourceLink, ToolResult, refusal
from wand_server.protocol import telling

LEVEL = "io.modelcontextprotocol/logLevel"
LINK = ResourceLink(uri="wand://kept/1", name="all", mime_type="text/plain", total_bytes=9)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def failed(error: WandError) -> ToolResult:
    return refusal(error)


@pytest.mark.parametrize(
    ("result", "level", "event"),
    [
        (ToolResult(text="2"), "debug", "call done"),
        (ToolResult(text="1", links=(LINK,)), "info", "result shortened"),
        (failed(NeedsApproval("waits", hint="h: approve yes 1")), "notice", "waits for approval"),
        (failed(Denied("rm is denied")), "warning", "call refused"),
        (failed(Invalid("is no path", field="path")), "warning", "call failed"),
        (failed(Ambiguous("the link broke")), "error", "call failed"),
        (ToolResult(text="", is_error=True), "warning", "call failed"),
    ],
)
def test_each_end_of_a_call_has_its_level(result: ToolResult, level: str, event: str) -> None:
    told = telling.of(result)

    assert (told.level, told.event) == (level, event)


def test_a_long_error_is_told_in_short() -> None:
    told = telling.of(failed(Denied("x" * 9000)))

    assert len(told.more["message"]) == 500


async def test_a_session_is_told_from_the_level_on_that_it_has_set(server: Edge) -> None:
    session = await server.initialize()

    before = await said(server, session, "denied")
    await set_level(server, session, "warning")
    during = await said(server, session, "denied"), await said(server, session, "echo")
    await set_level(server, session, "error")
    after = await said(server, session, "denied")

    assert (before, during[1], after) == ([], [], [])
    assert [(one["level"], one["logger"], one["data"]["tool"]) for one in during[0]] == [
        ("warning", "wand", "denied")
    ]
    assert "rm is denied" in during[0][0]["data"]["message"]


async def test_another_session_hears_nothing_of_it(server: Edge) -> None:
    await set_level(server, await server.initialize(), "debug")

    assert await said(server, await server.initialize(), "denied") == []


async def test_a_level_that_is_none_is_refused(server: Edge) -> None:
    status, body = await server.ask(
        json=legacy("logging/setLevel", {"level": "loud"}), headers=await server.initialize()
    )

    assert (status, body["error"]["code"]) == (200, -32602)


@pytest.mark.parametrize(("level", "events"), [("debug", 1), ("warning", 1), ("error", 0), (None, 0)])
async def test_a_stateless_request_is_told_on_its_own_stream(
    server: Edge, level: str | None, events: int
) -> None:
    wish = {} if level is None else {LEVEL: level}
    asked = server.modern("tools/call", {"name": "denied", "arguments": {}, "_meta": wish})

    async with server.client.post(server.url, **asked) as response:
        got = messages(await response.text())

    assert [one["method"] for one in got[:-1]] == ["notifications/message"] * events
    assert got[-1]["result"]["isError"] is True


async def test_both_eras_are_told_that_there_are_log_messages(server: Edge) -> None:
    _, discovered = await server.ask(**server.modern("server/discover"))

    assert discovered["result"]["capabilities"]["logging"] == {}


@pytest.mark.filterwarnings("ignore:The logging capability is deprecated")
async def test_the_official_client_hears_of_a_refusal_by_stdio() -> None:
    heard: list[Any] = []

    async def hear(params: Any) -> None:
        heard.append((params.level, params.data["event"]))

    words = ["-c", "import sys; from wand_server.pipe import main; sys.exit(main(sys.argv[1:]))", "--socket"]
    with short_folder() as folder:
        async with unix_edge(folder, FakeTools()) as path:
            transport = stdio_client(StdioServerParameters(command=sys.executable, args=[*words, str(path)]))
            async with Client(transport, mode="legacy", logging_callback=hear) as client:
                await client.set_logging_level("info")
                await client.call_tool("denied", {})

    assert heard == [("warning", "call refused")]


async def set_level(server: Edge, session: dict[str, str], level: str) -> None:
    status, body = await server.ask(json=legacy("logging/setLevel", {"level": level}), headers=session)
    assert (status, body["result"]) == (200, {})


async def said(server: Edge, session: dict[str, str], tool: str) -> list[dict[str, Any]]:
    """What is told beside the answer to a call."""
    asked = legacy("tools/call", {"name": tool, "arguments": {}})
    async with server.client.post(server.url, json=asked, headers=session) as response:
        got = messages(await response.text())
    return [one["params"] for one in got if one.get("method") == "notifications/message"]


def messages(text: str) -> list[dict[str, Any]]:
    """Those in an answer, which is JSON or a stream."""
    if text.startswith("{"):
        return [json.loads(text)]
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]
