"""The short way of `tools/call` beside the SDK's: whatever is asked, the same bytes come back.

tests/conformance/messages.jsonl holds every message that the official suites have sent to a server.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from mcp.server.runner import ServerRunner
from multidict import CIMultiDict

from support.edge import ENVELOPE, LEGACY, MODERN
from support.tools import FakeTools, described
from wand_server.model import Call, Principal, ResourceLink, ToolResult
from wand_server.protocol import boundary, failures, messages, methods
from wand_server.protocol.exchange import Exchange
from wand_server.protocol.failures import ProtocolFailure
from wand_server.protocol.handshake import Handshake
from wand_server.protocol.kernel import VERSION_HEADER, Kernel
from wand_server.protocol.messages import Request
from wand_server.protocol.server import Conduct, build
from wand_server.scopes import EVERYDAY

RECORDED = Path(__file__).parents[2] / "conformance" / "messages.jsonl"
WHO = Principal(name="probe", means="api_key", scopes=EVERYDAY)
LINK = ResourceLink(uri="wand://artifacts/0", name="all.json", mime_type="application/json", total_bytes=7)
VERSIONS = (MODERN, LEGACY, "2025-06-18", "2025-03-26")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
INFO, CAPABILITIES = "io.modelcontextprotocol/clientInfo", "io.modelcontextprotocol/clientCapabilities"
LEVEL = "io.modelcontextprotocol/logLevel"


class Tools(FakeTools):
    """And one that answers with what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.tools = (*self.tools, described("give"))

    async def _give(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        structured = arguments.get("structured", {})
        links = (LINK,) if arguments.get("link") else ()
        is_error = bool(arguments.get("error"))
        return ToolResult(text=call.client, structured=structured, is_error=is_error, links=links)


@dataclass
class Way:
    """A kernel, with the short way or without it; `say` gives every message that comes back, as bytes."""

    fast: bool
    tools: Tools = field(default_factory=Tools)
    kernel: Kernel = field(init=False)
    peers: dict[str, Handshake] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kernel = build(self.tools, version="1", instructions="", conduct=Conduct(fast=self.fast))

    async def peer(self, version: str) -> Handshake:
        """A client that has shaken hands under that version."""
        if version not in self.peers:
            peer = self.peers[version] = self.kernel.handshake("s", _nowhere)
            about = {"protocolVersion": version, "capabilities": {}, "clientInfo": ENVELOPE[INFO]}
            hello = Request(id=0, method="initialize", params=about)
            await peer.answer(hello, Exchange(WHO, hello, _nowhere))
        return self.peers[version]

    async def say(self, raw: bytes, headers: CIMultiDict[str]) -> list[bytes]:
        back: list[bytes] = []

        async def notify(message: dict[str, Any]) -> None:
            back.append(messages.write(message))

        try:
            message = messages.read(raw)
            if not isinstance(message, Request) or message.method == "subscriptions/listen":
                return []  # that one never ends, and is none of the lane's
            answer = await self._answer(message, headers, Exchange(WHO, message, notify))
            back.append(messages.write(failures.result(message.id, answer)))
        except ProtocolFailure as why:
            back.append(messages.write(failures.error(why)) + str(why.status).encode())
        return back

    async def _answer(self, message: Request, headers: CIMultiDict[str], exchange: Exchange) -> Any:
        version = headers.get(VERSION_HEADER)
        if self.kernel.is_modern(message, version):
            return await self.kernel.answer(self.kernel.route(message, headers), message, exchange)
        return await (await self.peer(version or LEGACY)).answer(message, exchange)


async def _nowhere(_: dict[str, Any]) -> None: ...


@pytest.fixture(autouse=True)
def _ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defects are told with an id that is new each time."""
    for module in (methods, boundary):
        monkeypatch.setattr(module, "new_request_id", lambda: "0" * 16)


async def compare(raw: bytes, headers: CIMultiDict[str]) -> list[bytes]:
    """What comes back, and the same on both ways."""
    fast, slow = Way(fast=True), Way(fast=False)
    back = await fast.say(raw, headers)
    assert back == await slow.say(raw, headers)
    asked = [[(name, given_, (call.client, call.traceparent)) for name, given_, call in way.tools.calls]
             for way in (fast, slow)]  # fmt: skip
    assert asked[0] == asked[1]
    return back


def written(version: str, params: Any, message_id: str | int = 1) -> tuple[bytes, CIMultiDict[str]]:
    """A call under that version, its headers such as a client would send."""
    headers = CIMultiDict({VERSION_HEADER: version})
    if version == MODERN:
        headers["Mcp-Method"] = "tools/call"
        headers["Mcp-Name"] = str(params.get("name", "")) if isinstance(params, dict) else ""
        if isinstance(params, dict) and isinstance(params.get("_meta", {}), dict):
            params = {**params, "_meta": {**ENVELOPE, **params.get("_meta", {})}}
    body = {"jsonrpc": "2.0", "id": message_id, "method": "tools/call", "params": params}
    return json.dumps(body).encode(), headers


def recorded() -> Iterator[tuple[bytes, CIMultiDict[str]]]:
    for line in RECORDED.read_text().splitlines():
        one = json.loads(line)
        yield one["body"].encode(), CIMultiDict(one["headers"])


async def test_every_message_of_the_conformance_suites_gets_the_same_answer() -> None:
    for raw, headers in recorded():
        await compare(raw, headers)


async def test_so_does_every_call_of_the_suites_where_it_calls_a_tool_that_is_there() -> None:
    calls = 0
    for raw, headers in recorded():
        if b'"tools/call"' not in raw or not isinstance(name := json.loads(raw)["params"].get("name"), str):
            continue
        for tool in ("echo", "count", "give", "denied", "broken", "odd"):
            renamed = CIMultiDict(headers)
            if renamed.get("Mcp-Name") == name:
                renamed["Mcp-Name"] = tool
            back = await compare(raw.replace(json.dumps(name).encode(), json.dumps(tool).encode()), renamed)
            calls += b'"result"' in back[-1]
    assert calls > 100


TOKENS: tuple[Any, ...] = ("t", "", 0, -1, 2**53, 10**30, 1.5, 1.0, True, None, [], {})
STRUCTURED: tuple[Any, ...] = (
    {}, {"a": None}, {"a": {"b": None, "c": [None, {"d": None}]}}, {"x": 1.5, "y": 10**30, "é": "ü\u2028"},
    {"_meta": {"a": 1}, "content": [], "isError": "no", "resultType": "task"}, [], [1], "text", 0, None,
)  # fmt: skip
ABLE: tuple[Any, ...] = (
        None, [], {"roots": {}}, {"roots": None}, {"roots": 1}, {"sampling": {"tools": {}}},
        {"elicitation": {"form": {}}},
        {"experimental": {"a": {}}}, {"experimental": {"a": 1}},
        {"extensions": {"io.modelcontextprotocol/tasks": {}}},
        {"x": "y" * 5000}
)  # fmt: skip
PARAMS: tuple[Any, ...] = (
    None, {}, [], {"name": None}, {"name": 7}, {"name": ""}, {"name": "absent"}, {"name": "ECHO"},
    {"name": "echo"},
    {"name": "echo", "arguments": None}, {"name": "echo", "arguments": []},
    {"name": "echo", "arguments": "x"},
    {"name": "echo", "arguments": {"text": "héllo \u2028 \U0001f600"}},
    {"name": "echo", "arguments": {"text": None}},
    {"name": "echo", "arguments": {}, "more": 1}, {"name": "echo", "task": {}},
    {"name": "echo", "task": {"ttl": 5}},
    {"name": "echo", "inputResponses": {}}, {"name": "echo", "requestState": "s"},
    {"name": "echo", "_meta": None},
    {"name": "echo", "_meta": []}, {"name": "denied"}, {"name": "broken"}, {"name": "big"}, {"name": "odd"},
    {"name": "odd", "arguments": {"nan": True}}, {"name": "give", "arguments": {"error": True}},
    *({"name": "give", "arguments": {"structured": one}} for one in STRUCTURED),
    *({"name": "give", "arguments": {"structured": one, "error": True}} for one in STRUCTURED),
    *({"name": "count", "_meta": {"progressToken": token}}
      for token in TOKENS),
    *({"name": "give", "_meta": {"traceparent": trace}} for trace in (TRACE, "00-0", 7, None)),
    *({"name": "give", "_meta": {key: value}} for key in ("tracestate", "baggage", "com.example/a", LEVEL,
    "x")
      for value in ("debug", 7, None, {"a": 1})),
    *({"name": "give", "_meta": {INFO: info}} for info in (
        None, {}, "me", {"name": "n"}, {"name": "n", "version": 1}, {"name": "n", "version": ""},
        {"name": "n\n\u202e", "version": "v" * 300}, {"name": "n", "version": "1", "title": None, "x": 1},
        {"name": "n", "version": "1", "icons": [{"src": "javascript:x"}]},
        {"name": "n", "version": "1", "icons": 1})),
    *({"name": "give", "_meta": {CAPABILITIES: able}} for able in ABLE),
)  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_link_is_given_to_clients_whose_protocol_has_links(version: str) -> None:
    back = await compare(*written(version, {"name": "give", "arguments": {"link": True}}))
    content = json.loads(back[-1])["result"]["content"]
    assert [block["type"] for block in content] == (
        ["text"] if version == "2025-03-26" else ["text", "resource_link"]
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_calls_of_every_kind_get_the_same_answer(version: str) -> None:
    for params in PARAMS:
        await compare(*written(version, params))


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_after_another_too_when_much_is_remembered(version: str) -> None:
    fast, slow = Way(fast=True), Way(fast=False)
    for params in (*PARAMS, *PARAMS):
        call = written(version, params, "again")
        assert await fast.say(*call) == await slow.say(*call)


@pytest.mark.parametrize("headers", [
    {"Mcp-Name": "other"}, {"Mcp-Method": "tools/list"}, {VERSION_HEADER: LEGACY},
    {VERSION_HEADER: "1999-01-01"},
    {"Mcp-Name": "=?base64?ZWNobw==?="}, {"Mcp-Name": "=?base64?%%?="}, {"Mcp-Name": ""},
])  # fmt: skip
async def test_headers_that_disagree_are_refused_in_the_same_words(headers: dict[str, str]) -> None:
    raw, sent = written(MODERN, {"name": "echo"})
    sent.update(headers)
    await compare(raw, sent)
    sent.add("Mcp-Name", "echo")
    await compare(raw, sent)


async def test_what_agreed_once_lets_nothing_else_in() -> None:
    fast, slow = Way(fast=True), Way(fast=False)
    raw, good = written(MODERN, {"name": "echo"})
    wrong = [CIMultiDict({**good, name: value}) for name in good for value in ("", "echo ", "x", MODERN[:-1])]
    wrong += [CIMultiDict([*good.items(), pair]) for pair in good.items()]
    wrong += [CIMultiDict([pair for pair in good.items() if pair[0] != name]) for name in good]
    for headers in (good, *wrong, good):
        back = await fast.say(raw, headers)
        assert back == await slow.say(raw, headers)
        assert (b'"result"' in back[-1]) == (headers is good)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False,
    allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
META = some.dictionaries(
    some.sampled_from([*ENVELOPE, "progressToken", "traceparent", "tracestate", LEVEL, "x"]), JSON, max_size=3
)
CALLS = some.fixed_dictionaries(
    {"name": some.sampled_from(["echo", "give", "count", "odd", "denied", "absent"]) | JSON},
    optional={"arguments": some.dictionaries(some.sampled_from(["text", "structured", "error"]), JSON) | JSON,
              "_meta": META | JSON, "task": JSON, "requestState": JSON, "inputResponses": JSON, "x": JSON},
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(version=some.sampled_from(VERSIONS), params=CALLS, message_id=some.integers() | some.text())
def test_whatever_else_is_asked_gets_the_same_answer(
    version: str, params: dict[str, Any], message_id: int | str
) -> None:
    asyncio.run(_compare_later(*written(version, params, message_id)))


async def _compare_later(raw: bytes, headers: CIMultiDict[str]) -> None:
    await compare(raw, headers)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_cancelled_call_ends_its_tool_on_both_ways(version: str) -> None:
    for fast in (True, False):
        way = Way(fast=fast)
        call = asyncio.create_task(way.say(*written(version, {"name": "slow"})))
        await asyncio.wait_for(way.tools.slow_began.wait(), 20)

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        assert way.tools.slow_cancelled.is_set()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_plain_call_goes_past_the_sdk(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(fast=True)
    if version != MODERN:
        await way.peer(version)
    monkeypatch.delattr(ServerRunner, "_on_request")

    plain = {"name": "count", "arguments": {}, "_meta": {"progressToken": 7, "traceparent": TRACE}}
    back = await way.say(*written(version, plain))

    assert len(back) == 4
    assert b'"steps":3' in back[-1] or version == "2025-03-26"


async def test_a_stream_of_unheard_of_clients_fills_no_memory() -> None:
    way = Way(fast=True)
    lane = way.kernel._lane
    assert lane is not None
    for number in range(2000):
        lane.client_of({"name": "n", "_meta": {**ENVELOPE, INFO: {"name": f"{number}", "version": "1"}}})
        raw, headers = written(MODERN, {"name": f"{number}"})
        await way.say(raw, headers)
    assert len(lane._clients) <= 512
    assert len(lane._agreed) <= 512


TASKING: dict[str, Any] = {CAPABILITIES: {"extensions": {"io.modelcontextprotocol/tasks": {}}}}


@pytest.mark.parametrize("tool", ["echo", "count", "denied", "broken", "big", "odd", "nobodys"])
async def test_a_client_that_takes_tasks_gets_the_same_answer(tool: str) -> None:
    await compare(*written(MODERN, {"name": tool, "arguments": {}, "_meta": TASKING}))


async def test_what_may_become_a_task_goes_to_the_sdk_and_nothing_else_does() -> None:
    lane = Way(fast=True).kernel._lane
    assert lane is not None
    takes_tasks, takes_none = {**ENVELOPE, **TASKING}, ENVELOPE

    assert lane.client_of({"name": "echo", "_meta": takes_tasks}) is not None
    assert lane.client_of({"name": "slow", "_meta": takes_tasks}) is None
    assert lane.client_of({"name": "slow", "_meta": takes_none}) is not None
