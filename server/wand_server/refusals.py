"""What a service's refusal means, in our family of errors."""

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from wand_proto.errors import Conflict, Denied, Exhausted, Invalid, NotFound, Unavailable, WandError

_MOST_CHARACTERS = 500
_SAID = (
    "message",
    "Message",
    "Error",
    "error_description",
    "errorMessages",
    "detail",
    "description",
    "title",
    "error",
    "errors",
)
_KINDS: dict[int, type[WandError]] = {
    401: Denied, 402: Denied, 403: Denied, 407: Denied, 451: Denied,
    404: NotFound, 410: NotFound,
    409: Conflict, 412: Conflict, 423: Conflict, 428: Conflict,
    408: Unavailable, 425: Unavailable, 429: Exhausted,
}  # fmt: skip


def retry_after(headers: Mapping[str, str]) -> float | None:
    """So many seconds a service asks us to wait; RFC 9110, 10.2.3: seconds, or a date."""
    said = headers.get("retry-after", "")
    if said.isascii() and said.replace(".", "", 1).isdigit():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def of(status: int, body: Any, retry_after: float | None = None) -> WandError:
    """The error that a status means; its message is what the service said."""
    if status >= 500:
        kind: type[WandError] = Unavailable
    elif status < 400:
        return Unavailable(f"answers with a redirect ({status}), which is not followed")
    else:
        kind = _KINDS.get(status, Invalid)
    return kind(f"answers with {status}: {said(body) or 'no reason given'}", hint=_hint(status, retry_after))


def _hint(status: int, retry_after: float | None) -> str:
    if retry_after is not None:
        return f"try again in {retry_after:.0f} s"
    if status == 401:
        return "the administrator finds out what is wrong by: wand-server integrations check"
    return "what this sign-in may do there does not reach so far" if status == 403 else ""


def said(body: Any) -> str:
    """The reason in an answer, as far as it gives one."""
    if isinstance(body, dict):
        for name in _SAID:
            if inner := body.get(name):
                return said(inner)
        return json.dumps(body, ensure_ascii=False)[:_MOST_CHARACTERS] if body else ""
    if isinstance(body, list):
        return "; ".join(filter(None, map(said, body[:5])))[:_MOST_CHARACTERS]
    return " ".join(str(body).split())[:_MOST_CHARACTERS] if body is not None else ""
