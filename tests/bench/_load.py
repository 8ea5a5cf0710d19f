"""The load: a closed loop of connections that call one tool, each answer checked; loopback only."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Era = Literal["modern", "legacy"]
VERSION = {"modern": "2026-07-28", "legacy": "2025-11-25"}
_PREFIX = "io.modelcontextprotocol"
_DEADLINE_SECONDS = 20  # for one answer; more is a failure of the peer, not a slow answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One tool of one server: where it is, what to ask, and what every right answer holds."""

    port: int
    era: Era
    tool: str
    arguments: Mapping[str, Any]
    proof: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Run:
    """What a load saw."""

    calls: int = 0
    wrong: int = 0
    wall_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    first_wrong: bytes = b""


def request(target: Target, body: Mapping[str, Any], more: Mapping[str, str]) -> bytes:
    payload = json.dumps(body, separators=(",", ":")).encode()
    headers = {
        "Host": f"127.0.0.1:{target.port}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Content-Length": str(len(payload)),
        "MCP-Protocol-Version": VERSION[target.era],
        **target.headers,
        **more,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + payload


def call(target: Target, session: str) -> bytes:
    """The tools/call of the target, in the words of its era."""
    params: dict[str, Any] = {"name": target.tool, "arguments": dict(target.arguments)}
    more = {"Mcp-Session-Id": session} if session else {}
    if target.era == "modern":
        more = {"Mcp-Method": "tools/call", "Mcp-Name": target.tool}
        params["_meta"] = {
            f"{_PREFIX}/protocolVersion": VERSION["modern"],
            f"{_PREFIX}/clientInfo": {"name": "bench", "version": "1"},
            f"{_PREFIX}/clientCapabilities": {},
        }
    return request(target, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, more)


class Connection(asyncio.Protocol):
    """One keep-alive connection; an answer is the whole of it, headers first."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answer is not None and not self._answer.done() and _is_whole(self._buffer):
            self._answer.set_result(bytes(self._buffer))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def ask(self, wire: bytes) -> asyncio.Future[bytes]:
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionResetError("the server closed the connection")
        self._buffer.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(wire)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _is_whole(buffer: bytearray) -> bool:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(buffer[:end]).lower()
    if b"transfer-encoding: chunked" in head:
        return buffer.endswith(b"\r\n0\r\n\r\n")
    _, found, rest = head.partition(b"content-length:")
    return len(buffer) - end - 4 >= (int(rest.split(b"\r\n", 1)[0]) if found else 0)


async def connect(port: int) -> Connection:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(Connection, "127.0.0.1", port))[1]


async def open_session(target: Target) -> str:
    """A session of the legacy era; the modern one has none."""
    if target.era == "modern":
        return ""
    connection = await connect(target.port)
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            return await _shake_hands(target, connection)
    finally:
        connection.close()


async def _shake_hands(target: Target, connection: Connection) -> str:
    hello = {
        "protocolVersion": VERSION["legacy"],
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    first = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    answer = await connection.ask(request(target, first, {}))
    lines = answer.partition(b"\r\n\r\n")[0].decode().splitlines()
    found = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("mcp-session-id:")]
    if not found:
        return ""
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await connection.ask(request(target, ready, {"Mcp-Session-Id": found[0]}))
    return found[0]


class Load:
    """One target and its sessions; connections are new for each run, for a server may drop idle ones."""

    def __init__(self, target: Target, wires: list[bytes]) -> None:
        self.target = target
        self._wires = wires

    async def run(self, seconds: float) -> Run:
        """Call as fast as the answers come, on every connection, for `seconds`."""
        run = Run()
        connections = [await connect(self.target.port) for _ in self._wires]
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for connection, wire in zip(connections, self._wires, strict=True):
                group.create_task(self._one(connection, wire, run, began + seconds))
        run.wall_seconds = time.perf_counter() - began
        for connection in connections:
            connection.close()
        return run

    async def _one(self, connection: Connection, wire: bytes, run: Run, until: float) -> None:
        while (sent := time.perf_counter()) < until:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                answer = await connection.ask(wire)
            run.latencies.append(time.perf_counter() - sent)
            run.calls += 1
            if not answer.startswith(b"HTTP/1.1 200") or self.target.proof not in answer:
                run.wrong += 1
                run.first_wrong = run.first_wrong or answer[:2000]


async def open_load(target: Target, connections: int) -> Load:
    sessions = [await open_session(target) for _ in range(connections)]
    return Load(target, [call(target, session) for session in sessions])
