"""Whatever comes as a message is answered or refused: a million with LONG_TESTS=1, a few otherwise.

hypothesis makes a message, and of each come sixteen: itself, and fifteen that were spoiled by a seed of its
own. To draw one takes 3 ms, to read one 20 us.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from multidict import CIMultiDict
from pydantic_core import to_json

from support.edge import ENVELOPE, LEGACY, MODERN, edge
from support.tools import FakeTools
from wand_server.model import Principal
from wand_server.protocol import failures, messages
from wand_server.protocol.exchange import Exchange
from wand_server.protocol.failures import INTERNAL_ERROR, PARSE_ERROR, ProtocolFailure
from wand_server.protocol.handshake import Handshake
from wand_server.protocol.kernel import VERSION_HEADER
from wand_server.protocol.messages import Notification, Request, Response
from wand_server.protocol.server import build
from wand_server.scopes import EVERYDAY, InsufficientScope

LONG = bool(os.environ.get("LONG_TESTS"))
OF_EACH = 16
EXAMPLES = 1_000_000 // OF_EACH if LONG else 200
OVER_HTTP = 20_000 if LONG else 320

HOW = settings(deadline=None, database=None, derandomize=not LONG, suppress_health_check=list(HealthCheck))
LEAF = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20)
JSON = some.recursive(
    LEAF,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
METHODS = some.sampled_from([
    "initialize", "ping", "tools/list", "tools/call", "resources/read", "prompts/get", "server/discover",
    "completion/complete", "logging/setLevel", "notifications/cancelled", "notifications/initialized",
    "tasks/get", "",
])  # fmt: skip
ENVELOPES = some.just(ENVELOPE) | some.dictionaries(
    some.sampled_from([*ENVELOPE, "progressToken", "traceparent"]), some.just(MODERN) | JSON, max_size=4
)
PARAMS = some.fixed_dictionaries(
    {},
    optional={
        "name": some.sampled_from(["echo", "denied", ""]) | JSON,
        "arguments": some.just({"text": "a"}) | JSON,
        "uri": JSON,
        "cursor": JSON,
        "requestId": some.integers(0, 3) | JSON,
        "protocolVersion": some.sampled_from([MODERN, LEGACY, "1"]) | JSON,
        "clientInfo": some.just({"name": "probe", "version": "7"}) | JSON,
        "capabilities": some.just({}) | JSON,
        "_meta": ENVELOPES,
    },
)
ID = some.integers() | some.text(max_size=5)
WHOLE = {"jsonrpc": some.just("2.0")}
ERAS: tuple[dict[str, Any], ...] = ({}, {"_meta": ENVELOPE})
ABOUT = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "probe", "version": "7"}}
PLAIN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tools/call", {"name": "echo", "arguments": {"text": "a"}}),
    ("tools/call", {"name": "count", "arguments": {}}),
    ("tools/list", {}),
    ("initialize", ABOUT),
    ("ping", {}),
    ("server/discover", {}),
    ("tasks/get", {"taskId": "none"}),
)
GOOD = [
    {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, **era}}
    for era in ERAS
    for method, params in PLAIN
] + [{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}]
MESSAGE = some.one_of(
    some.fixed_dictionaries({**WHOLE, "id": ID, "method": METHODS, "params": PARAMS}),
    some.fixed_dictionaries({**WHOLE, "method": METHODS}, optional={"params": PARAMS}),
    some.fixed_dictionaries({**WHOLE, "id": ID}, optional={"result": JSON, "error": JSON}),
    some.fixed_dictionaries(
        WHOLE, optional=dict.fromkeys(("id", "method", "params", "result", "error"), JSON)
    ),
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**30, 1e308, -0.0, "", "a", "\x00", "\u2028", "2.0", "echo", MODERN,
    LEGACY, "1900-01-01", [], [[]], {}, {"": {}}, ENVELOPE,
    *("tools/call", "tools/list", "initialize", "tasks/get", "resources/subscribe", "9" * 5000),
)  # fmt: skip
SPOILERS = (
    b"", b"\x00", b"\xff", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"NaN", b"-", b"1e999", b"null",
    b"\\ud800", b"\xed\xa0\x80", b'"id":1,', b'"id":1,"id":2,', b"[" * 199, b'{"a":' * 130, b"9" * 400,
    b"\xef\xbb\xbf", b"\r\n", b"\xe2\x80\xa8",
)  # fmt: skip


def spoiled(line: bytes, chance: Random) -> bytes:
    """The line with something cut out of it, said twice, or put in: once or a few times."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at, length = chance.randrange(len(line) + 1), chance.choice((0, 0, 1, 3, 20))
        there = line[at : at + length]
        put = chance.choice((chance.choice(SPOILERS), there + there, bytes((chance.randrange(256),))))
        line = line[:at] + put + line[at + length :]
    return line


def bent(value: Any, chance: Random) -> Any:
    """The value with another in some place of it."""
    if not value or not isinstance(value, dict | list) or not chance.randrange(4):
        return chance.choice(VALUES)
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [bent(one, chance) if number == at else one for number, one in enumerate(value)]
    name = chance.choice(list(value))
    if not chance.randrange(6):
        return {key: one for key, one in value.items() if key != name}
    return {**value, name: bent(value[name], chance)}


