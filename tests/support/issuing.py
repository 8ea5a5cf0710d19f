"""An authorization server on loopback, a client that knows but the standards, and a person's browser."""

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import argon2
import jwt
from aiohttp import web

from wand_proto.errors import Conflict
from wand_server.issuer.documents import Documents
from wand_server.issuer.exchanging import Prove
from wand_server.issuer.grants import Lives
from wand_server.issuer.passwords import Passwords
from wand_server.issuer.people import People
from wand_server.issuer.service import DATABASE, Issuer, Options
from wand_server.issuer.store import Store
from wand_server.transports import routes
from wand_server.transports.replies import Refused

ANN, PASSWORD = "ann", "correct horse battery"
CALLBACK = "http://127.0.0.1:1/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
QUICK = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass
class Place:
    """A running issuer and one visitor of it."""

    issuer: Issuer
    origin: str
    browser: aiohttp.ClientSession
    refused: list[tuple[str, str]] = field(default_factory=list)
    folder: Path = Path()

    async def register(self, **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = {"redirect_uris": [CALLBACK], "client_name": "Probe"}
        told["token_endpoint_auth_method"] = "none"
        told["grant_types"] = ["authorization_code", "refresh_token"]
        async with self.browser.post(f"{self.origin}/oauth/register", json={**told, **more}) as answer:
            read = await answer.json()
            assert answer.status == 201, read
            return dict(read)

    def query(self, client_id: str, **more: str | None) -> str:
        told: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s 1",
            "resource": f"{self.origin}/mcp",
            **more,
        }
        return urlencode({name: value for name, value in told.items() if value is not None})

    async def get(self, query: str) -> "Seen":
        url = f"{self.origin}/oauth/authorize?{query}"
        async with self.browser.get(url, allow_redirects=False) as answer:
            return await seen(answer)

    async def post(self, query: str, headers: dict[str, str] | None = None, **fields: Any) -> "Seen":
        url = f"{self.origin}/oauth/authorize?{query}"
        pairs = [
            (name, one)
            for name, told in fields.items()
            for one in ([told] if isinstance(told, str) else told)
        ]
        async with self.browser.post(url, data=pairs, allow_redirects=False, headers=headers) as answer:
            return await seen(answer)

    async def sign_in(self, query: str, name: str = ANN, password: str = PASSWORD) -> "Seen":
        """Sign in, and the page that comes then."""
        page = await self.get(query)
        answer = await self.post(query, proof=page.proof, step="sign-in", name=name, password=password)
        return await self.get(query) if answer.status == 303 else answer

    async def consent(self, query: str, **fields: Any) -> "Seen":
        """Sign in, say yes to everything, and the answer."""
        page = await self.sign_in(query)
        return await self.post(query, **{"proof": page.proof, "step": "give", "scope": page.scopes, **fields})

    async def code(self, client_id: str, **more: str | None) -> str:
        return (await self.consent(self.query(client_id, **more))).told["code"]

    async def token(self, **fields: str) -> tuple[int, dict[str, Any]]:
        async with self.browser.post(f"{self.origin}/oauth/token", data=fields) as answer:
            return answer.status, dict(await answer.json())

    async def redeem(self, client_id: str, code: str, **more: str) -> tuple[int, dict[str, Any]]:
        told = {"grant_type": "authorization_code", "client_id": client_id, "code": code}
        return await self.token(**{**told, "redirect_uri": CALLBACK, "code_verifier": VERIFIER, **more})

    def jti(self, tokens: dict[str, Any]) -> str:
        """The id of an access token."""
        return str(jwt.decode(tokens["access_token"], options={"verify_signature": False})["jti"])

    def sub_and_groups(self, tokens: dict[str, Any]) -> tuple[str, list[str]]:
        """Whom an access token is about."""
        read = jwt.decode(tokens["access_token"], options={"verify_signature": False})
        return read["sub"], read["groups"]

    async def refresh(self, client_id: str, token: str, **more: str) -> tuple[int, dict[str, Any]]:
        return await self.token(grant_type="refresh_token", client_id=client_id, refresh_token=token, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An answer to a browser."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def proof(self) -> str:
        found = re.search(r'name="proof" value="([0-9a-f]+)"', self.text)
        assert found, self.text
        return found[1]

    @property
    def scopes(self) -> list[str]:
        return [html.unescape(one) for one in re.findall(r'name="scope" value="([^"]+)"', self.text)]

    @property
    def told(self) -> dict[str, str]:
        """The parameters with which a browser is sent back."""
        assert self.status == 303, self.text
        return dict(parse_qsl(urlsplit(self.headers["Location"]).query))


async def seen(answer: aiohttp.ClientResponse) -> Seen:
    return Seen(status=answer.status, headers=dict(answer.headers), text=await answer.text())


@asynccontextmanager
async def issuing(
    folder: Path,
    change: Callable[[Options], Options] = lambda options: options,
    *,
    documents: Documents | None = None,
    clock: Callable[[], float] | None = None,
    prover: Callable[[str], Prove] | None = None,
) -> AsyncIterator[Place]:
    """An issuer that lets clients register, with one person in it."""
    async with Store(folder / DATABASE) as store:
        with suppress(Conflict):  # where there was an issuer before
            await People(store, QUICK).add(ANN, PASSWORD, ["developers"])
    table: dict[str, dict[str, routes.Open]] = {}

    async def nobody(_: web.BaseRequest) -> Any:
        raise Refused(401, "nobody")

    server = routes.server(table, nobody)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    lives = Lives(refresh_seconds=86400, grant_seconds=10 * 86400)
    prove = prover(origin) if prover else None
    options = Options(
        url=origin, resource=f"{origin}/mcp", folder=folder, lives=lives, registration=True, prove=prove
    )
    refused: list[tuple[str, str]] = []
    more: dict[str, Any] = {"clock": clock} if clock else {}
    made = Issuer(
        change(options),
        lambda address, why: refused.append((address, why)),
        documents=documents,
        passwords=QUICK,
        **more,
    )
    jar = aiohttp.CookieJar(unsafe=True)
    try:
        async with made as issuer, aiohttp.ClientSession(cookie_jar=jar) as browser:
            for path, methods in issuer.routes().items():
                table[path] = {method: routes.Open(handler) for method, handler in methods.items()}
            yield Place(issuer, origin, browser, refused, folder)
    finally:
        await runner.cleanup()


def with_url(url_path: str) -> Callable[[Options], Options]:
    return lambda options: replace(options, url=options.url + url_path)
