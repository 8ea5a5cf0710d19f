"""Which handler answers which path and method; every answer is JSON-RPC, refusals and what breaks too.

A table and aiohttp's low-level server: its application would find the way by patterns, which we have none of.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from wand_proto.context import REQUEST_ID, new_request_id
from wand_server.protocol import failures
from wand_server.protocol.failures import ProtocolFailure
from wand_server.protocol.messages import BYTES_CEILING
from wand_server.transports import replies
from wand_server.transports.replies import Refused

log = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[str, Mapping[str, Handler]]
"""For each path, for each method: who answers."""

_HTTP_1_1 = (1, 1)


def server(routes: Routes, **more: Any) -> web.Server:
    """What speaks HTTP on a connection, and asks those routes."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            if "Expect" in request.headers:
                await _encourage(request)
            return await _handler(routes, request)(request)
        except Refused as why:
            return replies.refused(why)
        except ProtocolFailure as why:
            return replies.failed(why)
        except web.HTTPException as why:
            return replies.refused(Refused(why.status, why.reason))
        except ConnectionError:
            return web.Response(status=400)  # to nobody: the client is gone
        except Exception:
            REQUEST_ID.set(new_request_id())
            log.exception("request broke", extra={"path": request.path})
            return replies.as_json(failures.error(failures.internal(REQUEST_ID.get())), 500)

    return web.Server(handle, request_factory=_request, **more)


def _handler(routes: Routes, request: web.BaseRequest) -> Handler:
    methods = routes.get(request.raw_path) or routes.get(request.path)
    if methods is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here: MCP is served at /mcp")
    handler = methods.get(request.method)
    if handler is None:
        allow = {"Allow": ",".join(sorted(methods))}
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed", headers=allow)
    return handler


async def _encourage(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to go on and send the body."""
    if request.version < _HTTP_1_1:
        return
    if request.headers["Expect"].lower() != "100-continue":
        raise Refused(HTTPStatus.EXPECTATION_FAILED, "Expect: must be 100-continue")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # it counts for no part of the answer


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BYTES_CEILING)
