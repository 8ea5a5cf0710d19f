"""Documents about ourselves that anybody may read, each one body that does not change while we run."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from wand_server.protocol import messages
from wand_server.transports import replies
from wand_server.transports.routes import Open, Routes

_HEADERS = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}


def document(paths: Iterable[str], body: dict[str, Any]) -> Routes:
    """The routes that answer with that document."""
    whole = messages.write(body)

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=whole, content_type=replies.JSON_TYPE, headers=_HEADERS)

    return {path: {"GET": Open(answer)} for path in paths}