@some.composite
def batches(draw: some.DrawFn) -> list[bytes]:
    """A message, what becomes of it when its values are bent, and when its bytes are spoiled."""
    message = draw(some.sampled_from(GOOD) if draw(some.integers(0, 2)) else MESSAGE)
    chance = Random(draw(some.integers(0, 2**32)))
    lines = [messages.write(message)]
    for _ in range((OF_EACH - 1) // 3):
        inside = {**message, "params": bent(message.get("params"), chance)}
        lines += [messages.write(inside), to_json(bent(message, chance)), spoiled(lines[0], chance)]
    return lines


def agreeing(request: Request) -> CIMultiDict[str]:
    """The headers that a client sends with such a request."""
    headers = CIMultiDict({VERSION_HEADER: MODERN, "Mcp-Method": request.method})
    for name in ("name", "uri", "taskId"):
        if isinstance(named := (request.params or {}).get(name), str):
            headers["Mcp-Name"] = named
    return headers


async def unheard(_: dict[str, Any]) -> None:
    """What a client is told between its answers."""


class Clients:
    """One client of each era, at the seam where a transport hands a message to the kernel."""

    def __init__(self) -> None:
        self.kernel = build(FakeTools(), version="1.2.3", instructions="Use it.")
        self.principal = Principal(name="probe", means="api_key", scopes=EVERYDAY)
        self.came: Counter[str] = Counter()
        self.peer = self.kernel.handshake("any", unheard)

    async def greet(self) -> None:
        request = Request(id=0, method="initialize", params=ABOUT)
        await self.peer.answer(request, Exchange(self.principal, request, unheard))

    async def say(self, line: bytes) -> None:
        """Have the line answered as a transport does; what came of it is counted."""
        self.came[await self._what_came_of(line)] += 1

    async def _what_came_of(self, line: bytes) -> str:
        try:
            message = messages.read(line)
            self.kernel.check(message, self.principal)
            return await self._answered(message)
        except InsufficientScope:
            return "beyond its scopes"
        except ProtocolFailure as why:
            failure = why
        assert failure.code != INTERNAL_ERROR, failure
        assert isinstance(messages.read(messages.write(failures.error(failure))), Response)
        return "unreadable" if failure.code == PARSE_ERROR else "refused"

    async def _answered(self, message: messages.Message) -> str:
        match message:
            case Request() if self.kernel.is_modern(message, None):
                route = self.kernel.route(message, agreeing(message))
                return self._told(
                    "stateless", message, await self.kernel.answer(route, message, self._exchange(message))
                )
            case Request(method="initialize"):
                fresh = self.kernel.handshake("fresh", unheard)
                return self._told("greeted", message, await self._ask(fresh, message))
            case Request():
                return self._told("in a session", message, await self._ask(self.peer, message))
            case Notification():
                await self.peer.hear(message, self._exchange(message))
                return "heard"
            case Response():
                self.peer.asking.answered(message)
                return "taken for an answer"

    async def _ask(self, peer: Handshake, request: Request) -> dict[str, Any]:
        return await peer.answer(request, self._exchange(request))

    def _exchange(self, message: Request | Notification) -> Exchange:
        return Exchange(self.principal, message, unheard)

    def _told(self, how: str, request: Request, result: dict[str, Any]) -> str:
        assert isinstance(messages.read(messages.write(failures.result(request.id, result))), Response)
        return how


@pytest.fixture(name="loop")
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.mark.timeout(0 if LONG else 60)
def test_a_line_is_answered_or_refused_and_nothing_breaks(loop: asyncio.AbstractEventLoop) -> None:
    clients = Clients()
    loop.run_until_complete(clients.greet())

    async def say(batch: list[bytes]) -> None:
        async with asyncio.timeout(60):
            for line in batch:
                await clients.say(line)

    @settings(HOW, max_examples=EXAMPLES)
    @given(batch=batches())
    def all_of(batch: list[bytes]) -> None:
        loop.run_until_complete(say(batch))

    all_of()
    print(f"{clients.came.total()} messages: {dict(clients.came)}")
    assert clients.came.total() >= EXAMPLES * OF_EACH
    ways = {"stateless", "greeted", "in a session", "heard", "taken for an answer", "refused", "unreadable"}
    assert ways <= clients.came.keys(), "some way through the kernel was never taken"


@pytest.mark.timeout(0 if LONG else 60)
async def test_whatever_is_posted_is_answered_and_no_500(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    @settings(HOW, max_examples=OVER_HTTP // OF_EACH)
    @given(batch=batches())
    def collect(batch: list[bytes]) -> None:
        bodies.extend(batch)

    collect()
    async with edge(tmp_path) as server:
        session = await server.initialize()
        for number, body in enumerate(bodies):
            headers: dict[str, Any] = session if number % 2 else server.headers(MCP_Protocol_Version=MODERN)
            async with server.client.post(server.url, data=body, headers=headers) as answer:
                await answer.content.read(
                    10
                ) if answer.content_type == "text/event-stream" else await answer.read()
                assert answer.status < 500, body
