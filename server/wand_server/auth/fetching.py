"""What is fetched from an issuer: by https (http on loopback), briefly, not much, and without detours."""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote_plus, urlsplit

import aiohttp

from wand_proto.errors import Invalid, Unavailable

SECONDS = 5.0
BYTES_CEILING = 256 * 1024
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OK = 200


def check_url(url: str, field: str = "url") -> str:
    """The URL, if we would fetch it.

    Raises:
        Invalid: it is neither https nor http on loopback, or says more than an address.
    """
    try:
        parts = urlsplit(url)
        is_plain = parts.username is None and not parts.fragment and bool(parts.hostname)
        _ = parts.port
    except ValueError as why:
        raise Invalid(f"{url!r:.120} is no URL ({why})", field=field) from why
    permitted = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_plain or not permitted:
        raise Invalid(f"{url!r:.120} must be https, or http on loopback", field=field)
    return url


class Fetcher:
    """One client for all of that; `async with` it."""

    def __init__(self, ca: Path | None = None) -> None:
        """With `ca`, those certificates are believed and no others."""
        self._ca = ca

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=self._ca)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=8),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "User-Agent": "wand-server"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, url: str) -> dict[str, Any]:
        """The JSON object at a URL.

        Raises:
            Invalid: we do not fetch from there.
            Unavailable: it cannot be had, is no JSON object, or too large.
        """
        return await self._object("GET", url, {})

    async def post(self, url: str, form: Mapping[str, str], auth: tuple[str, str] | None) -> dict[str, Any]:
        """The JSON object that answers a form; `auth` is a name and a password (RFC 6749, 2.3.1).

        Raises:
            Invalid, Unavailable: as `get` does.
        """
        basic = aiohttp.encode_basic_auth(*map(quote_plus, auth)) if auth else ""
        return await self._object("POST", url, {"data": dict(form), "headers": {"Authorization": basic}})

    async def _object(self, method: str, url: str, more: dict[str, Any]) -> dict[str, Any]:
        check_url(url)
        try:
            async with self._session.request(method, url, allow_redirects=False, **more) as response:
                if response.status != _OK:
                    raise Unavailable(f"{url} answers with {response.status}")
                read = json.loads(await _body(response, url))
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            raise Unavailable(f"{url} cannot be reached ({type(why).__name__})") from why
        except (ValueError, RecursionError) as why:
            raise Unavailable(f"{url} does not answer with JSON") from why
        if not isinstance(read, dict):
            raise Unavailable(f"{url} does not answer with an object")
        return read


async def _body(response: aiohttp.ClientResponse, url: str) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(65536):
        body += piece
        if len(body) > BYTES_CEILING:
            raise Unavailable(f"{url} answers with more than {BYTES_CEILING} bytes")
    return bytes(body)
