"""dockerd's API over its unix socket: HTTP/1.1, JSON in and out, and streams that take a connection over."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from wand_proto.errors import Ambiguous, Broken, Unavailable

API = "/v1.40"  # of Docker 19.03; everything that is asked for is in it
ANSWER_SECONDS = 30.0
MOST_BYTES = 16 * 1024 * 1024
_MOST_IDLE = 8
_LINE_BYTES = 64 * 1024
_HINT = "is dockerd running, and may the host agent's user open its socket?"


class EngineError(Exception):
    """dockerd says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Chunked:
    """What an answer brings in chunks, read as if there were none."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._left = 0
        self._is_over = False

    def at_eof(self) -> bool:
        """Whether nothing follows."""
        return self._is_over

    async def read(self, most: int) -> bytes:
        """What is there, or what comes next; nothing at the end."""
        if not self._left and not self._is_over:
            line = await self._reader.readuntil(b"\r\n")
            self._left = _size(line.decode().strip().partition(";")[0], 16)
            self._is_over = not self._left
        if self._is_over:
            return b""
        data = await self._reader.read(min(most, self._left))
        self._left -= len(data)
        if not data:
            raise asyncio.IncompleteReadError(b"", None)
        if not self._left:
            await self._reader.readexactly(2)
        return data

    async def readexactly(self, count: int) -> bytes:
        """So many bytes, as a StreamReader gives them."""
        found = bytearray()
        while len(found) < count:
            part = await self.read(count - len(found))
            if not part:
                raise asyncio.IncompleteReadError(bytes(found), count)
            found += part
        return bytes(found)


@dataclass(frozen=True, slots=True)
class Wire:
    """One connection."""

    reader: asyncio.StreamReader | Chunked
    writer: asyncio.StreamWriter

    def close(self) -> None:
        """Let go of it at once: what a job has not read would keep it open."""
        self.writer.transport.abort()

    @property
    def is_open(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    fields: Mapping[str, str]


class Engine:
    """Asks dockerd; connections are used again."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._idle: list[Wire] = []

    def close(self) -> None:
        """Close what is idle; who asks again opens anew."""
        idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        seconds: float | None = ANSWER_SECONDS,
    ) -> Any:
        """What dockerd answers, as JSON; None where it says nothing.

        Raises:
            Unavailable: it cannot be reached; nothing was done.
            Ambiguous: the link broke before the answer.
            EngineError: it says no.
        """
        wire = await self._wire()
        try:
            async with asyncio.timeout(seconds):
                head, content = await _exchange(wire, method, path, body, query)
        except BaseException as error:
            wire.close()
            if isinstance(error, TimeoutError):
                raise Ambiguous(f"dockerd did not answer {method} {path} within {seconds:g} s") from error
            if isinstance(error, OSError | EOFError | ValueError | asyncio.LimitOverrunError):
                raise Ambiguous(f"the link to dockerd broke at {method} {path}: {error}") from error
            raise
        self._give_back(wire, head)
        return _answer(head.status, content)

    async def take_over(self, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Wire:
        """A connection on which a job's streams run from now on, for the caller to close; raises as `ask`."""
        extra = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
        return await self._begun(_request("POST", path, body, query, extra), path)

    async def listen(self, path: str, query: Mapping[str, str]) -> Wire:
        """A connection on which an answer comes that has no end yet, for the caller to close; as `ask`."""
        wire = await self._begun(_request("GET", path, None, query), path)
        assert isinstance(wire.reader, asyncio.StreamReader)
        return Wire(Chunked(wire.reader), wire.writer)

    async def _begun(self, request: bytes, path: str) -> Wire:
        """A connection of its own, on which dockerd has said yes to that."""
        reader, writer = await self._open()
        wire = Wire(reader, writer)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write(request)
                await writer.drain()
                head = await _head(reader)
                if head.status in {101, 200}:
                    return wire
                content = await _content(reader, head)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError) as error:
            wire.close()
            raise Ambiguous(f"the link to dockerd broke at {path}: {error}") from error
        except BaseException:
            wire.close()
            raise
        wire.close()
        _answer(head.status, content)
        raise Broken(f"dockerd answered {head.status} to {path}")

    # -- connections ----------------------------------------------------------------------------------------

    async def _wire(self) -> Wire:
        while self._idle:
            wire = self._idle.pop()
            if wire.is_open:
                return wire
            wire.close()
        return Wire(*await self._open())

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.open_unix_connection(str(self.socket), limit=_LINE_BYTES)
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", "") or "no answer"
            raise Unavailable(f"dockerd cannot be reached at {self.socket}: {why}", hint=_HINT) from error

    def _give_back(self, wire: Wire, head: _Head) -> None:
        if head.fields.get("connection", "") == "close" or len(self._idle) >= _MOST_IDLE:
            wire.close()
        else:
            self._idle.append(wire)


def _request(method: str, path: str, body: Any, query: Mapping[str, str] | None, extra: str = "") -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    target = f"{API}{path}" + (f"?{urlencode(query)}" if query else "")
    kind = "Content-Type: application/json\r\n" if content else ""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: docker\r\n{kind}{extra}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode("ascii") + content


async def _exchange(
    wire: Wire, method: str, path: str, body: Any, query: Mapping[str, str] | None
) -> tuple[_Head, bytes]:
    wire.writer.write(_request(method, path, body, query))
    await wire.writer.drain()
    assert isinstance(wire.reader, asyncio.StreamReader)
    head = await _head(wire.reader)
    return head, await _content(wire.reader, head)


async def _head(reader: asyncio.StreamReader) -> _Head:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, status, *_ = lines[0].split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise ValueError(f"dockerd speaks {version!r:.40}")
    fields = (line.partition(":") for line in lines[1:] if line)
    return _Head(int(status), {name.strip().lower(): value.strip() for name, _, value in fields})


async def _content(reader: asyncio.StreamReader, head: _Head) -> bytes:
    if head.status in {204, 304}:
        return b""
    if head.fields.get("transfer-encoding", "") == "chunked":
        return await _chunks(reader)
    return await reader.readexactly(_size(head.fields.get("content-length", "0"), 10))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while size := _size((await reader.readuntil(b"\r\n")).decode().strip().partition(";")[0], 16):
        content += await reader.readexactly(size)
        await reader.readexactly(2)
        _size(f"{len(content)}", 10)
    await reader.readuntil(b"\r\n")
    return bytes(content)


def _size(text: str, base: int) -> int:
    size = int(text, base)
    if not 0 <= size <= MOST_BYTES:
        raise ValueError(f"an answer of {size} bytes; the most is {MOST_BYTES}")
    return size


def _answer(status: int, content: bytes) -> Any:
    found = None
    with contextlib.suppress(ValueError):
        found = json.loads(content) if content.strip() else None
    if status < 400:
        return found
    message = found.get("message", "") if isinstance(found, dict) else ""
    raise EngineError(status, str(message or f"status {status}"))


def is_gone(error: EngineError) -> bool:
    """Whether dockerd only says that there is no such thing any more, or that it does not run."""
    return error.status in {304, 404, 409}
