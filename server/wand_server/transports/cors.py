"""Cross-origin requests of the web pages that the settings name (the Fetch standard, "CORS protocol").

A page is named back, and never answered with `*`. Cookies are not asked for, for a page signs in by a token
in Authorization: so no answer has Access-Control-Allow-Credentials.
"""

from collections.abc import Callable, Collection

from aiohttp import web
from multidict import CIMultiDict

from wand_server.transports.replies import Refused

Permits = Callable[[str], bool]
"""Whether a page of that origin may ask."""

EXPOSED = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After, Last-Event-ID, DPoP-Nonce"
SENT = (
    "Authorization, Content-Type, Accept, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, "
    "Last-Event-ID, DPoP"
)
_PREFLIGHT_SECONDS = 600


def is_preflight(request: web.BaseRequest) -> bool:
    """Whether a browser asks what a page may ask."""
    if request.method != "OPTIONS":
        return False
    return "Origin" in request.headers and "Access-Control-Request-Method" in request.headers


def preflight(request: web.BaseRequest, methods: Collection[str], permits: Permits) -> web.Response:
    """The answer to a browser: what that page may ask here; argument headers of tools too.

    Raises:
        Refused: that page may ask nothing.
    """
    if not permits(request.headers["Origin"]):
        hint = "add the page's origin to http.allowed_origins in the settings"
        raise Refused(403, f"Origin: this page is not permitted ({hint})")
    asked = request.headers.get("Access-Control-Request-Headers", "").split(",")
    params = [word.strip() for word in asked if word.strip().lower().startswith("mcp-param-")]
    headers = {
        "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
        "Access-Control-Allow-Headers": ", ".join([SENT, *params]),
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
    return web.Response(status=204, headers=headers)


def name_back(origin: str, headers: CIMultiDict[str], permits: Permits) -> None:
    """Let the page read an answer, where it may; what lies between is told that the answer depends on it."""
    headers.add("Vary", "Origin")
    if permits(origin):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = EXPOSED
