"""Streamable HTTP of 2026-07-28: one POST is one call, and hanging up cancels it."""

import asyncio
import logging
from typing import Any

from aiohttp import web

from wand_server.model import Principal
from wand_server.protocol import failures, messages
from wand_server.protocol.exchange import Exchange
from wand_server.protocol.failures import INVALID_REQUEST, ProtocolFailure
from wand_server.protocol.kernel import VERSION_HEADER, Kernel
from wand_server.protocol.messages import Message, Notification, Request
from wand_server.transports import replies

log = logging.getLogger(__name__)


class Reply:
    """The answer to one POST: a JSON body, or a stream from the first notification or a long silence on."""

    __slots__ = ("_lock", "_pinging", "_seconds", "_silent", "_stream", "request")

    def __init__(self, request: web.BaseRequest, silent: set["Reply"]) -> None:
        """`silent` has it from `begin` to `close`, for `be_silent`."""
        self.request = request
        self._silent = silent
        self._seconds = 0.0
        self._stream: web.StreamResponse | None = None
        self._lock: asyncio.Lock | None = None
        self._pinging: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on a long silence begins a stream, behind the answer too unless `close` follows."""
        self._silent.add(self)

    def be_silent(self, seconds: float) -> None:
        """So many more seconds have gone by without an answer."""
        self._seconds += seconds
        if self._seconds >= replies.PING_SECONDS and self._pinging is None:
            self._pinging = asyncio.create_task(self._ping())

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was sent yet, nor is about to be."""
        return self._stream is None and self._lock is None and self._pinging is None

    async def notify(self, message: dict[str, Any]) -> None:
        """Send a notification before the answer; to a client that is gone, nothing."""
        try:
            await self._write(replies.event(messages.write(message)))
        except ConnectionError:
            log.debug("notification dropped")  # the call's cancellation is on its way

    async def finish(self, body: dict[str, Any], status: int) -> web.StreamResponse:
        """Send the answer; its status counts only where no stream has begun."""
        self.close()
        if self._pinging is not None:
            await self.hush()
        if self._stream is None:
            return replies.as_json(body, status)
        await self._write(replies.event(messages.write(body)))
        await replies.end_stream(self.request, self._stream)
        return self._stream

    async def hush(self) -> None:
        """End the pings."""
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.wait([self._pinging])

    def close(self) -> None:
        """Begin no pings any more."""
        self._silent.discard(self)

    async def _ping(self) -> None:
        try:
            while True:
                await self._write(replies.PING)
                await asyncio.sleep(replies.PING_SECONDS)
        except ConnectionError:
            return  # the client is gone; the transport cancels the call

    async def _write(self, frame: bytes) -> None:
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._stream is None:
                self._stream = await replies.begin_stream(self.request)
            await replies.write(self.request, self._stream, frame)


async def post(kernel: Kernel, reply: Reply, message: Message, principal: Principal) -> web.StreamResponse:
    """Answer one POST of the stateless era.

    Raises:
        ProtocolFailure: the message is not one that this era knows, or contradicts its headers.
    """
    headers = reply.request.headers
    if isinstance(message, Notification):
        kernel.accept_version(headers.get(VERSION_HEADER))
        return web.Response(status=202)
    if not isinstance(message, Request):
        raise ProtocolFailure(INVALID_REQUEST, "a client sends requests and notifications, no responses")
    route = kernel.route(message, headers)
    exchange = Exchange(principal, message, reply.notify)
    reply.begin()
    try:
        body = failures.result(message.id, await kernel.answer(route, message, exchange))
        if reply.is_quiet:
            return replies.Whole(messages.write(body))
        return await reply.finish(body, 200)
    except ProtocolFailure as why:
        return await reply.finish(failures.error(why, message.id), why.status)
    finally:
        reply.close()
        if not reply.is_quiet:
            await reply.hush()
