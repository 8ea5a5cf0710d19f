"""Asks a server for an answer that comes bit by bit; asks again where that may help, when it may."""

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from wand_proto.errors import Exhausted, Invalid, Unavailable
from wand_server import outward, refusals
from wand_server.orchestrator.work.models.trouble import Busy, Trouble
from wand_server.outward import PublicConnector, PublicResolver

_Answer = TypeVar("_Answer")
Read = Callable[[AsyncIterator[bytes]], Awaitable[_Answer]]
"""Reads a whole answer out of its pieces; raises Trouble."""

_CONNECT_SECONDS = 10.0
_MOST_REFUSAL_BYTES = 64 * 1024
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_TOO_LONG = ("prompt is too long", "context length", "context window", "maximum context", "exceed context")
_KEY = "see key in the table [model] of the settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a server is asked again, and how long it is waited for."""

    tries: int = 6
    first_seconds: float = 1.0  # before the second try; doubled for each one more
    most_seconds: float = 120.0  # before any try, also where the server asks for more
    idle_seconds: float = 300.0  # without a word: a model that has to be loaded first takes its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a model is asked, and what goes with each request."""

    url: str
    hosts: tuple[str, ...] = ()  # beside the public internet, by name
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    patience: Patience = Patience()


class Wire:
    """The requests to one server; close it."""

    def __init__(self, address: Address, without_secrets: Callable[[str], str]) -> None:
        """`without_secrets` strikes out of a text what must not leave."""
        self._address = address
        self._without_secrets = without_secrets
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, path: str, body: Mapping[str, Any], read: Read[_Answer]) -> _Answer:
        """The answer, when it is whole. To ask twice does nothing twice: only tokens are spent.

        Raises:
            Busy: it did not come, for all patience.
            WandError: the server refuses to give it.
        """
        patience = self._address.patience
        encoded = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        for number in range(patience.tries):
            try:
                return await self._once(path, encoded, read)
            except Trouble as trouble:
                wait = _pause(number, trouble, patience)
                if wait is None:
                    raise self._failure(trouble) from trouble
            await asyncio.sleep(wait)
        raise Unavailable("was asked often enough")

    async def _once(self, path: str, body: bytes, read: Read[_Answer]) -> _Answer:
        timeout = aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_SECONDS, sock_read=self._address.patience.idle_seconds
        )
        headers = {"Content-Type": "application/json", **self._address.headers}
        url = self._address.url.rstrip("/") + path
        try:
            async with self._opened().post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise await _refused(response)
                return await read(response.content.iter_any())
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            raise Trouble(f"cannot be reached: {outward.cause(why)}") from why

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = PublicResolver(hosts=self._address.hosts)
            self._session = aiohttp.ClientSession(
                connector=PublicConnector(resolver, self._address.tls, limit_per_host=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "wand"},
                read_bufsize=256 * 1024,
            )
        return self._session

    def _failure(self, trouble: Trouble) -> Exception:
        said, hint = map(self._without_secrets, (trouble.error.message, trouble.error.hint))
        error = type(trouble.error)(f"the model: {said}", hint=hint)
        return Busy(error, trouble.after_seconds) if trouble.may_pass else error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _pause(number: int, trouble: Trouble, patience: Patience) -> float | None:
    """How long to wait before it is asked again; None where that is no use."""
    if not trouble.may_pass or number + 1 >= patience.tries:
        return None
    asked = trouble.after_seconds
    if asked is not None:
        return asked if asked <= patience.most_seconds else None
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return min(patience.most_seconds, patience.first_seconds * 2.0**number) * jitter


async def _refused(response: aiohttp.ClientResponse) -> Trouble:
    raw = await response.content.read(_MOST_REFUSAL_BYTES)
    text = raw.decode("utf-8", "replace")
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    after = refusals.retry_after({name.lower(): value for name, value in response.headers.items()})
    error = refusals.of(response.status, body, after)
    if response.status == 401:
        error.hint = _KEY
    if response.status == 413 or (isinstance(error, Invalid) and is_too_long(error.message)):
        error = Exhausted(error.message, hint="give it less to read, or split the goal")
    return Trouble(error, may_pass=response.status in _MAY_PASS, after_seconds=after)


def is_too_long(said: str) -> bool:
    """Whether a refusal says that the conversation is longer than the model can read."""
    return any(words in said.lower() for words in _TOO_LONG)
