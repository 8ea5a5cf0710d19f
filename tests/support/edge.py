"""A server on loopback and on a unix socket, with tools that remember, and ways to talk to it."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from support.tools import FakeTools
from wand_server.auth import keyfile, keys
from wand_server.auth.asked import SignIn
from wand_server.auth.challenge import Challenge
from wand_server.auth.guard import Guard
from wand_server.auth.origins import Origins
from wand_server.offers import Tools
from wand_server.protocol.reading import Library
from wand_server.protocol.server import Conduct, build
from wand_server.transports.http import HttpTransport
from wand_server.transports.stdio import Admitted, UnixTransport

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "7"},
}
TYPES = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass
class Edge:
    """A running HTTP transport, the key that opens it, and a client's session."""

    transport: HttpTransport
    tools: Any  # FakeTools, where nothing else was given
    client: aiohttp.ClientSession
    key: str
    other_key: str
    health: list[bool] = field(default_factory=lambda: [True])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.transport.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def headers(self, **more: str | None) -> dict[str, str]:
        base: dict[str, str | None] = {**TYPES, "Authorization": f"Bearer {self.key}"}
        merged = {**base, **{name.replace("_", "-"): value for name, value in more.items()}}
        return {name: value for name, value in merged.items() if value is not None}

    def modern(
        self, method: str, params: dict[str, Any] | None = None, **headers: str | None
    ) -> dict[str, Any]:
        """What `post` needs for a stateless request."""
        params = {**(params or {})}
        params["_meta"] = {**ENVELOPE, **params.get("_meta", {})}
        routing: dict[str, str | None] = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if method == "tools/call":
            routing["Mcp-Name"] = str(params["name"])
        if method.startswith("tasks/"):
            routing["Mcp-Name"] = str(params["taskId"])
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return {"json": body, "headers": self.headers(**{**routing, **headers})}

    def call(
        self, tool: str, arguments: dict[str, Any] | None = None, **headers: str | None
    ) -> dict[str, Any]:
        return self.modern("tools/call", {"name": tool, "arguments": arguments or {}}, **headers)

    async def ask(self, **request: Any) -> tuple[int, Any]:
        """POST, and the status and JSON that come back."""
        async with self.client.post(self.url, **request) as response:
            return response.status, await response.json()

    async def initialize(self, version: str = LEGACY, key: str = "") -> dict[str, str]:
        """Open a session; the headers under which it is used."""
        about = {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "probe", "version": "7"},
        }
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about}
        headers = self.headers(Authorization=f"Bearer {key or self.key}")
        async with self.client.post(self.url, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            session = response.headers["Mcp-Session-Id"]
            assert (await response.json())["result"]["protocolVersion"] == version
        headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": version}
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        async with self.client.post(self.url, json=note, headers=headers) as response:
            assert response.status == 202
        return headers


def legacy(method: str, params: dict[str, Any] | None = None, message_id: str | int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params or {}}


@asynccontextmanager
async def edge(
    folder: Path,
    tools: Tools | None = None,
    *,
    library: Library | None = None,
    legacy_sse: bool = False,
    ways: Sequence[SignIn] = (),
    challenge: Challenge | None = None,
) -> AsyncIterator[Edge]:
    """A server on a free port of loopback, and one client; `ways` to sign in beside the keys."""
    tools = tools or FakeTools()
    file = folder / "keys.toml"
    key, other = keyfile.add(file, "probe"), keyfile.add(file, "other")
    kernel = build(
        tools,
        library,
        version="1.2.3",
        instructions="Use it.",
        conduct=Conduct(patience_seconds=0, look_seconds=0.005),
    )
    health = [True]
    guard = Guard(keys.Keys(file), Origins(), ways, challenge)
    transport = HttpTransport(kernel, guard, hostagent_is_up=lambda: health[0], legacy_sse=legacy_sse)
    async with transport, aiohttp.ClientSession() as client:
        yield Edge(transport, tools, client, key, other, health)
    await kernel.close()


@asynccontextmanager
async def unix_edge(folder: Path, tools: FakeTools, *, allowed_uid: int = -1) -> AsyncIterator[Path]:
    """A server on a unix socket, for this user or another; the socket's path."""
    kernel = build(tools, version="1.2.3", instructions="Use it.")
    uid = os.geteuid() if allowed_uid < 0 else allowed_uid
    path = folder / "s"
    async with UnixTransport(kernel, path, admitted=Admitted(uids=frozenset({uid}))):
        yield path


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name, which has 107 characters at most."""
    folder = tempfile.mkdtemp(prefix="w", dir="/tmp")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)
