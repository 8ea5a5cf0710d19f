"""FastMCP over uvicorn. Usage: fast.py PORT."""

import asyncio
import sys

import uvicorn
from fastmcp import FastMCP

server = FastMCP("bench")


@server.tool
async def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool
async def true() -> str:
    """Run /bin/true."""
    child = await asyncio.create_subprocess_exec("/bin/true")
    return f"exit {await child.wait()}"


app = server.http_app(path="/mcp")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
