"""Signing in by a token that only its issuer can read: it is asked (RFC 7662), and believed for a moment."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import WandError
from wand_server.auth.asked import Asked, BadToken, Presented
from wand_server.auth.bearer import Known, Remembered, known
from wand_server.auth.claims import ClaimNames, principal_of
from wand_server.auth.compact import BYTES_CEILING, LEEWAY_SECONDS, looks_signed
from wand_server.auth.keyfile import PREFIX
from wand_server.auth.possession import Possession
from wand_server.model import Principal

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 30.0  # how long a token still counts that its issuer has taken back
KEPT_SECONDS = 300.0  # how long one counts whose issuer cannot be reached
_REFUSED_SECONDS = 10.0
_MOST_REFUSED, _MOST_HELD = 1024, 4096
_NAME_CHARACTERS = 16

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

    def __init__(
        self, ask: Ask, meant: Meant, possession: Possession, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._meant = meant
        self._possession = possession
        self._clock = clock
        self._remembered = Remembered()
        self._refused: dict[str, float] = {}
        self._held: OrderedDict[str, _Held] = OrderedDict()  # by what principals call them, the newest last

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
        """Whether its issuer has taken it back, as far as is known: it is asked now and then, beside this.

        One that has expired was not taken back. One whose issuer has not answered for long was.
        """
        held = self._held.get(principal.credential) if principal.means == "token" else None
        if held is None or (principal.expires or 0.0) <= time.time():
            return False
        now = self._clock()
        if held.asking is None and now - held.asked >= REMEMBERED_SECONDS:
            held.asked = now
            held.asking = asyncio.create_task(self._ask_again(held), name="token asked about")
        return held.is_over or now - held.unanswered_since >= KEPT_SECONDS

    async def _ask_again(self, held: "_Held") -> None:
        try:
            read(await self._ask(held.token), self._meant)
            held.unanswered_since = float("inf")
        except BadToken:
            held.is_over = True
        except WandError as why:
            held.unanswered_since = min(held.unanswered_since, held.asked)
            log.warning("token not asked about", extra={"issuer": self._meant.issuer, "why": str(why)})
        finally:
            held.asking = None

    def _hold(self, token: str, credential: str) -> None:
        self._held[credential] = _Held(token=token, asked=self._clock())
        self._held.move_to_end(credential)
        if len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)

    async def _asked(self, token: str) -> Known:
        if len(token) > BYTES_CEILING or not token.isascii():
            raise BadToken("the token is malformed")
        if self._refused.get(token, 0.0) > time.monotonic():
            raise BadToken("the token is not active")
        answer = await self._ask(token)
        try:
            found = read({"sid": _name(token), **answer}, self._meant)
        except BadToken:
            self._refuse(token)
            raise
        self._hold(token, found.principal.credential)
        return found

    def _refuse(self, token: str) -> None:
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        self._refused[token] = time.monotonic() + _REFUSED_SECONDS


@dataclass(slots=True)
class _Held:
    """A token by which somebody is here."""

    token: str
    asked: float  # when, the last time
    unanswered_since: float = float("inf")
    is_over: bool = False
    asking: asyncio.Task[None] | None = None


def _name(token: str) -> str:
    """What a token is called of which the issuer tells no id."""
    return hashlib.sha256(token.encode()).hexdigest()[:_NAME_CHARACTERS]


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
