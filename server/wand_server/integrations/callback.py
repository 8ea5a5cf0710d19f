"""The page to which a browser comes back after a person let a service be used; it shows them their code."""

import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from html import escape

from aiohttp import web

from wand_proto.errors import WandError
from wand_server.integrations.kit.consent import Consents

log = logging.getLogger(__name__)

PATH = "/integrations/callback"
_MOST_CHARACTERS = 4096
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.3rem } code { font-size: 1.5rem; user-select: all }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def routes(consents: Consents) -> Mapping[str, Mapping[str, Handler]]:
    """For each path, for each method, what answers."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        untrusted = {name: value[:_MOST_CHARACTERS] for name, value in request.query.items()}
        try:
            instance, person, code = await consents.came_back(untrusted)
        except WandError as why:
            log.info("a sign-in to a service by its link failed", extra={"why": why.message})
            return _page(400, "That did not work", escape(f"{why.message}. {why.hint}".strip()))
        return _page(200, "One more step", _told(instance, person[1], code))

    return {PATH: {"GET": answer}}


def _told(instance: str, name: str, code: str) -> str:
    return (
        f"<p>You have let your account be used at <b>{escape(instance)}</b>, by agents of "
        f"<b>{escape(name)}</b>.</p><p>If that is you, and you asked for it, tell your agent this code:</p>"
        f"<p><code>{escape(code)}</code></p>"
        "<p>If somebody else sent you the link, tell nobody the code, and close this page.</p>"
    )


def _page(status: int, title: str, html: str) -> web.Response:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>{html}</html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)
