"""Signing in by a token that only its issuer can read: it is asked (RFC 7662), and believed for a moment."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wand_server.auth.asked import Asked, BadToken, Presented
from wand_server.auth.bearer import Known, Remembered, known
from wand_server.auth.claims import ClaimNames, principal_of
from wand_server.auth.compact import BYTES_CEILING, LEEWAY_SECONDS, looks_signed
from wand_server.auth.keyfile import PREFIX
from wand_server.auth.possession import Possession
from wand_server.model import Principal

REMEMBERED_SECONDS = 30.0  # how long a token still counts that its issuer has taken back
_REFUSED_SECONDS = 10.0
_MOST_REFUSED = 1024

Ask = Callable[[str], Awaitable[Mapping[str, Any]]]
"""What the issuer says of a token; raises Unavailable where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What an answer must say to be of a token for us."""

    issuer: str
    audiences: tuple[str, ...]
    names: ClaimNames


class Introspected:
    """Lets in who brings a token that its issuer calls active; offers `SignIn`."""

    def __init__(self, ask: Ask, meant: Meant, possession: Possession) -> None:
        self._ask = ask
        self._meant = meant
        self._possession = possession
        self._remembered = Remembered()
        self._refused: dict[str, float] = {}

    async def principal(self, presented: Presented, asked: Asked) -> Principal | None:
        """Who the issuer says it is; None where the token is of another kind.

        Raises:
            BadToken: it is no good.
            Unavailable: the issuer does not answer.
        """
        token = presented.token
        if looks_signed(token) or token.startswith(PREFIX):
            return None
        found = self._remembered.find(token)
        if found is None:
            found = await self._asked(token)
            self._remembered.keep(token, found)
        self._possession.check(found.confirmation, presented, asked)
        return found.principal

    async def is_over(self, principal: Principal) -> bool:
        """Never before it expires."""
        _ = principal
        return False

    async def _asked(self, token: str) -> Known:
        if len(token) > BYTES_CEILING or not token.isascii():
            raise BadToken("the token is malformed")
        if self._refused.get(token, 0.0) > time.monotonic():
            raise BadToken("the token is not active")
        answer = await self._ask(token)
        try:
            return read(answer, self._meant)
        except BadToken:
            self._refuse(token)
            raise

    def _refuse(self, token: str) -> None:
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        self._refused[token] = time.monotonic() + _REFUSED_SECONDS


def read(answer: Mapping[str, Any], meant: Meant) -> Known:
    """What an issuer's answer comes to.

    Raises:
        BadToken: the token is not active, not for us, or over.
    """
    if answer.get("active") is not True:
        raise BadToken("the token is not active")
    if answer.get("iss", meant.issuer) != meant.issuer:
        raise BadToken("the token was issued by somebody else (iss)")
    named = answer.get("aud")
    audiences = named if isinstance(named, list) else [named]
    if not any(one in meant.audiences for one in audiences if isinstance(one, str)):
        raise BadToken("the token was issued for somebody else (aud)")
    if answer.get("token_type") not in {None, "Bearer", "bearer", "DPoP", "access_token"}:
        raise BadToken("the token is of another kind (token_type)")
    _check_times(answer)
    told = {
        "sub": answer.get("client_id"),
        **answer,
    }  # a client by itself is its own subject
    found = known(told, principal_of(told, meant.names))
    return Known(
        principal=found.principal,
        confirmation=found.confirmation,
        until=min(found.until, time.time() + REMEMBERED_SECONDS),
    )


def _check_times(answer: Mapping[str, Any]) -> None:
    expires, begins, now = _number(answer.get("exp")), _number(answer.get("nbf", 0)), time.time()
    if expires is None or begins is None:
        raise BadToken("the issuer does not say when the token expires (exp)")
    if expires + LEEWAY_SECONDS <= now:
        raise BadToken("the token has expired")
    if begins - LEEWAY_SECONDS > now:
        raise BadToken("the token does not count yet")


def _number(untrusted: Any) -> float | None:
    is_one = isinstance(untrusted, int | float) and not isinstance(untrusted, bool)
    return float(untrusted) if is_one else None
