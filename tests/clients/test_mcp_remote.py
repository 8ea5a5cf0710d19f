"""`mcp-remote`, by which clients that only start programs reach a server over HTTP."""

import os

from mcp import Client, StdioServerParameters

from support.clients import MODULES, Clients
from support.running import Running


async def test_a_client_reaches_the_server_through_mcp_remote(wand: Running, clients: Clients) -> None:
    words = [str(MODULES / "mcp-remote" / "dist" / "proxy.js"), wand.url, "--transport", "http-only"]
    header = ["--header", f"Authorization: Bearer {wand.key}"]
    environment = {
        "PATH": f"{clients.node.parent}:{os.environ['PATH']}",
        "HOME": str(clients.home),
        "MCP_REMOTE_CONFIG_DIR": str(clients.home / "remote"),
    }
    pipe = StdioServerParameters(command=str(clients.node), args=[*words, *header], env=environment)
    async with Client(pipe, mode="legacy") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        ran = await client.call_tool("execute_command", {"command": "echo through"})

    assert {"execute_command", "read_file"} <= listed
    assert ran.structured_content is not None
    assert ran.structured_content["stdout"] == "through\n"
