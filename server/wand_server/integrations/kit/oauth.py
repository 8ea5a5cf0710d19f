"""Access tokens (RFC 6749), fetched once for all who wait, renewed early, and once more when refused."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel

from wand_proto.errors import Denied, Unavailable, WandError
from wand_server import refusals
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.http import Signer, Unsent
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, SignIn, secret

By = Literal["form", "basic"]
_EARLY_SECONDS = 60.0
_USUAL_SECONDS = 3600.0
_OLD_SECONDS = 5.0  # a token that is refused sooner than that is not the one that was just fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token, and for how long it can be used."""

    value: str
    seconds: float


class Tokens:
    """A signer that keeps a token for as long as it lasts."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Token]],
        clock: Callable[[], float] = time.monotonic,
        *,
        header: str = "Authorization",
        word: str = "Bearer ",
        uses: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`fetch` is asked for a token whenever there is none; `uses` is told of each use of one."""
        self._fetch = fetch
        self._clock = clock
        self._header = header
        self._word = word
        self._uses = uses
        self._fetching: asyncio.Task[str] | None = None
        self._value = ""
        self._until = self._since = 0.0

    async def sign(self, request: Request) -> None:
        is_good = self._value and self._clock() < self._until
        value = self._value if is_good else await self._fetched()
        self._uses(value)
        request.headers[self._header] = f"{self._word}{value}"

    async def _fetched(self) -> str:
        """A new one, for all who wait. It comes whoever gives up: it may have cost a refresh token."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._take(), name="access token")
            self._fetching.add_done_callback(self._has_come)
        try:
            return await asyncio.shield(self._fetching)
        except WandError as error:  # one for each of them, for some write into it
            raise type(error)(error.message, hint=error.hint, field=error.field) from error

    async def _take(self) -> str:
        token = await self._fetch()
        self._since = self._clock()
        early = min(_EARLY_SECONDS, token.seconds / 2)
        self._value, self._until = token.value, self._since + token.seconds - early
        return token.value

    def _has_come(self, fetching: asyncio.Task[str]) -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()  # whoever waited has it, or has gone

    async def renew(self) -> bool:
        """Forget the token; one that is younger than the refused request is kept."""
        if self._clock() - self._since > _OLD_SECONDS:
            self._value = ""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2(SignIn):
    """Client credentials (RFC 6749, 4.4), or a refresh token (6), which may be replaced at each use.

    `token_url` may have blanks that settings fill: `https://login.example/{tenant}/token`.
    """

    token_url: str
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    scope: str = ""
    by: By = "form"  # how the client says who it is
    more: Mapping[str, str] = field(default_factory=dict)  # fields of the form beside those of the RFC

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        client = _TokenClient(self, settings, send, strike)
        return Tokens(client.fetch)


class _TokenClient:
    """Asks one token endpoint."""

    def __init__(self, way: OAuth2, settings: BaseModel, send: Send, strike: Strike) -> None:
        self._way = way
        self._settings = settings
        self._send = send
        self._strike = strike
        self._refresh = secret(settings, "refresh_token") if way.grant == "refresh_token" else ""
        self._url = way.token_url.format(**settings.model_dump(mode="json"))

    async def fetch(self) -> Token:
        """A new token.

        Raises:
            Denied: the endpoint gives none.
            Unavailable: it cannot be asked.
        """
        body = await ask(self._send, self._request(), self._strike)
        if isinstance(newer := body.get("refresh_token"), str) and newer and self._refresh:
            self._refresh = newer
            self._strike.add(newer)
        return token_in(body)

    def _request(self) -> Request:
        way = self._way
        form = {"grant_type": way.grant, **way.more}
        if way.scope:
            form["scope"] = way.scope
        if self._refresh:
            form["refresh_token"] = self._refresh
        client = secret(self._settings, "client_id"), secret(self._settings, "client_secret")
        return token_request(self._url, form, client, way.by)


def token_request(url: str, form: Mapping[str, str], client: tuple[str, str], by: By) -> Request:
    """What a token endpoint is asked by a client of that id, and of that secret or none (RFC 6749, 2.3)."""
    headers, (name, password) = {"Accept": "application/json"}, client
    if by == "basic":
        headers["Authorization"] = aiohttp.encode_basic_auth(name, password)
        return Request(method="POST", path=url, form=dict(form), headers=headers)
    us = {"client_id": name, **({"client_secret": password} if password else {})}
    return Request(method="POST", path=url, form={**form, **us}, headers=headers)


async def ask(
    send: Send, request: Request, strike: Strike, *, name: str = "access_token", inside: str = ""
) -> Mapping[str, Any]:
    """What a token endpoint answers; the token in it is a secret from now on.

    Raises:
        Denied: it gives none.
        Unavailable: it cannot be asked.
    """
    answered = await answer_of(send, request, strike)
    whole = answered.body if isinstance(answered.body, dict) else {}
    within = whole.get(inside) if inside else None
    body = within if isinstance(within, dict) and within.get(name) else whole
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(request, answered, strike)
    strike.add(value)
    return body


async def answer_of(send: Send, request: Request, strike: Strike, *, good: Collection[int] = ()) -> Answered:
    """What whoever signs us in answers; `good` are statuses that are answers too.

    Raises:
        Denied: it does not sign us in.
        Unavailable: it cannot be asked.
    """
    try:
        answered = await send(request)
    except (aiohttp.ClientError, TimeoutError, OSError) as why:
        host = urlsplit(request.url).hostname
        raise Unavailable(f"no sign-in: {host} cannot be reached ({_cause(why)})") from why
    if answered.status in good:
        return answered
    if answered.status >= 500:
        host = urlsplit(request.url).hostname
        raise Unavailable(f"no sign-in: {host} answers with {answered.status}")
    if answered.status >= 400:
        raise _refused(request, answered, strike)
    return answered


def _cause(why: BaseException) -> str:
    return str(why) if isinstance(why, Unsent) else type(why).__name__


def _refused(request: Request, answered: Answered, strike: Strike) -> Denied:
    said = strike.out_of(refusals.said(answered.body))
    return Denied(f"no sign-in: {urlsplit(request.url).hostname} says {answered.status} {said}".rstrip())


def token_in(body: Mapping[str, Any], *, name: str = "access_token") -> Token:
    """The token in such an answer."""
    seconds = body.get("expires_in")
    is_number = isinstance(seconds, int | float) or (isinstance(seconds, str) and seconds.isdigit())
    return Token(value=body[name], seconds=float(seconds) if is_number and seconds else _USUAL_SECONDS)
