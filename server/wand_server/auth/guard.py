"""A request in, a Principal or a refusal out."""

import logging
from typing import Protocol

from wand_proto.errors import Unauthenticated
from wand_server.auth.keys import Keys
from wand_server.auth.origins import Origins
from wand_server.model import Principal

log = logging.getLogger(__name__)

CHALLENGE = 'Bearer realm="wand"'
_HINT = "send the header Authorization: Bearer wand_..., with a key from wand-server keys add"


class Headers(Protocol):
    """The headers of a request, every line of each."""

    def getall(self, name: str, default: list[str]) -> list[str]: ...


class Guard:
    """Decides who asks, from the headers alone."""

    def __init__(self, keys: Keys, origins: Origins) -> None:
        self._keys = keys
        self._origins = origins

    def principal(self, headers: Headers, peer: str) -> Principal:
        """Who asks.

        Raises:
            Misdirected: the request was meant for another server.
            Denied: it comes from a page that is not permitted.
            Unauthenticated: it brings no key, or one that is not ours.
        """
        self._origins.check(headers.getall("Host", []), headers.getall("Origin", []))
        name = self._keys.owner(_bearer(headers.getall("Authorization", [])))
        if name is None:
            log.warning("key refused", extra={"peer": peer})
            raise Unauthenticated("the API key is not known here", hint=_HINT)
        return Principal(name=name, means="api_key")


def _bearer(untrusted: list[str]) -> str:
    if not untrusted:
        raise Unauthenticated("an API key is needed", hint=_HINT)
    scheme, _, token = untrusted[0].partition(" ")
    if len(untrusted) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("must be one Bearer token", hint=_HINT, field="Authorization")
    return token.strip()
