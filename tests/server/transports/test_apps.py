"""The extension io.modelcontextprotocol/ui, and the icon, over a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.edge import LEGACY, Edge, edge, legacy
from support.host import FakeHost
from wand_server.protocol.reading import Library
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.registry import Registry
from wand_server.tools.resources import HostResources

UI = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
SHOWS: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"extensions": UI}}
INFO = "io.modelcontextprotocol/serverInfo"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    host = FakeHost()
    library = Library(HostResources(host), BuiltInPrompts())
    async with edge(tmp_path, Registry(host), library=library) as running:
        yield running


def views_of(body: dict[str, Any]) -> dict[str, str]:
    tools = body["result"]["tools"]
    return {tool["name"]: tool["_meta"]["ui"]["resourceUri"] for tool in tools if "_meta" in tool}


async def test_pages_are_named_to_clients_that_show_them_and_can_be_read(server: Edge) -> None:
    _, plain = await server.ask(**server.modern("tools/list"))
    _, named = await server.ask(**server.modern("tools/list", {"_meta": SHOWS}))

    assert views_of(plain) == {}
    assert views_of(named).keys() == {"execute_command", "send_input", "write_file", "manage_file"}
    for uri in views_of(named).values():
        _, read = await server.ask(**server.modern("resources/read", {"uri": uri}, Mcp_Name=uri))
        (content,) = read["result"]["contents"]
        assert content["mimeType"] == "text/html;profile=mcp-app"
        assert content["_meta"]["ui"]["csp"]["connectDomains"] == []


async def test_a_client_of_the_handshake_era_can_show_them_too(server: Edge) -> None:
    about = {
        "protocolVersion": LEGACY,
        "capabilities": {"extensions": UI},
        "clientInfo": {"name": "probe", "version": "7"},
    }
    async with server.client.post(
        server.url, json=legacy("initialize", about, 0), headers=server.headers()
    ) as response:
        session = response.headers["Mcp-Session-Id"]
        greeting = (await response.json())["result"]
    headers = server.headers(Mcp_Session_Id=session, MCP_Protocol_Version=LEGACY)

    _, listed = await server.ask(json=legacy("tools/list"), headers=headers)

    assert views_of(listed)["execute_command"] == "ui://wand/job"
    assert greeting["serverInfo"]["icons"][0]["mimeType"] == "image/svg+xml"


async def test_the_icon_is_told_once_and_not_with_every_answer(server: Edge) -> None:
    _, found = await server.ask(**server.modern("server/discover"))
    _, called = await server.ask(**server.call("get_system_info"))

    assert found["result"]["_meta"][INFO]["icons"][0]["src"].startswith("data:image/svg+xml;base64,")
    assert "icons" not in called["result"]["_meta"][INFO]
    assert "io.modelcontextprotocol/ui" in found["result"]["capabilities"]["extensions"]
