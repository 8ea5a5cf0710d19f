"""Which handler answers which path and method, and who may ask; every answer is JSON-RPC, refusals too.

A table and aiohttp's low-level server: its application would find the way by patterns, which we have none of.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from wand_proto.context import REQUEST_ID, new_request_id
from wand_server.model import Principal
from wand_server.protocol import failures
from wand_server.protocol.failures import ProtocolFailure
from wand_server.protocol.messages import BYTES_CEILING
from wand_server.transports import cors, replies
from wand_server.transports.replies import Refused
from wand_server.transports.speaking import Server

log = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
KnowingHandler = Callable[[web.BaseRequest, Principal], Awaitable[web.StreamResponse]]
SignIn = Callable[[web.BaseRequest], Awaitable[Principal]]
"""Who asks; raises Refused where nobody is let in."""


@dataclass(frozen=True, slots=True)
class Open:
    """A route that answers anybody: what it says, strangers may know."""

    handler: Handler


@dataclass(frozen=True, slots=True)
class Guarded:
    """A route that is answered to those who have signed in."""

    handler: KnowingHandler


Routes = Mapping[str, Mapping[str, Open | Guarded]]
"""For each path, for each method: who answers whom."""

_HTTP_1_1 = (1, 1)
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def server(
    routes: Routes,
    sign_in: SignIn,
    permits: cors.Permits = lambda _: False,
    headers: Mapping[str, str] = _NO_HEADERS,
    **more: Any,
) -> web.Server:
    """What speaks HTTP on a connection, and asks those routes; what is guarded asks `sign_in` first.

    Pages of the origins that `permits` lets in may read the answers, and all of them have `headers`.
    """

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            _check_framing(request)
            if cors.is_preflight(request) and "OPTIONS" not in (methods := _methods(routes, request)):
                return cors.preflight(request, methods, permits)
            if hdrs.EXPECT in request.headers:
                await _encourage(request)
            route = _route(routes, request)
            if isinstance(route, Open):
                return await route.handler(request)
            return await route.handler(request, await sign_in(request))
        except (Refused, ProtocolFailure, web.HTTPException, ConnectionError) as why:
            return _told(why)
        except Exception:
            REQUEST_ID.set(new_request_id())
            log.exception("request broke", extra={"path": request.path})
            return replies.as_json(failures.error(failures.internal(REQUEST_ID.get())), 500)

    return Server(answer, request_factory=_factory(permits, headers), **more)


def _told(why: Refused | ProtocolFailure | web.HTTPException | ConnectionError) -> web.Response:
    """A refusal as an answer."""
    match why:
        case Refused():
            return replies.refused(why)
        case ProtocolFailure():
            return replies.failed(why)
        case web.HTTPException():
            return replies.refused(Refused(why.status, why.reason))
        case ConnectionError():
            return web.Response(status=400)  # to nobody: the client is gone


def _route(routes: Routes, request: web.BaseRequest) -> Open | Guarded:
    methods = _methods(routes, request)
    route = methods.get(request.method)
    if route is None:
        allow = {"Allow": ",".join(sorted(methods))}
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed", headers=allow)
    return route


def _methods(routes: Routes, request: web.BaseRequest) -> Mapping[str, Open | Guarded]:
    methods = routes.get(request.raw_path)
    if methods is None:
        _check_form(request)
        methods = routes.get(request.path)
    if methods is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here: MCP is served at /mcp")
    return methods


def _check_form(request: web.BaseRequest) -> None:
    """Let a target pass that is a path, or an address with the host that Host says (RFC 9112, 3.2.2)."""
    if request.raw_path.startswith("/"):
        return
    if [request.url.raw_authority] != [host.lower() for host in request.headers.getall("Host", [])]:
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "Host: is another than the one of the request's target")


async def _encourage(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to go on and send the body."""
    if request.version < _HTTP_1_1:
        return
    if request.headers["Expect"].lower() != "100-continue":
        raise Refused(HTTPStatus.EXPECTATION_FAILED, "Expect: must be 100-continue")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # it counts for no part of the answer


class _Asked(replies.Asking):
    """A request whose answer names the server without a version, of ours or of what it is made with."""

    always: Mapping[str, str] = _NO_HEADERS
    refusal: Refused | None = None  # of its framing, whatever it asks

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        """Called by aiohttp before the headers of any answer leave."""
        response.headers["Server"] = replies.SERVER
        if self.always:
            response.headers.update(self.always)


class _FromPage(_Asked):
    """A request whose answer a web page may be permitted to read."""

    permits: cors.Permits = staticmethod(lambda _: False)

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        cors.name_back(self.headers["Origin"], response.headers, self.permits)


def _refusal(message: RawRequestMessage) -> Refused | None:
    """Why a request whose body comes in chunks, or whose version is another than usual, cannot be read."""
    if message.version > HttpVersion11:
        return Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is spoken here")
    codings = [one.strip().lower() for one in message.headers.getall(hdrs.TRANSFER_ENCODING, [])]
    if codings != ["chunked"] or message.version < HttpVersion11:
        return Refused(HTTPStatus.NOT_IMPLEMENTED, "Transfer-Encoding: must be chunked, in HTTP/1.1")
    return None


def _check_framing(request: web.BaseRequest) -> None:
    if isinstance(request, _Asked) and request.refusal is not None:
        raise request.refusal


def _factory(permits: cors.Permits, headers: Mapping[str, str]) -> Callable[..., web.BaseRequest]:
    loop = asyncio.get_running_loop()

    def request(
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        refusal = _refusal(message) if message.chunked or message.version > HttpVersion11 else None
        if refusal is not None:
            message = message._replace(version=HttpVersion11)  # in which it is told so
        kind = _FromPage if hdrs.ORIGIN in message.headers else _Asked
        made = kind(message, payload, protocol, writer, task, loop, client_max_size=BYTES_CEILING)
        if refusal is not None:
            made.refusal, made.wants_more = refusal, True
        if headers:
            made.always, made.wants_more = headers, True
        if isinstance(made, _FromPage):
            made.permits = permits
            made.wants_more = True
        return made

    return request
