"""Client ID metadata documents: fetched from the public internet alone, small, soon, and kept for a while.

The address comes from a stranger. So it has a name with a dot, the name is looked up once, what it stands for
is judged, and the connection goes just there; no redirect is followed, and nothing is sent but the request.
"""

import asyncio
import logging
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver

from wand_server.issuer import metadata
from wand_server.issuer.model import Client, Refusal
from wand_server.outward import PublicResolver

log = logging.getLogger(__name__)

SECONDS = 5.0
MOST_AT_ONCE, MOST_WAITING, MOST_KEPT = 4, 32, 256
_KEPT_SECONDS, _LEAST_SECONDS, _MOST_SECONDS = 3600, 60, 86400
_WRONG_SECONDS = 30
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})")
_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    client: Client | None
    why: str = ""


class Documents:
    """The clients that have a document; `async with` it."""

    def __init__(
        self,
        schemes: Collection[str] = (),
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`schemes` are permitted in redirects; `tls` says which authorities are believed."""
        self._schemes = schemes
        self._resolver = resolver or PublicResolver()
        self._tls = tls
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[_Kept]] = {}
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, ssl=self._tls or True, use_dns_cache=False, force_close=True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            trust_env=False,
            auto_decompress=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "wand"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._session.close()

    def has(self, url: str) -> bool:
        """Whether it is known what is at that address, without asking there."""
        kept = self._kept.get(url)
        return kept is not None and kept.until >= time.monotonic()

    async def client(self, url: str) -> Client:
        """The client whose document is at that address.

        Raises:
            Refusal: the address cannot be one, or what is there is no document of a client.
        """
        if not metadata.is_document_url(url):
            raise Refusal("invalid_client", "the client's id is not the address of a document")
        kept = self._kept.get(url)
        if kept is None or kept.until < time.monotonic():
            kept = await self._wait_for(url)
        if kept.client is None:
            raise Refusal("invalid_client", kept.why)
        return kept.client

    async def _wait_for(self, url: str) -> _Kept:
        """Fetch it, once for all who want it now."""
        task = self._under_way.get(url)
        if task is None:
            if len(self._under_way) >= MOST_WAITING:
                raise Refusal("temporarily_unavailable", "too many documents are being fetched", status=503)
            task = self._under_way[url] = asyncio.create_task(self._fetch(url), name="client document")
            task.add_done_callback(lambda _: self._under_way.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> _Kept:
        try:
            async with self._room, self._session.get(url, allow_redirects=False) as answer:
                body, seconds = await _body(answer), _seconds(answer.headers.get("Cache-Control", ""))
            kept = _Kept(time.monotonic() + seconds, metadata.from_document(url, body, self._schemes))
        except Refusal as why:
            kept = _Kept(time.monotonic() + _WRONG_SECONDS, None, why.text)
        except (aiohttp.ClientError, OSError, TimeoutError) as why:
            log.warning("client document not fetched", extra={"why": type(why).__name__})
            said = "the client's document cannot be fetched from here"
            kept = _Kept(time.monotonic() + _WRONG_SECONDS, None, said)
        self._kept[url] = kept
        self._kept.move_to_end(url)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    kind = answer.content_type
    if answer.status != _HTTP_OK or (kind != "application/json" and not kind.endswith("+json")):
        raise Refusal("invalid_client", "there is no document at the client's id")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal("invalid_client", "the client's document is encoded")
    body = bytearray()
    async for part in answer.content.iter_chunked(4096):
        body += part
        if len(body) > metadata.MOST_BYTES:
            raise Refusal("invalid_client", f"the client's document has over {metadata.MOST_BYTES} bytes")
    return bytes(body)


def _seconds(cache_control: str) -> int:
    """For how long an answer may be kept: never so short that a person's two clicks fetch it twice."""
    said = _MAX_AGE.search(cache_control.lower())
    wanted = int(said[1]) if said else _KEPT_SECONDS
    if re.search(r"no-(store|cache)", cache_control.lower()):
        wanted = 0
    return min(max(wanted, _LEAST_SECONDS), _MOST_SECONDS)
