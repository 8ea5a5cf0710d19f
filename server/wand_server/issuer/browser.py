"""One browser: the cookie by which it is known again, and the proof that a form was filled in there."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from wand_server.issuer.model import Untrusted
from wand_server.issuer.store import new_secret

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_LOST = "This page is too old, or cookies are off. Go back to the program, and begin again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """The cookie of our pages: only ours, only for HTTP, and brought along by nobody else's form."""

    secure: bool

    @property
    def name(self) -> str:
        """With TLS, a name that only this very host can set (RFC 6265bis, 4.1.3.2)."""
        return "__Host-wand" if self.secure else "wand"

    def secret(self, request: web.BaseRequest) -> str | None:
        """What the browser brings, where that can be one of ours."""
        told = request.cookies.get(self.name, "")
        return told if _SECRET.fullmatch(told) else None

    def give(self, response: web.StreamResponse, secret: str) -> None:
        """Have the browser bring that from now on, until it is closed."""
        response.set_cookie(self.name, secret, httponly=True, secure=self.secure, samesite="Lax", path="/")

    def ensure(self, request: web.BaseRequest) -> str:
        """The browser's secret, or a new one that it is yet to be given."""
        return self.secret(request) or new_secret()


def proof(secret: str, query: str, user: str, shown: Iterable[str] = ()) -> str:
    """What only a page of ours in that browser, for that person and that request, can bring back.

    `shown` is what the page said that is not in the request: a client's document may say something else now.
    """
    told = "\0".join(["wand form", secret, query, user, *shown])
    return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()


def check_form(request: web.BaseRequest, origin: str, expected: str, untrusted: str) -> None:
    """Let a form pass that was filled in on our own page.

    Raises:
        Untrusted: it comes from elsewhere, or belongs to another browser, person or request.
    """
    from_where = request.headers.getall("Origin", [origin])
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if from_where != [origin] or site != "same-origin":
        raise Untrusted(
            "This form was sent from another page. Go back to the program, and begin again.", status=403
        )
    if not hmac.compare_digest(expected.encode(), untrusted.encode(errors="replace")):
        raise Untrusted(_LOST, status=403)
