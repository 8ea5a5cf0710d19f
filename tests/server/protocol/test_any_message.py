"""Whatever comes as a message is read or refused: a million with LONG_TESTS=1, a few otherwise."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from support.edge import MODERN, edge
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import ProtocolFailure

LONG = bool(os.environ.get("LONG_TESTS"))
EXAMPLES = 1_000_000 if LONG else 300
OVER_HTTP = 20_000 if LONG else 150

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
PARAMS = some.fixed_dictionaries(
    {},
    optional={
        "name": some.sampled_from(["echo", "denied", ""]) | JSON,
        "arguments": JSON,
        "uri": JSON,
        "ref": JSON,
        "cursor": JSON,
        "requestId": JSON,
        "protocolVersion": some.sampled_from([MODERN, "2025-11-25", "1"]) | JSON,
        "clientInfo": JSON,
        "capabilities": JSON,
        "_meta": some.dictionaries(
            some.sampled_from([
                "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientInfo",
                "io.modelcontextprotocol/clientCapabilities", "progressToken", "traceparent",
            ]),
            JSON | some.just(MODERN),
        ),
    },
)  # fmt: skip
MESSAGE = some.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": some.just("2.0") | JSON,
        "id": some.integers() | some.text(max_size=5) | JSON,
        "method": METHODS | JSON,
        "params": PARAMS | JSON,
        "result": JSON,
        "error": JSON,
    },
)


@some.composite
def lines(draw: some.DrawFn) -> bytes:
    """A message, whole or spoiled."""
    line = messages.write(draw(MESSAGE)) if draw(some.booleans()) else draw(some.binary(max_size=80))
    if draw(some.integers(0, 3)):
        return line
    at = draw(some.integers(0, len(line)))
    return line[:at] + draw(some.binary(max_size=4)) + line[at + draw(some.integers(0, 3)) :]


def read(line: bytes) -> messages.Message:
    """The message, or the failure as the answer that tells of it."""
    try:
        return messages.read(line)
    except ProtocolFailure as why:
        return messages.read(messages.write(failures.error(why)))


@pytest.mark.timeout(0 if LONG else 60)
@settings(max_examples=EXAMPLES, deadline=5000, database=None, suppress_health_check=list(HealthCheck))
@given(line=lines())
def test_a_line_is_a_message_or_a_failure_that_can_be_told(line: bytes) -> None:
    assert isinstance(read(line), messages.Message)


@pytest.mark.timeout(0 if LONG else 60)
async def test_whatever_is_posted_is_answered_and_no_500(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    @settings(max_examples=OVER_HTTP, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(line=lines())
    def collect(line: bytes) -> None:
        bodies.append(line)

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
