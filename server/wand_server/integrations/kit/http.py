"""The one HTTP client of all integrations: it paces, signs, sends, repeats what may be repeated, explains.

A request that may not be repeated and whose answer got lost is Ambiguous: nobody can say whether it was done.
"""

import asyncio
import io
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp

from wand_proto.errors import Ambiguous, Exhausted, Unavailable, WandError
from wand_server import outward, refusals
from wand_server.integrations.kit import bodies
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.kept import NOT_MODIFIED
from wand_server.integrations.kit.pace import Breaker, Bucket, Rate
from wand_server.integrations.kit.request import WITHOUT_BODY, Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.outward import PublicConnector, PublicResolver

MOST_SECONDS = 40.0  # for all tries of a call, so that its client still waits for the answer
_TRY_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_TRIES = 4
_MOST_BYTES = 8 * 1024 * 1024
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_UNTOLD = ("Content-Type",)  # aiohttp would tell one where we do not: Dropbox refuses that without a body
_GONE = frozenset({404, 410})
_ONWARD = frozenset({301, 302, 303, 307, 308})


class Signer(Protocol):
    """Signs the requests of one instance; one that waits for nobody has `is_instant`."""

    async def sign(self, request: Request) -> None:
        """Add what says who we are."""
        ...

    async def renew(self) -> bool:
        """The service did not accept it: whether there is something newer to try."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a service is, and how one gets there."""

    base_url: str
    hosts: tuple[str, ...] = ()  # beside the public internet, by name
    headers: Mapping[str, str] = field(default_factory=dict)
    rate: Rate | None = None
    tls: ssl.SSLContext | None = None  # where the public authorities are not those to trust


class Unsent(aiohttp.ClientError):
    """The request has not left: whatever it was, it can be tried again."""


class Barred(Unsent):
    """Nor will it: where it was to go is no place for it."""


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=max(0.1, seconds), connect=_CONNECT_SECONDS)


_USUAL = _timeout(_TRY_SECONDS)


