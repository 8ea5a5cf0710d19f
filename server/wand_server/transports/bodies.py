"""The body of a request: of the right kind, of a bearable size, in time."""

import asyncio

from aiohttp import hdrs, web

from wand_server.protocol.messages import BYTES_CEILING
from wand_server.transports import replies
from wand_server.transports.replies import Refused

BODY_SECONDS = 30.0


def check_kind(request: web.BaseRequest) -> None:
    """Let a body pass by its headers.

    Raises:
        Refused: it is no JSON, or encoded.
    """
    kind = request.headers.get(hdrs.CONTENT_TYPE)
    if kind != replies.JSON_TYPE and request.content_type.lower() != replies.JSON_TYPE:
        raise Refused(415, "Content-Type: must be application/json")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Refused(415, "Content-Encoding: must be identity")


async def read(request: web.BaseRequest) -> bytes:
    """The body.

    Raises:
        Refused: it is too large, too slow or broken.
    """
    content = request.content
    try:
        if content.is_eof():  # it is here
            body = content.read_nowait()
            if len(body) > BYTES_CEILING:
                raise _too_large()
            return body
        if (request.content_length or 0) > BYTES_CEILING:
            raise _too_large()
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as late:
        message = f"the body did not arrive within {BODY_SECONDS:g} seconds"
        raise Refused(408, message) from late
    except web.HTTPRequestEntityTooLarge as large:
        raise _too_large() from large
    except web.RequestPayloadError as broken:
        raise Refused(400, f"the body cannot be read: {broken}") from broken


def _too_large() -> Refused:
    return Refused(413, f"the body is larger than {BYTES_CEILING} bytes")
