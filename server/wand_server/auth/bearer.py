"""Signing in by a signed access token (RFC 6750, 9068): of our own issuer, another's, or a key in a file."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wand_server.auth import compact
from wand_server.auth.asked import Asked, BadToken, Presented, TooLate
from wand_server.auth.claims import ClaimNames, check_kind, principal_of
from wand_server.auth.compact import Expected
from wand_server.auth.possession import Possession
from wand_server.auth.tokens import PublicKey, TokenKeys
from wand_server.model import Principal

REMEMBERED_SECONDS = 60.0  # how long a token that was good need not be verified again
_MOST_REMEMBERED = 4096
ACCESS_TOKENS = ("at+jwt",)
ANY_TOKENS = ("at+jwt", "jwt", "")  # of issuers that are older than RFC 9068


IsOver = Callable[[str], Awaitable[bool]]
"""Whether the token of that id was taken back before it expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """An issuer whose tokens are let in."""

    keys: TokenKeys
    audiences: tuple[str, ...]
    names: ClaimNames
    types: tuple[str, ...] = ACCESS_TOKENS
    is_over: IsOver | None = None

    @property
    def expected(self) -> Expected:
        return Expected(issuer=self.keys.issuer, audiences=self.audiences, types=self.types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A token that was good: who brought it, by which key it must be proven, and until when it counts."""

    principal: Principal
    confirmation: Mapping[str, Any]
    until: float


class Remembered:
    """Tokens that were good a moment ago, by their hash; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def find(self, token: str) -> Known | None:
        found = self._known.get(_digest(token))
        return found if found is not None and time.time() < found.until else None

    def keep(self, token: str, known: Known) -> None:
        self._known[_digest(token)] = known
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)


class Tokens:
    """Lets in who brings a good token of a trusted issuer; offers `SignIn`."""

    def __init__(self, trusted: Iterable[Trusted], possession: Possession) -> None:
        self._trusted = {one.keys.issuer: one for one in trusted}
        self._possession = possession
        self._remembered = Remembered()

    async def principal(self, presented: Presented, asked: Asked) -> Principal | None:
        """Who the token speaks of; None where it is no signed token.

        Raises:
            BadToken: it is no good.
            Unavailable: the issuer's keys cannot be had.
        """
        if not compact.looks_signed(presented.token):
            return None
        known = self._remembered.find(presented.token)
        if known is None:
            known = await self._verified(presented.token)
            self._remembered.keep(presented.token, known)
        self._possession.check(known.confirmation, presented, asked)
        if await self.is_over(known.principal):
            raise TooLate("the token was taken back")
        return known.principal

    async def is_over(self, principal: Principal) -> bool:
        """Whether its token was taken back, where an issuer tells that."""
        if principal.means != "token":
            return False
        for one in self._trusted.values():
            if one.is_over is not None and await one.is_over(principal.credential):
                return True
        return False

    async def _verified(self, token: str) -> Known:
        parts = compact.apart(token)
        trusted = self._issuer(parts.unverified.get("iss"))
        key = await _key(trusted.keys, parts.kid)
        claims = compact.verified(token, parts, key, trusted.expected)
        check_kind(claims)
        return known(claims, principal_of(claims, trusted.names))

    def _issuer(self, untrusted: Any) -> Trusted:
        found = self._trusted.get(untrusted) if isinstance(untrusted, str) else None
        if found is None:
            raise BadToken("the token's issuer is not trusted here (iss)")
        return found


def known(claims: Mapping[str, Any], principal: Principal) -> Known:
    """What there is to remember of a good token."""
    confirmation = claims.get("cnf", {})
    if not isinstance(confirmation, dict):
        raise BadToken("cnf must be an object")
    until = time.time() + REMEMBERED_SECONDS
    return Known(
        principal=principal,
        confirmation=confirmation,
        until=min(until, principal.expires + compact.LEEWAY_SECONDS) if principal.expires else until,
    )


async def _key(keys: TokenKeys, kid: str) -> PublicKey:
    found = await keys.key(kid)
    if found is None:
        raise BadToken("the token is signed by a key that its issuer does not publish (kid)")
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