class Client:
    """The requests of one instance of an integration; close it."""

    def __init__(self, address: Address, strike: Strike) -> None:
        self._address = address
        self._strike = strike
        self._bucket = Bucket(address.rate) if address.rate is not None else None
        self._breaker = Breaker()
        self.signer: Signer | None = None
        self._session: aiohttp.ClientSession | None = None
        self._home = {_origin(address.base_url)}

    @property
    def base_url(self) -> str:
        """Where the service is."""
        return self._address.base_url

    def also_at(self, url: str) -> None:
        """Sign what goes there too. Other addresses, which an answer may have named, get no sign-in."""
        self._home.add(_origin(url))

    def signed_by(self, signer: Signer) -> None:
        """Sign requests from now on."""
        self.signer = signer

    async def sign_in_anew(self) -> bool:
        """Whether there is a new sign-in in place of the one before; some have nothing that could be new."""
        return self.signer is not None and await self.signer.renew()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, request: Request, *, repeatable: bool | None = None, seconds: float | None = None
    ) -> Answered:
        """The answer to a request; `repeatable` says that to do it twice is to do it once.

        `seconds` is for all of it, where the usual time is too short.

        Raises:
            WandError: the service refuses, cannot be reached, or its answer got lost.
        """
        repeatable = request.method in _REPEATABLE if repeatable is None else repeatable
        try:
            return await self._tries(request, repeatable, time.monotonic() + (seconds or MOST_SECONDS))
        except WandError as error:
            error.message, error.hint = self._strike.out_of(error.message), self._strike.out_of(error.hint)
            raise

    async def _tries(self, request: Request, repeatable: bool, deadline: float) -> Answered:  # noqa: FBT001
        renewed = unsure = False
        for number in range(1, _TRIES + 1):
            answered, trouble = await self._try(request, deadline)
            if answered is not None:
                if answered.status == 401 and not renewed and self.signer and await self.signer.renew():
                    renewed = True
                    continue
                if unsure and request.method == "DELETE" and answered.status in _GONE:
                    return Answered(status=204, headers={}, body=None)  # the try before did it
                if answered.status < 300 or (answered.status == NOT_MODIFIED and _is_conditional(request)):
                    return answered
                if (onward := self._onward(request, answered)) is not None:
                    request = onward
                    continue
            seconds = _pause_seconds(number, answered)
            if not _may_go_on(answered, trouble, repeatable) or not _fits(number, seconds, deadline):
                raise self._failure(request, answered, trouble, repeatable)
            unsure = unsure or _may_be_done(answered, trouble)
            await asyncio.sleep(seconds)
        said = "does not accept our sign-in twice in a row" if renewed else "sends us on and on"
        raise Unavailable(said)

    def _onward(self, request: Request, answered: Answered) -> Request | None:
        """Where a file is kept, for a request that follows; the guard judges that address as every other."""
        where = answered.headers.get("location", "")
        if not request.follows or answered.status not in _ONWARD or not where:
            return None
        url = urljoin(replace(request, base_url=self._address.base_url).url, where)
        scheme = urlsplit(url).scheme
        if scheme != "https" and scheme != urlsplit(self._address.base_url).scheme:
            raise Unavailable(f"leads on to {scheme or 'no'}://, where nothing keeps it secret")
        return Request(method="GET", path=url, follows=True)

    async def _try(self, request: Request, deadline: float) -> tuple[Answered | None, Exception | None]:
        self._breaker.check()
        if self._bucket is not None:
            await self._bucket.take(deadline - time.monotonic())
        signed = request.copy()
        signed.base_url = self._address.base_url
        if "://" not in signed.path or _origin(signed.url) in self._home:
            signed.headers = {**self._address.headers, **signed.headers}
            await self._sign(signed, deadline)
        left = deadline - time.monotonic()  # signing may have taken some of it
        try:
            answered = await self.once(signed, left if left > MOST_SECONDS else min(_TRY_SECONDS, left))
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            self._breaker.failed()
            return None, why
        if answered.status >= 500:
            self._breaker.failed()
        else:
            self._breaker.answered()
        return answered, None

    async def _sign(self, request: Request, deadline: float) -> None:
        if self.signer is None:
            return
        if getattr(self.signer, "is_instant", False):  # and there is nothing to wait for
            await self.signer.sign(request)
            return
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self.signer.sign(request)
        except TimeoutError as late:
            raise Unavailable("no sign-in: there was no answer in time") from late

    async def once(self, request: Request, seconds: float = _TRY_SECONDS) -> Answered:
        """Send it as it is, once: for sign-in itself. Raises what aiohttp raises."""
        request.base_url = request.base_url or self._address.base_url
        body = request.encode()
        try:
            async with self._opened().request(
                request.method,
                request.url,
                params=request.query or None,
                headers=request.headers,
                data=io.BytesIO(body) if body is not None else None,  # which is read piece by piece
                skip_auto_headers=None if body is None and request.method in WITHOUT_BODY else _UNTOLD,
                allow_redirects=False,
                timeout=_USUAL if seconds == _TRY_SECONDS else _timeout(seconds),
            ) as response:
                return await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as why:
            raise (Barred if outward.is_barred(why) else Unsent)(outward.cause(why)) from why

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = PublicResolver(hosts=self._address.hosts)
            self._session = aiohttp.ClientSession(
                connector=PublicConnector(resolver, self._address.tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "wand"},
            )
            self._session._retry_connection = False  # noqa: SLF001 - what is sent again is decided above alone
        return self._session

    def _failure(
        self,
        request: Request,
        answered: Answered | None,
        trouble: Exception | None,
        repeatable: bool,  # noqa: FBT001
    ) -> WandError:
        if answered is not None and (answered.status < 500 or repeatable or answered.status == 503):
            return refusals.of(answered.status, answered.body, refusals.retry_after(answered.headers))
        if isinstance(trouble, Unsent):
            return Unavailable(f"cannot be reached: {trouble}")
        why = f"answers with {answered.status}" if answered else outward.cause(trouble)
        if repeatable:
            return Unavailable(f"cannot be reached: {why}")
        return Ambiguous(
            f"{request.method} {request.path} may have been done, or not: {why}",
            hint="look whether it was, before you ask again",
        )


def _is_conditional(request: Request) -> bool:
    return not request.headers.keys().isdisjoint({"If-None-Match", "If-Modified-Since"})


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _may_go_on(answered: Answered | None, trouble: Exception | None, repeatable: bool) -> bool:  # noqa: FBT001
    if answered is None:
        return not isinstance(trouble, Barred) and (repeatable or isinstance(trouble, Unsent))
    return answered.status == 429 or (answered.status >= 500 and answered.status != 501 and repeatable)


def _may_be_done(answered: Answered | None, trouble: Exception | None) -> bool:
    return answered.status >= 500 if answered is not None else not isinstance(trouble, Unsent)


def _fits(number: int, seconds: float, deadline: float) -> bool:
    return number < _TRIES and time.monotonic() + seconds < deadline


def _pause_seconds(number: int, answered: Answered | None) -> float:
    asked = refusals.retry_after(answered.headers) if answered is not None else None
    return asked if asked is not None else 0.25 * 2**number * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


async def _read(response: aiohttp.ClientResponse) -> Answered:
    raw = await _bounded(response)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answered(
        status=response.status,
        headers=headers,
        body=bodies.read(raw, headers.get("content-type", "")),
        raw=raw,
        cookies=_cookies(response) if "set-cookie" in headers else {},
    )


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length <= _MOST_BYTES and not _is_packed(response):
        return await response.read()
    raw = bytearray()
    async for piece in response.content.iter_chunked(65536):
        raw += piece
        if len(raw) > _MOST_BYTES:
            most = f"{_MOST_BYTES // 1024 // 1024} MiB"
            raise Exhausted(f"answers with more than {most}", hint="ask for less at once")
    return bytes(raw)


def _is_packed(response: aiohttp.ClientResponse) -> bool:
    """Whether there may be more of it than its length says."""
    return "Content-Encoding" in response.headers


def _cookies(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    return {name: cookie.value for name, cookie in response.cookies.items()}
