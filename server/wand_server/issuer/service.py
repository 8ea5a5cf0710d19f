"""The authorization server: its parts put together, and which of them answers which path."""

import asyncio
import contextlib
import functools
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from wand_server import scopes
from wand_server.forwarded import Network
from wand_server.issuer import accesstokens, forms, pages, visiting
from wand_server.issuer.accesstokens import AccessTokens
from wand_server.issuer.asking import Reader
from wand_server.issuer.browser import Cookie
from wand_server.issuer.clients import Clients
from wand_server.issuer.documents import Documents
from wand_server.issuer.exchanging import Exchanging, Prove
from wand_server.issuer.grants import Grants, Lives
from wand_server.issuer.model import Refusal, SentBack, Untrusted
from wand_server.issuer.passwords import Passwords
from wand_server.issuer.peers import Peers
from wand_server.issuer.people import People
from wand_server.issuer.signing import Signing
from wand_server.issuer.slowing import Slowing
from wand_server.issuer.store import Store
from wand_server.issuer.visiting import Visiting
from wand_server.outward import PublicResolver

log = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
DATABASE, KEYS = "issuer.db", "keys"
METADATA = "/.well-known/oauth-authorization-server"
TOKEN, REVOKE, REGISTER, JWKS = "/oauth/token", "/oauth/revoke", "/oauth/register", "/oauth/jwks.json"
_FORGET_EVERY_SECONDS = 3600
_KEPT = {"Cache-Control": "public, max-age=300"}
_FOR_PAGES = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP, MCP-Protocol-Version",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Expose-Headers": "DPoP-Nonce, Retry-After, WWW-Authenticate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an authorization server is to be."""

    url: str
    resource: str
    folder: Path
    lives: Lives
    access_seconds: int = 600
    documents: bool = True
    registration: bool = False
    redirect_schemes: tuple[str, ...] = ()
    document_networks: tuple[Network, ...] = ()
    admin_groups: frozenset[str] = frozenset()
    prove: Prove | None = None  # reads proofs of DPoP
    proof_algorithms: tuple[str, ...] = ()  # of those
    peers: Peers = field(default_factory=Peers)


