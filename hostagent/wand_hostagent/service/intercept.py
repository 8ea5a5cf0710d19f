"""Who is at the counter: every call passes here first, and every failure leaves through here.

Only a peer whose certificate bears an accepted name gets to a handler. Which caller it speaks for comes as
metadata beside the call; handlers find it with `caller()`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import Any, Never, cast

import grpc
from grpc import aio

from wand_hostagent.service import peers
from wand_hostagent.service.peers import Peer
from wand_proto import context as metadata
from wand_proto import errors

_log = logging.getLogger("wand.hostagent.service")
_CALLER: ContextVar[metadata.Caller] = ContextVar("wand_caller")
_PEER: ContextVar[Peer] = ContextVar("wand_peer")
_TOLD_CHARACTERS = 1024
_DETAILS_CHARACTERS = 200  # of the status line, for people with other clients; ours reads the metadata

Context = aio.ServicerContext[Any, Any]
_Unary = Callable[[Any, Context], Awaitable[Any]]
_Streaming = Callable[[Any, Context], AsyncIterator[Any]]
_Both = Callable[[Any, Context], Awaitable[None]]


def caller() -> metadata.Caller:
    """Who asks, in the call that is being served."""
    return _CALLER.get()


def peer() -> Peer:
    """Who is at the other end, in the call or stream of calls that is being served."""
    return _PEER.get()


class Doorkeeper(aio.ServerInterceptor):
    """Admits the peers whose URI is in `uris` and no other, and knows whether anybody is inside."""

    def __init__(
        self, uris: Collection[str], refused: Callable[[Mapping[str, str]], None] = lambda _: None
    ) -> None:
        self._uris = frozenset(uris)
        self._refused = refused
        self._inside: set[asyncio.Task[Any]] = set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method: gRPC says so itself
            return None
        codec = (handler.request_deserializer, handler.response_serializer)
        method = handler_call_details.method
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._streaming(handler.unary_stream, method), *codec)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary, method), *codec)
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._both(handler.stream_stream, method), *codec)
        raise NotImplementedError(f"{method} streams its request alone; no such method is served")

    async def everybody_out(self, within_seconds: float) -> bool:
        """Wait until every admitted call has ended, its job killed and all; False where time ran out."""
        if not self._inside:
            return True
        _, left = await asyncio.wait(self._inside, timeout=within_seconds)
        return not left

    def _unary(self, behaviour: _Unary, method: str) -> _Unary:
        async def serve(request: Any, context: Context) -> Any:
            try:
                with self._admitted(context, method):
                    return await behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - the interceptor
                await _fail(context, error, method)

        return serve

    def _streaming(self, behaviour: _Streaming, method: str) -> Callable[[Any, Context], Awaitable[None]]:
        async def serve(request: Any, context: Context) -> None:
            try:
                # Closed by us, not by the garbage collector, wherever a cancellation strikes; and `write`
                # returns only when the peer's window has room: one message is in flight, never more.
                with self._admitted(context, method):
                    async with aclosing(cast("Any", behaviour(request, context))) as replies:
                        async for reply in replies:
                            await context.write(reply)
            except Exception as error:  # noqa: BLE001 - the interceptor
                await _fail(context, error, method)

        return serve

    def _both(self, behaviour: _Both, method: str) -> _Both:
        """A stream of calls: the peer is admitted here, and each call's caller by whoever serves them."""

        async def serve(requests: Any, context: Context) -> None:
            try:
                self._enter(context)
                with told(method):
                    await behaviour(requests, context)
            except Exception as error:  # noqa: BLE001 - the interceptor
                await _fail(context, error, method)

        return serve

    @contextmanager
    def _admitted(self, context: Context, method: str) -> Iterator[None]:
        """Around a call that may be served: its peer is admitted, its caller known."""
        came_by = self._enter(context)
        asking = metadata.from_metadata(
            cast("Iterable[tuple[str, str | bytes]]", context.invocation_metadata() or ()), peer=came_by.uri
        )
        metadata.REQUEST_ID.set(asking.request_id)
        _CALLER.set(asking)
        with told(method):
            yield

    def _enter(self, context: Context) -> Peer:
        """Let the peer of this call in, or raise what it is to be told."""
        seen = context.auth_context()
        try:
            came_by = peers.accepted(seen, self._uris)
        except errors.WandError as error:
            uri = b" ".join(seen.get("peer_uri") or ()).decode("utf-8", "backslashreplace")
            told = {"uri": uri[:_TOLD_CHARACTERS], "address": context.peer(), "why": error.message}
            _log.warning("peer refused", extra=told)
            self._refused(told)
            raise
        _PEER.set(came_by)
        task = asyncio.current_task()
        assert task is not None  # gRPC gives every call a task of its own
        self._inside.add(task)
        task.add_done_callback(self._inside.discard)
        return came_by


@contextmanager
def told(method: str) -> Iterator[None]:
    """Around a call that is served: one line of log tells of it, and `answerable` of one that failed."""
    began, ended = time.monotonic(), "cancelled"
    try:
        yield
        ended = "ok"
    except Exception:
        ended = ""
        raise
    finally:
        if ended:
            ms = round((time.monotonic() - began) * 1000, 1)
            _log.info("call served", extra={"method": method, "ended": ended, "ms": ms})


def answerable(error: Exception, method: str) -> errors.WandError:
    """What the caller may know of an error; the rest is logged."""
    if isinstance(error, errors.WandError):
        _log.info("call failed", extra={"method": method, "kind": type(error).__name__, "field": error.field})
        return error
    _log.error("call broke", extra={"method": method}, exc_info=error)
    return errors.Broken("the host agent failed", hint="its log tells more, under the same request id")


async def _fail(context: Context, error: Exception, method: str) -> Never:
    """End the call with what the caller may know of the error."""
    if isinstance(error, aio.BaseError):  # gRPC's own: the peer is gone, or the call was ended already
        raise error
    told_error = answerable(error, method)
    await context.abort(
        grpc.StatusCode[told_error.code],
        str(told_error)[:_DETAILS_CHARACTERS],
        trailing_metadata=errors.to_metadata(told_error),
    )
