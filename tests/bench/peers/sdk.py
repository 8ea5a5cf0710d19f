"""The official SDK's own server over uvicorn. Usage: sdk.py PORT high|low."""

import asyncio
import logging
import sys
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer


async def run_true() -> str:
    child = await asyncio.create_subprocess_exec("/bin/true")
    return f"exit {await child.wait()}"


def high_level() -> Any:
    """As the SDK's first page shows it: functions with a decorator."""
    server = MCPServer("bench")

    @server.tool()
    async def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool()
    async def true() -> str:
        """Run /bin/true."""
        return await run_true()

    return server.streamable_http_app()


def low_level() -> Any:
    """The SDK without its conveniences: no schema is checked, no result shaped."""

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text = await run_true() if params.name == "true" else str((params.arguments or {})["text"])
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        schema = {"type": "object"}
        return types.ListToolsResult(
            tools=[types.Tool(name=name, inputSchema=schema) for name in ("echo", "true")]
        )

    return Server("bench", on_call_tool=call_tool, on_list_tools=list_tools).streamable_http_app()


logging.getLogger("mcp").setLevel("WARNING")
app = high_level() if sys.argv[2] == "high" else low_level()
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
