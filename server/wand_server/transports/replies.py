"""Answers over HTTP: JSON-RPC bodies for everything, refusals too, and the frames of an event stream."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from wand_server.protocol import failures, messages
from wand_server.protocol.failures import INVALID_REQUEST, MessageId, ProtocolFailure

PING_SECONDS = 15.0  # silence after which a stream says that it lives
WRITE_SECONDS = 30.0  # a client that reads nothing for so long is gone
JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"
_UNREAD = frozenset({408, 413, 501, 505})  # the rest of the body is still under way, so the connection ends
PING = b": ping\r\n\r\n"
COME_BACK = b"retry: 2000\r\n\r\n"  # in so many ms; the last of a stream that ends because the server stops
SERVER = "wand"  # without a version, of ours or of what it is made with
_HTTP_1_1 = (1, 1)

_STREAM_HEADERS = {
    "Content-Type": STREAM_TYPE,
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class Refused(Exception):
    """A request that HTTP itself refuses, before any message is read."""

    def __init__(
        self, status: int, message: str, *, code: int = INVALID_REQUEST,
        headers: dict[str, str] | None = None, request_id: MessageId = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.failure = ProtocolFailure(code, message, request_id=request_id)


class Asking(web.BaseRequest):
    """A request, and whether its answer wants more headers than the answer itself has."""

    wants_more = False


class Whole(web.StreamResponse):
    """A good answer as JSON that leaves in one piece: the bytes of `web.Response` for a third of its price.

    A request that wants more said in the headers (of an older HTTP, of a web page, the last of its
    connection) has it from there. It has none of what a `web.StreamResponse` keeps of headers and state.
    """

    def __init__(self, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._whole = body
        self._more = headers
        self._instead: web.Response | None = None

    @property
    def keep_alive(self) -> bool | None:
        return True if self._instead is None else self._instead.keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        wants_more = not isinstance(request, Asking) or request.wants_more
        if request.version == _HTTP_1_1 and request.keep_alive and not wants_more:
            self._writer = request.writer
            return self._writer
        self._instead = web.Response(body=self._whole, content_type=JSON_TYPE, headers=self._more)
        return await self._instead.prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        if self._instead is not None:
            await self._instead.write_eof(data)
            return
        more = "".join([f"{name}: {value}\r\n" for name, value in self._more.items()]) if self._more else ""
        about = f"Content-Type: {JSON_TYPE}\r\nContent-Length: {len(self._whole)}\r\n"
        us = f"Date: {_date(int(time.time()))}\r\nServer: {SERVER}\r\n"
        head = f"HTTP/1.1 200 OK\r\n{more}{about}{us}\r\n"
        await self._writer.write_eof(head.encode() + self._whole)


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def as_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON body."""
    return web.Response(body=messages.write(body), status=status, content_type=JSON_TYPE, headers=headers)


def failed(failure: ProtocolFailure, request_id: MessageId = None) -> web.Response:
    """A JSON-RPC error under the status that goes with its code."""
    return as_json(failures.error(failure, request_id), failure.status)


def refused(why: Refused) -> web.Response:
    """A refusal as a JSON-RPC error, for clients read nothing else."""
    response = as_json(failures.error(why.failure), why.status, why.headers)
    if why.status in _UNREAD:
        response.force_close()
    return response


def event(body: bytes, event_id: str = "") -> bytes:
    """One message as a frame of an event stream."""
    name = f"id: {event_id}\r\n".encode() if event_id else b""
    return b"event: message\r\n" + name + b"data: " + messages.one_line(body) + b"\r\n\r\n"


async def begin_stream(request: web.BaseRequest, headers: dict[str, str] | None = None) -> web.StreamResponse:
    """Commit the answer to being an event stream.

    Raises:
        ConnectionError: the client is gone, or was.
    """
    response = web.StreamResponse(headers={**_STREAM_HEADERS, **(headers or {})})
    async with _reading(request):
        await response.prepare(request)
    response.headers.clear()  # they are sent, and a stream may be silent for hours
    request.protocol.keep_alive(val=True)  # the connection's own timer has nothing to watch until the end
    return response


async def write(request: web.BaseRequest, response: web.StreamResponse, frame: bytes) -> None:
    """Write a frame.

    Raises:
        ConnectionError: the client is gone, or was.
    """
    async with _reading(request):
        await response.write(frame)


async def end_stream(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Write the end of a stream.

    Raises:
        ConnectionError: the client is gone, or was.
    """
    async with _reading(request):
        await response.write_eof()


@asynccontextmanager
async def _reading(request: web.BaseRequest) -> AsyncIterator[None]:
    """Cut off a client that does not read."""
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            yield
    except TimeoutError as late:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client reads nothing") from late


def accepts(header: str) -> tuple[bool, bool]:
    """Whether a client takes JSON, and whether it takes an event stream."""
    if header == "application/json, text/event-stream":
        return True, True
    types = {part.partition(";")[0].strip().lower() for part in header.split(",")}
    return (
        not types.isdisjoint({JSON_TYPE, "application/*", "*/*"}),
        not types.isdisjoint({STREAM_TYPE, "text/*", "*/*"}),
    )
