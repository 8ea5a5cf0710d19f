"""What the scopes of a sign-in do not open is refused, by every transport and in both eras."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.edge import Edge, edge, legacy
from support.host import FakeHost
from support.signins import Passwords
from wand_server.auth.challenge import Challenge
from wand_server.protocol.reading import Library
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.resources import HostResources

METADATA = "https://wand.example/.well-known/oauth-protected-resource/mcp"
STEP_UP = (
    'Bearer realm="wand", error="insufficient_scope", scope="wand:execute wand:read", '
    f'resource_metadata="{METADATA}"'
)
READER = "Bearer reader"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    ways = [Passwords({"reader": ["wand:read"], "one": ["wand:tool:slow"]})]
    library = Library(HostResources(FakeHost()), BuiltInPrompts())
    challenge = Challenge(resource_metadata=METADATA)
    async with edge(tmp_path, ways=ways, challenge=challenge, library=library) as running:
        yield running


async def names(server: Edge, bearer: str) -> list[str]:
    _, body = await server.ask(**server.modern("tools/list", Authorization=bearer))
    return [tool["name"] for tool in body["result"]["tools"]]


async def test_the_list_shows_what_may_be_called_in_one_order(server: Edge) -> None:
    everything = await names(server, f"Bearer {server.key}")

    assert await names(server, READER) == [name for name in everything if name not in {"slow", "asks"}]
    assert await names(server, "Bearer one") == ["slow"]


async def test_a_call_beyond_the_scopes_is_told_how_to_step_up(server: Edge) -> None:
    async with server.client.post(server.url, **server.call("slow", Authorization=READER)) as response:
        body = await response.json()

    assert (response.status, response.headers["WWW-Authenticate"]) == (403, STEP_UP)
    assert (body["id"], body["error"]["code"]) == (1, -31403)
    assert body["error"]["message"] == (
        "slow needs the scope wand:execute (the scopes of this sign-in: wand:read)"
    )
    assert not server.tools.calls


async def test_so_is_one_in_a_session(server: Edge) -> None:
    headers = {**await server.initialize(key="reader")}
    asked = legacy("tools/call", {"name": "slow", "arguments": {}})

    async with server.client.post(server.url, json=asked, headers=headers) as response:
        assert (response.status, response.headers["WWW-Authenticate"]) == (403, STEP_UP)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {"uri": "wand://host/info"}),
        ("prompts/get", {"name": "x"}),
        ("completion/complete", {"ref": {}}),
    ],
)
async def test_what_reads_needs_the_scope_to_read(server: Edge, method: str, params: dict[str, Any]) -> None:
    asked = server.modern(method, params, Authorization="Bearer one")
    async with server.client.post(server.url, **asked) as response:
        assert response.status == 403
        assert 'scope="wand:read wand:tool:slow"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("method", "key"),
    [("resources/list", "resources"), ("resources/templates/list", "resourceTemplates"),
     ("prompts/list", "prompts")],
)  # fmt: skip
async def test_who_may_not_read_sees_nothing_to_read(server: Edge, method: str, key: str) -> None:
    _, nothing = await server.ask(**server.modern(method, Authorization="Bearer one"))
    _, something = await server.ask(**server.modern(method, Authorization=READER))

    assert nothing["result"][key] == []
    assert something["result"][key]


async def test_on_a_websocket_it_is_a_failed_call(server: Edge) -> None:
    headers = {"Authorization": READER}
    async with server.client.ws_connect(server.url, headers=headers, protocols=["mcp"]) as ws:
        await ws.send_json(server.call("slow")["json"])
        answer = json.loads((await ws.receive(5)).data)["result"]
        await ws.send_json(server.call("echo", {"text": "x"})["json"])
        echoed = json.loads((await ws.receive(5)).data)["result"]

    assert answer["isError"]
    assert answer["content"][0]["text"].startswith("InsufficientScope: slow needs the scope wand:execute")
    assert not echoed["isError"]


async def test_who_asks_for_no_tool_that_there_is_learns_only_names_that_they_may_call(server: Edge) -> None:
    status, body = await server.ask(**server.call("slo", Authorization=READER))

    assert status == 400
    assert "slow" not in body["error"]["message"]


async def test_without_a_token_a_client_is_told_where_to_get_one(server: Edge) -> None:
    async with server.client.post(server.url, **server.call("echo", Authorization=None)) as response:
        challenge = response.headers["WWW-Authenticate"]
    async with server.client.post(server.url, **server.call("echo", Authorization="Bearer x")) as response:
        refused = response.headers["WWW-Authenticate"]

    assert challenge == (
        f'Bearer realm="wand", scope="wand:read wand:write wand:execute", resource_metadata="{METADATA}"'
    )
    assert 'error="invalid_token"' in refused
