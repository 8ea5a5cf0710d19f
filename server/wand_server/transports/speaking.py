"""What speaks HTTP on a connection; what cannot be read as HTTP is answered and logged without repeating it.

Of itself, aiohttp repeats to the client and to the log where it gave up: perhaps a header with a key in it.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, LineTooLong
from aiohttp.web_protocol import RequestHandler

from wand_server.transports import replies
from wand_server.transports.masked import Masked
from wand_server.transports.replies import Refused

log = logging.getLogger(__name__)


class Speaker(RequestHandler):
    """One connection."""

    __slots__ = ()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered: none has come but a part, or one is read to be dropped."""
        return not self._request_in_progress and not self._messages

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        """Read frames of WebSocket from now on."""
        super().set_parser(cast("Any", Masked(parser)), data_received_cb)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be read; after it the connection ends."""
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        log.warning("request unreadable", extra={"peer": request.remote, "why": type(exc).__name__})
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        response = replies.refused(_refusal(status, exc))
        response.force_close()
        return response


def _refusal(status: int, why: BaseException | None) -> Refused:
    match why:
        case ContentEncodingError():
            return Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding: must be identity")
        case LineTooLong():
            return Refused(status, "the request has a line that is too long")
        case _:
            return Refused(status, "the request cannot be read as HTTP/1.1")


class Server(web.Server):
    """Makes what speaks on each new connection."""

    def __call__(self) -> RequestHandler:
        return Speaker(self, loop=self._loop, **self._kwargs)
