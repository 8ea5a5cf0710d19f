"""The bodies of requests, of the right kind and not large, and answers for programs."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from wand_server.issuer import asking
from wand_server.issuer.metadata import MOST_BYTES
from wand_server.issuer.model import Refusal

SECONDS = 10.0
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


async def read_form(request: web.BaseRequest) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        Refusal: it is none, is too large or too slow.
    """
    return asking.parameters(await _text(request))


async def read_fields(request: web.BaseRequest) -> dict[str, list[str]]:
    """The fields of a form of ours, some of them more than once.

    Raises:
        Refusal: it is none, is too large or too slow.
    """
    try:
        return parse_qs(await _text(request), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise Refusal("invalid_request", "the form cannot be read") from error


async def _text(request: web.BaseRequest) -> str:
    body = await read(request, _FORM)
    if not body.isascii():
        raise Refusal("invalid_request", "the form has characters that should be encoded")
    return body.decode("ascii")


async def read_json(request: web.BaseRequest) -> bytes:
    """A body of JSON, unread.

    Raises:
        Refusal: it is none, is too large or too slow.
    """
    return await read(request, _JSON)


async def read(request: web.BaseRequest, kind: str) -> bytes:
    """The body."""
    if request.content_type.lower() != kind:
        raise Refusal("invalid_request", f"Content-Type must be {kind}", status=415)
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.content.iter_chunked(4096):
                body += part
                if len(body) > MOST_BYTES:
                    raise Refusal("invalid_request", f"the body has over {MOST_BYTES} bytes", status=413)
    except TimeoutError as late:
        raise Refusal("invalid_request", f"the body took over {SECONDS:g} seconds", status=408) from late
    return bytes(body)


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON that nobody keeps, unless the headers say so."""
    text = json.dumps(body).encode()
    more = headers or {}
    kept = {} if "Cache-Control" in more else _NO_STORE
    said = {"X-Content-Type-Options": "nosniff", **kept, **more}
    return web.Response(body=text, status=status, content_type=_JSON, headers=said)


def refused(why: Refusal) -> web.Response:
    """A refusal, as a program reads it (RFC 6749, 5.2)."""
    response = answer({"error": why.code, "error_description": why.text}, why.status, why.headers)
    if why.status in {408, 413}:  # the rest of the body is under way
        response.force_close()
    return response
