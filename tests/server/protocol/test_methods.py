"""What becomes of a call, and what the log says of it."""

import asyncio
import contextlib
import logging

import pytest

from support.tools import FakeTools, described
from wand_proto.context import REQUEST_ID
from wand_server.model import Call, Principal, ToolResult
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.methods import Methods, Visit, client_claim, readable_traceparent
from wand_server.scopes import EVERYDAY

VISIT = Visit(principal=Principal(name="alice", means="api_key", scopes=EVERYDAY), client="probe/7")


async def test_the_request_id_holds_for_the_call_and_no_longer() -> None:
    seen: list[tuple[str, str]] = []

    class Looking(FakeTools):
        async def _echo(self, arguments: dict[str, object], call: Call) -> ToolResult:
            seen.append((call.request_id, REQUEST_ID.get()))
            return ToolResult(text="")

    methods = Methods(Looking())
    await methods.call_tool("echo", {}, VISIT)
    await methods.call_tool("echo", {}, VISIT)

    assert all(told == held for told, held in seen)
    assert seen[0] != seen[1]
    assert not REQUEST_ID.get()


ENDS = {"echo": "ok", "denied": "error", "broken": "broken"}


@pytest.mark.parametrize("tool", ENDS)
async def test_a_call_leaves_one_line_without_its_contents(
    tool: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with contextlib.suppress(ProtocolFailure):
        await Methods(FakeTools()).call_tool(tool, {"text": "private"}, VISIT)

    (line,) = [vars(record) for record in caplog.records if record.msg == "tool called"]
    assert (line["tool"], line["principal"], line["ended"]) == (tool, "alice", ENDS[tool])
    assert line["is_error"] == (tool != "echo")
    assert line["ms"] >= 0
    assert "private" not in str(line)


async def test_a_cancelled_call_leaves_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tools = FakeTools()
    call = asyncio.create_task(Methods(tools).call_tool("slow", {}, VISIT))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    call.cancel()
    await asyncio.wait([call])

    assert [vars(record)["ended"] for record in caplog.records] == ["cancelled"]


async def test_only_so_many_calls_run_at_once_and_the_next_is_told_when_to_come_back() -> None:
    tools = FakeTools()
    methods = Methods(tools, calls_ceiling=1)
    running = asyncio.create_task(methods.call_tool("slow", {}, VISIT))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    refused = await methods.call_tool("echo", {}, VISIT)

    assert refused.text.startswith("Exhausted: 1 calls are running")
    assert "Hint: try again" in refused.text
    tools.slow_may_end.set()
    await running
    assert (await methods.call_tool("echo", {}, VISIT)).is_error is False


@pytest.mark.parametrize(
    ("name", "near"), [("ech", "echo"), ("cuont", "count"), ("zzzzz", "there are: echo, count")]
)
async def test_an_unknown_tool_is_answered_with_what_is_near(name: str, near: str) -> None:
    with pytest.raises(ProtocolFailure, match=near) as refused:
        await Methods(FakeTools()).call_tool(name, {}, VISIT)

    assert refused.value.code == INVALID_PARAMS


async def test_progress_that_does_not_rise_is_not_told() -> None:
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str) -> None:
        told.append(progress)

    await Methods(FakeTools()).call_tool("count", {}, Visit(principal=VISIT.principal, progress=hear))

    assert told == [1, 2, 3]


def test_a_list_has_one_page() -> None:
    with pytest.raises(ProtocolFailure, match="cursor"):
        Methods(FakeTools()).list_tools("2", VISIT.principal)


def test_a_new_tool_is_seen() -> None:
    tools = FakeTools()
    methods = Methods(tools)
    before = methods.input_schema("new")

    tools.tools = (*tools.tools, described("new"))

    assert (before, methods.input_schema("new")) == (None, described("new").input_schema)


def test_a_claim_is_one_short_printable_line() -> None:
    assert client_claim("Claude\nCode\x1b", "2.1") == "ClaudeCode/2.1"
    assert len(client_claim("x" * 1000, "1")) == 200


@pytest.mark.parametrize(
    "value", [None, 5, "", "00-xyz", "00-" + "0" * 32, "00-" + "A" * 32 + "-" + "b" * 16 + "-01"]
)
def test_what_is_no_trace_context_is_dropped(value: object) -> None:
    assert readable_traceparent(value) == ""
