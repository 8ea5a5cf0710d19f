"""Clients of every era and transport, each as little as is needed to call, to cancel and to be killed."""

import asyncio
import contextlib
import itertools
import json
import os
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from support.running import COMMAND, Running

MODERN, LEGACY = "2026-07-28", ("2025-11-25", "2025-06-18", "2025-03-26")
_ABOUT = {"name": "soak", "version": "1"}
_TYPES = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
_LINE_BYTES = 4 * 2**20

Answer = dict[str, Any]


class Client(Protocol):
    """A client that is connected."""

    async def ask(self, method: str, params: Mapping[str, Any]) -> Answer:
        """The whole JSON-RPC answer; cancelled, it tells the server so in the way of its transport."""

    def kill(self) -> None:
        """Go as a process goes that was killed: nothing more is said."""


Connect = Callable[[], contextlib.AbstractAsyncContextManager[Client]]


def every(wand: Running) -> list[tuple[str, Connect]]:
    """All ways in, by name."""
    ways: list[tuple[str, Connect]] = [
        (f"HTTP {version}", partial(over_http, wand, version)) for version in (MODERN, *LEGACY)
    ]
    for version in (MODERN, LEGACY[0]):
        ways.append((f"WebSocket {version}", partial(over_websocket, wand, version)))
        ways.append((f"stdio {version}", partial(over_stdio, wand, version)))
    return ways


def envelope(version: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as that version sends them."""
    if version != MODERN:
        return dict(params)
    prefix = "io.modelcontextprotocol"
    meta = {f"{prefix}/protocolVersion": version, f"{prefix}/clientInfo": _ABOUT}
    return {**params, "_meta": {**meta, f"{prefix}/clientCapabilities": {}}}


@dataclass
class HttpClient:
    """Streamable HTTP; a session where the version has them."""

    http: aiohttp.ClientSession
    url: str
    version: str
    session: str = ""
    number: int = 0

    async def ask(self, method: str, params: Mapping[str, Any]) -> Answer:
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method}
        try:
            return await self._post({**message, "params": envelope(self.version, params)})
        except asyncio.CancelledError:
            if self.version != MODERN:  # there, hanging up cancels nothing
                told = {"requestId": self.number, "reason": "not wanted any more"}
                await self.tell("notifications/cancelled", told)
            raise

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        await self._post({"jsonrpc": "2.0", "method": method, "params": dict(params)})

    async def begin(self) -> None:
        if self.version != MODERN:
            about = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": _ABOUT}
            await self.ask("initialize", about)
            await self.tell("notifications/initialized", {})

    async def end(self) -> None:
        if self.session:
            async with self.http.delete(self.url, headers=self._headers({})):
                pass

    def kill(self) -> None:
        assert self.http.connector is not None
        self.http.connector._close()  # at once, as a killed process does
        self.session = ""

    def _headers(self, message: Mapping[str, Any]) -> dict[str, str]:
        headers = {**_TYPES, "MCP-Protocol-Version": self.version}
        if self.session:
            headers["Mcp-Session-Id"] = self.session
        if self.version == MODERN:
            headers["Mcp-Method"] = message["method"]
            if name := message["params"].get("name") or message["params"].get("uri"):
                headers["Mcp-Name"] = name
        return headers

    async def _post(self, message: Mapping[str, Any]) -> Answer:
        async with self.http.post(self.url, json=message, headers=self._headers(message)) as response:
            self.session = response.headers.get("Mcp-Session-Id", self.session)
            if response.content_type == "application/json":
                found: Answer = await response.json()
                return found
            async for line in response.content:
                part = json.loads(line[5:]) if line.startswith(b"data:") and line[5:].strip() else {}
                if part.get("id") == message.get("id") and "method" not in part:
                    return dict(part)
        if "id" in message:
            raise ConnectionError(f"no answer came to {message['method']}: {response.status}")
        return {}


@asynccontextmanager
async def over_http(wand: Running, version: str) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(headers=wand.headers, read_bufsize=_LINE_BYTES) as http:
        client = HttpClient(http, wand.url, version)
        await client.begin()
        yield client
        await client.end()


async def abandon_sessions(wand: Running, number: int) -> None:
    """Begin so many sessions that nobody will end: what is kept for clients that have left is full then."""
    async with aiohttp.ClientSession(headers=wand.headers) as http:
        for _ in range(number):
            await HttpClient(http, wand.url, LEGACY[0]).begin()


class LineClient:
    """Messages one by one over something that carries text: a WebSocket, or a pipe."""

    def __init__(self, version: str, send: Callable[[str], Any], kill: Callable[[], object]) -> None:
        self.version = version
        self._kill = kill
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def ask(self, method: str, params: Mapping[str, Any]) -> Answer:
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await self._say({"id": number, "method": method, "params": envelope(self.version, params)})
            return await answer
        except asyncio.CancelledError:
            told = envelope(self.version, {"requestId": number, "reason": "not wanted any more"})
            with contextlib.suppress(ConnectionError):  # it was killed
                await self._say({"method": "notifications/cancelled", "params": told})
            raise
        finally:
            del self._waiting[number]

    async def begin(self) -> None:
        if self.version != MODERN:
            about = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": _ABOUT}
            await self.ask("initialize", about)
            await self._say({"method": "notifications/initialized", "params": {}})

    def kill(self) -> None:
        self._kill()

    async def _say(self, message: Mapping[str, Any]) -> None:
        await self._send(json.dumps({"jsonrpc": "2.0", **message}))

    def take(self, text: str | bytes) -> None:
        message = json.loads(text)
        answer = self._waiting.get(message.get("id")) if "method" not in message else None
        if answer is not None and not answer.done():
            answer.set_result(message)

    def lose(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the connection has ended"))


@asynccontextmanager
async def over_websocket(wand: Running, version: str) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession(headers=wand.headers) as http,
        http.ws_connect(wand.url, protocols=("mcp",), max_msg_size=_LINE_BYTES) as socket,
    ):
        assert http.connector is not None
        client = LineClient(version, socket.send_str, http.connector._close)

        async def read() -> None:
            async for message in socket:
                client.take(message.data)
            client.lose()

        async with _reading(read()):
            await client.begin()
            yield client


@asynccontextmanager
async def over_stdio(wand: Running, version: str) -> AsyncIterator[Client]:
    environment = {**os.environ, "WAND_SOCKET": str(socket_of(wand))}
    pipe = await asyncio.create_subprocess_exec(
        COMMAND, "stdio", env=environment, limit=_LINE_BYTES,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    writer, reader = pipe.stdin, pipe.stdout
    assert writer is not None
    assert reader is not None

    async def send(text: str) -> None:
        writer.write(text.encode() + b"\n")
        await writer.drain()

    client = LineClient(version, send, pipe.kill)

    async def read() -> None:
        async for line in reader:
            client.take(line)
        client.lose()

    try:
        async with _reading(read()):
            await client.begin()
            yield client
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await pipe.wait()


def socket_of(wand: Running) -> Path:
    """Where that Wand's pipes connect."""
    told = tomllib.loads((wand.state / "server.toml").read_text())
    return Path(told["stdio"]["socket"])


@asynccontextmanager
async def _reading(read: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(read)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
