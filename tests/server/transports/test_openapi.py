"""The description of the HTTP surface says what there is, and answers keep to it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.edge import Edge, edge
from support.tree import ROOT
from wand_server.transports.routes import Guarded

DESCRIBED: dict[str, Any] = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def test_every_route_is_described_and_no_other(server: Edge) -> None:
    routes = {(path, method.lower()) for path, table in server.transport.routes().items() for method in table}

    assert routes == {(path, method) for path, table in DESCRIBED["paths"].items() for method in table}


def test_what_is_guarded_is_described_so(server: Edge) -> None:
    for path, table in server.transport.routes().items():
        for method, route in table.items():
            described = DESCRIBED["paths"][path][method.lower()]
            assert isinstance(route, Guarded) == ("security" in described)


HEADERS: list[dict[str, str | None]] = [
    {}, {"Authorization": None}, {"Accept": "text/plain"}, {"Content-Type": "text/plain"},
    {"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Mcp_Session_Id": "none"},
    {"MCP_Protocol_Version": "1"},
    {"MCP_Protocol_Version": "2026-07-28"}, {"Last_Event_ID": "x"}, {"Upgrade": "websocket"},
]  # fmt: skip


@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_an_answer_is_one_that_is_described(
    server: Edge, method: str, headers: dict[str, str | None]
) -> None:
    described = DESCRIBED["paths"]["/mcp"][method]["responses"]
    for body in (b"", b"{}", b"[]", b'{"jsonrpc":"2.0","id":1,"method":"ping"}'):
        async with server.client.request(
            method, server.url, data=body or None, headers=server.headers(**headers)
        ) as answer:
            assert str(answer.status) in described
            told = await answer.json()

        assert told["jsonrpc"] == "2.0"
        assert answer.status < 400 or {"code", "message"} <= told["error"].keys()