def resource_of(url: str) -> str:
    """For what an issuer at that address gives tokens: MCP on the same host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/mcp"


class Issuer:
    """The authorization server; `async with` it."""

    def __init__(
        self,
        options: Options,
        refused: Callable[[str, str], None] = lambda *_: None,
        *,
        documents: Documents | None = None,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`refused` hears of every sign-in that failed: from where, and why."""
        parts = urlsplit(options.url)
        self.url = options.url
        self._options = options
        self._refused = refused
        self._host, self._path = parts.netloc, parts.path
        self._origin = f"{parts.scheme}://{parts.netloc}"
        resolver = PublicResolver(options.document_networks)
        self._documents = documents or Documents(options.redirect_schemes, resolver=resolver)
        self._signing = Signing(options.folder / KEYS, clock)
        self._store = Store(options.folder / DATABASE)
        self._grants = Grants(self._store, options.lives, clock)
        people = People(self._store, passwords or Passwords())
        known = self._documents if options.documents else None
        clients = Clients(self._store, known, options.redirect_schemes, registration=options.registration)
        self._visiting = self._for_visits(clients, people)
        self._exchanging = self._for_exchanges(clients, people, clock)

    def _for_visits(self, clients: Clients, people: People) -> Visiting:
        options = self._options
        return Visiting(
            origin=self._origin,
            issuer=self.url,
            reader=Reader(clients=clients, resource=options.resource),
            grants=self._grants,
            people=people,
            peers=options.peers,
            cookie=Cookie(secure=self._origin.startswith("https:")),
            slowing=Slowing(),
            admin_groups=options.admin_groups,
            refused=self._refused,
        )

    def _for_exchanges(self, clients: Clients, people: People, clock: Callable[[], float]) -> Exchanging:
        options = self._options
        tokens = AccessTokens(
            issuer=self.url, signing=self._signing, seconds=options.access_seconds, clock=clock
        )
        return Exchanging(
            clients=clients,
            grants=self._grants,
            people=None if options.peers.user_header else people,
            tokens=tokens,
            resource=options.resource,
            admin_groups=options.admin_groups,
            peers=options.peers,
            registering=Slowing(),
            refused=self._refused,
            prove=options.prove,
        )

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as parts:
            await parts.enter_async_context(self._store)
            await parts.enter_async_context(self._documents)
            self._parts = parts.pop_all()
        self._forgetting = asyncio.create_task(self._forget(), name="old grants")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forgetting.cancel()
        await asyncio.gather(self._forgetting, return_exceptions=True)
        await self._parts.aclose()

    async def _forget(self) -> None:
        while True:
            try:
                await self._grants.forget()
            except sqlite3.Error:
                log.exception("old grants not forgotten")
            await asyncio.sleep(_FORGET_EVERY_SECONDS)

    def verifying_key(self, kid: str) -> EllipticCurvePublicKey | None:
        """The key of that id, for ES256; None where it is not ours, or no more."""
        return self._signing.public(kid)

    async def is_over(self, jti: str) -> bool:
        """Whether the grant of an access token has ended, although the token has not expired."""
        return await self._grants.is_revoked(accesstokens.grant_in(jti))

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """For each path, for each method: who answers. All of them are for strangers."""
        found = {
            f"{METADATA}{self._path}": self._for_programs(GET=self._metadata),
            JWKS: self._for_programs(GET=self._jwks),
            TOKEN: self._for_programs(POST=self._exchanging.token),
            REVOKE: self._for_programs(POST=self._exchanging.revoke),
            visiting.PATH: {
                "GET": self._for_people(self._visiting.get),
                "POST": self._for_people(self._visiting.post),
            },
        }
        if self._options.registration:
            found[REGISTER] = self._for_programs(POST=self._exchanging.register)
        return found

    def _for_programs(self, **methods: Handler) -> dict[str, Handler]:
        """The same, open to web pages too: nothing there goes by a cookie."""

        async def preflight(_: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=204)

        return {
            method: functools.partial(self._answer_program, handler)
            for method, handler in {**methods, "OPTIONS": preflight}.items()
        }

    async def _answer_program(self, handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
        try:
            self._check_host(request)
            response = await handler(request)
        except Untrusted as why:
            response = forms.refused(Refusal("invalid_request", why.text, status=why.status))
        except Refusal as why:
            response = forms.refused(why)
        response.headers.update(_FOR_PAGES)
        return response

    def _for_people(self, handler: Handler) -> Handler:
        return functools.partial(self._answer_person, handler)

    async def _answer_person(self, handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
        try:
            self._check_host(request)
            return await handler(request)
        except SentBack as why:
            return self._visiting.sent_back(why)
        except Untrusted as why:
            return pages.refusal(why.text, why.status)
        except Refusal as why:
            return pages.refusal(f"{why.text}.", why.status)

    def _check_host(self, request: web.BaseRequest) -> None:
        if [host.lower() for host in request.headers.getall("Host", [])] != [self._host]:
            raise Untrusted(
                f"People and programs are let in at {self._origin}, and under no other name.", status=421
            )

    async def _metadata(self, _: web.BaseRequest) -> web.StreamResponse:
        return forms.answer(self.metadata(), headers=_KEPT)

    async def _jwks(self, _: web.BaseRequest) -> web.StreamResponse:
        return forms.answer(self._signing.jwks(), headers=_KEPT)

    def metadata(self) -> dict[str, Any]:
        """What a client reads first (RFC 8414)."""
        proofs = self._options.proof_algorithms
        methods = ["none", "client_secret_basic", "client_secret_post"]
        more = {"registration_endpoint": self._origin + REGISTER} if self._options.registration else {}
        return {
            "issuer": self.url,
            "authorization_endpoint": self._origin + visiting.PATH,
            "token_endpoint": self._origin + TOKEN,
            "revocation_endpoint": self._origin + REVOKE,
            "jwks_uri": self._origin + JWKS,
            **more,
            "scopes_supported": list(scopes.MEANING),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            **({"dpop_signing_alg_values_supported": list(proofs)} if proofs else {}),
            "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": self._options.documents,
        }
