"""Connections to the world outside: where a name leads is judged at the moment of connecting, not before.

A name that was public a moment ago may stand for an address in here now, and a redirect or a link in an
answer may name anything. So the judgement stands where the connection is made, for names and literals alike.
"""

import socket
import ssl
from collections.abc import Collection, Coroutine
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client import ClientRequest, ClientTimeout
from aiohttp.connector import Connection
from aiohttp.resolver import ThreadedResolver
from aiohttp.tracing import Trace

from wand_server import addresses, forwarded
from wand_server.forwarded import Network

_KEPT_OPEN_SECONDS = 4.0  # less than any server does: one that is just being closed would lose what we send


class NotPublic(OSError):
    """A name or an address that leads somewhere else than to the public internet."""


class PublicResolver(AbstractResolver):
    """Looks names up, and knows none that stands for an address which is not public."""

    def __init__(
        self,
        also: Collection[Network] = (),
        inner: AbstractResolver | None = None,
        *,
        hosts: Collection[str] = (),
    ) -> None:
        """Networks in `also` are taken for public, and so is wherever the names in `hosts` lead."""
        self._also = also
        self._inner = inner or ThreadedResolver()
        self._hosts = frozenset(map(str.lower, hosts))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            NotPublic: one of them is not public.
            OSError: it has none.
        """
        found = await self._inner.resolve(host, port, family)
        if not found:
            raise OSError("a name that stands for no address")
        for one in found:
            self.check(host, one["host"])
        return found

    def check(self, host: str, address: str) -> None:
        """Let an address pass that may be connected to.

        Raises:
            NotPublic: it is none.
        """
        if host.lower() in self._hosts or forwarded.is_in(address, self._also):
            return
        if not addresses.is_public(address):
            raise NotPublic("a name that does not stand for public addresses alone")

    async def close(self) -> None:
        await self._inner.close()


class PublicConnector(aiohttp.TCPConnector):
    """Connects to what the resolver lets pass; to an address that a URL spells out likewise."""

    def __init__(
        self, resolver: PublicResolver, tls: ssl.SSLContext | None = None, *, limit_per_host: int = 10
    ) -> None:
        super().__init__(
            resolver=resolver,
            ssl=tls or True,
            limit_per_host=limit_per_host,
            ttl_dns_cache=60,
            keepalive_timeout=_KEPT_OPEN_SECONDS,
        )
        self._public = resolver

    def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> Coroutine[Any, Any, Connection]:
        host = req.url.host or ""
        if _is_spelled_out(host):
            try:
                self._public.check(host, host)
            except NotPublic as why:
                raise aiohttp.ClientConnectorError(req.connection_key, why) from why
        return super().connect(req, traces, timeout)


def _is_spelled_out(host: str) -> bool:
    """Whether aiohttp would ask no resolver for it: an address, or digits that a system may take for one."""
    return ":" in host or host.replace(".", "").isdigit()


def is_barred(why: Exception | None) -> bool:
    """Whether a request got no answer because of where it was to go."""
    return isinstance(_inner(why), NotPublic)


def cause(why: Exception | None) -> str:
    """Why a request got no answer, in words."""
    if isinstance(why, TimeoutError):
        return "no answer in time"
    inner = _inner(why)
    if isinstance(inner, NotPublic):
        return f"{inner}: name its host in private_hosts if that is meant"
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    return "the answer broke off" if isinstance(why, aiohttp.ClientPayloadError) else type(why).__name__


def _inner(why: Exception | None) -> Exception | None:
    return why.os_error if isinstance(why, aiohttp.ClientConnectorError) else why
