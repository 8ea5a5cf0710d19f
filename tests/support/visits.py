"""Calls to a running Wand by the official Python client."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from support.lines import whole_lines
from support.running import Running
from support.waiting import until

CALL_SECONDS = 45


@asynccontextmanager
async def client_of(wand: Running, mode: Any = "2026-07-28", **more: Any) -> AsyncIterator[Client]:
    """A client over HTTP, with the key."""
    async with (
        httpx2.AsyncClient(headers=wand.headers, timeout=CALL_SECONDS) as http,
        Client(streamable_http_client(wand.url, http_client=http), mode=mode, **more) as client,
    ):
        yield client


async def use(wand: Running, tool: str, **arguments: Any) -> Any:
    """The result of one call, by a client of its own."""
    async with asyncio.timeout(CALL_SECONDS), client_of(wand) as client:
        return await client.call_tool(tool, arguments)


async def run(wand: Running, command: str, **arguments: Any) -> dict[str, Any]:
    """What execute_command answers as an object."""
    result = await use(wand, "execute_command", command=command, **arguments)
    assert result.structured_content is not None, result.content
    return dict(result.structured_content)


async def until_it_answers(wand: Running) -> None:
    """Wait until a command runs again, where a part has just been ended."""
    deadline = time.monotonic() + 25
    while not await _answers(wand):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def _answers(wand: Running) -> bool:
    with contextlib.suppress(Exception):  # whatever the client raises while nobody listens
        return str((await run(wand, "echo back"))["stdout"]) == "back\n"
    return False


async def begun(wand: Running, command: str, mark: str) -> "asyncio.Task[CallToolResult]":
    """A call of that command, once its output has come all the way and a process with the mark runs."""
    heard = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        if "begun" in (message or ""):
            heard.set()

    async def call() -> CallToolResult:
        async with client_of(wand) as client:
            asked = {"command": f"echo begun; {command}"}
            return await client.call_tool("execute_command", asked, progress_callback=on_progress)

    calling = asyncio.create_task(call())
    await asyncio.wait_for(heard.wait(), 20)
    await until(lambda: marked(mark))
    return calling


def text_of(result: Any) -> str:
    """What a model reads of a result."""
    return str(result.content[0].text)


def mark() -> str:
    """Seconds that nobody else sleeps, by which a process can be found."""
    return f"1{secrets.randbelow(10**8):08}"


def marked(mark: str) -> list[int]:
    """The processes that have `mark` among their words."""
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _holds(path, mark)]


def _holds(path: Path, mark: str) -> bool:
    try:
        return mark in path.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False


def pid_of(wand: Running, holds: Callable[[list[str]], bool]) -> int:
    """The one child of the supervisor whose words are like that."""
    for child in Path(f"/proc/{wand.pid}/task/{wand.pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        if holds(words):
            return int(child)
    raise AssertionError("there is no such child")


def server_pid(wand: Running) -> int:
    return pid_of(wand, lambda words: any(word.endswith("server.toml") for word in words))


def agent_pid(wand: Running) -> int:
    return pid_of(wand, lambda words: any(word.endswith("hostagent.toml") for word in words))


def launcher_pid(wand: Running) -> int:
    return pid_of(wand, lambda words: any(word.endswith("launcher.sock") for word in words))


def recorded(wand: Running, event: str) -> list[dict[str, Any]]:
    """What the ledger tells of such events."""
    lines = whole_lines(wand.state / "ledger" / "ledger.jsonl")
    return [line["fields"] for line in map(json.loads, lines) if line["event"] == event]


def raw_call(wand: Running, tool: str, arguments: dict[str, Any]) -> bytes:
    """A tools/call as the bytes of an HTTP request."""
    about = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": about}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = {
        **wand.headers,
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        "Content-Length": str(len(body)),
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["POST /mcp HTTP/1.1", *lines, "", body]).encode()
