"""A real OpenID provider (oidc-provider of npm) lets an agent in, and nobody by a token for another."""

import os
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import aiohttp
import httpx2
import jwt
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from support.clients import HOME, Clients
from support.edge import Edge
from support.issuers import ec_key, jwk_of, part
from support.tools import FakeTools
from wand_server import entrance
from wand_server.protocol.server import build
from wand_server.settings import Http, OAuth, Settings
from wand_server.transports.http import HttpTransport

SCRIPT = Path(__file__).with_name("provider.mjs")
CALLBACK = "http://127.0.0.1:1/callback"
AGENT = ("agent", "of the agent")


@dataclass
class World:
    """Our edge, the provider that it trusts, and an agent that is registered there."""

    edge: Edge
    provider: str
    resource: str

    async def token(self, resource: str = "", proof: str = "", scope: str = "wand:read") -> str:
        asked = {
            "grant_type": "client_credentials",
            "scope": scope,
            "resource": resource or self.resource,
        }
        headers = {"Authorization": aiohttp.encode_basic_auth(*AGENT)} | ({"DPoP": proof} if proof else {})
        async with self.edge.client.post(f"{self.provider}/token", data=asked, headers=headers) as response:
            found = await response.json()
            assert response.status == 200, found
        return str(found["access_token"])

    async def status(self, token: str, tool: str = "echo", scheme: str = "Bearer", **headers: str) -> int:
        asked = self.edge.call(tool, {"text": "x"}, **{"Authorization": f"{scheme} {token}", **headers})
        async with self.edge.client.post(self.edge.url, **asked) as response:
            return response.status


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def provider(clients: Clients, port: int) -> Iterator[str]:
    words: list[str | Path] = [clients.node, SCRIPT, f"http://127.0.0.1:{port}/mcp"]
    environment = {"PATH": os.environ["PATH"], "CLIENTS": str(HOME)}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        yield child.stdout.readline().decode().strip()
        child.stdin.close()
        child.wait(10)


@pytest.fixture
async def here(provider: str, port: int, tmp_path: Path) -> AsyncIterator[World]:
    secret, resource = tmp_path / "secret", f"http://127.0.0.1:{port}/mcp"
    secret.write_text("of wand")
    secret.chmod(0o600)
    oauth = OAuth(issuer=provider, resource=resource, client_id="wand", client_secret_file=secret)
    read = Settings(http=Http(keys_file=tmp_path / "keys.toml"), oauth=oauth)
    async with AsyncExitStack() as parts:
        tools = FakeTools()
        transport = HttpTransport(
            build(tools, version="1", instructions=""),
            await entrance.guard(read, parts),
            hostagent_is_up=lambda: True,
            port=port,
            more_routes=entrance.documents(read),
        )
        await parts.enter_async_context(transport)
        client = await parts.enter_async_context(aiohttp.ClientSession())
        yield World(Edge(transport, tools, client, "", ""), provider, resource)


class Memory:
    """Where the SDK's client keeps its tokens."""

    tokens: OAuthToken | None = None
    about: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.about

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.about = client_info


async def test_the_sdk_s_client_finds_its_way_from_a_refusal_to_a_call(here: World) -> None:
    auth = ClientCredentialsOAuthProvider(here.resource, Memory(), *AGENT, issuer=here.provider)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=90) as http,
        Client(streamable_http_client(here.resource, http_client=http), mode="2026-07-28") as client,
    ):
        result: Any = await client.call_tool("echo", {"text": "hello"})

    assert result.structured_content == {"text": "hello", "principal": "oidc:agent"}


async def say_yes(url: str) -> dict[str, str]:
    """What a browser is sent back with, after a person has signed in at the provider and agreed."""
    fields = {
        "login": {"prompt": "login", "login": "ann", "password": "any"},
        "consent": {"prompt": "consent"},
    }
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        place, form = url, None
        while not place.startswith(CALLBACK):
            method = "POST" if form else "GET"
            async with browser.request(method, place, data=form, allow_redirects=False) as page:
                text, there = await page.text(), page.headers.get("Location")
            prompt = re.search(r'name="prompt" value="(\w+)"', text)
            assert there or prompt, text
            place = urljoin(url, there) if there else place
            form = None if there or not prompt else fields[prompt[1]]
    return dict(parse_qsl(urlsplit(place).query))


async def test_a_person_is_sent_to_the_provider_and_asked_again_for_more(here: World) -> None:
    """The SDK's client shows a person the provider, and steps up when a call needs more."""
    guard, shown = here.edge.transport.guard, list[str]()
    guard.challenge = replace(guard.challenge, scopes=("wand:read",))
    here.edge.tools.slow_may_end.set()

    async def show(url: str) -> None:
        shown.append(url)

    async def come_back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(await say_yes(shown[-1]))

    told = {"redirect_uris": [CALLBACK], "grant_types": ["authorization_code"]}
    kept, about = Memory(), OAuthClientMetadata.model_validate(told)
    kept.about = OAuthClientInformationFull.model_validate(
        {**told, "client_id": "person", "token_endpoint_auth_method": "none", "issuer": here.provider}
    )
    auth = OAuthClientProvider(here.resource, about, kept, show, come_back)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=90) as http,
        Client(streamable_http_client(here.resource, http_client=http), mode="2026-07-28") as client,
    ):
        first: Any = await client.call_tool("echo", {"text": "hello"})
        second: Any = await client.call_tool("slow", {})

    assert first.structured_content == {"text": "hello", "principal": "oidc:ann"}
    assert not second.is_error
    assert [parse_qs(urlsplit(url).query)["scope"] for url in shown] == [
        ["wand:read"],
        ["wand:read wand:execute"],
    ]


async def test_a_token_opens_what_it_was_asked_for(here: World) -> None:
    token = await here.token()

    assert [await here.status(token, tool) for tool in ("echo", "slow")] == [200, 403]


async def test_a_token_for_another_resource_is_refused(here: World) -> None:
    assert await here.status(await here.token("https://other.example/mcp")) == 401


async def test_an_opaque_token_is_asked_about(here: World) -> None:
    token = await here.token(f"{here.resource}/opaque")

    assert "." not in token
    assert await here.status(token) == 200
    assert await here.status(token[:-1] + "x") == 401
    assert await here.status(await here.token("https://other.example/mcp/opaque")) == 401


@pytest.mark.parametrize("form", ["", "/opaque"])
async def test_a_bound_token_is_of_use_with_its_proofs_alone(here: World, form: str) -> None:
    private = ec_key()

    def proof(url: str, **more: str) -> str:
        claims = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": f"{time.time_ns()}", **more}
        head = {"typ": "dpop+jwt", "jwk": jwk_of(private)}
        return jwt.encode(claims, private, "ES256", headers=head)

    token = await here.token(here.resource + form, proof(f"{here.provider}/token"))
    good = proof(here.resource, ath=part(sha256(token.encode()).digest()))

    assert await here.status(token) == 401
    assert await here.status(token, scheme="DPoP", DPoP=good) == 200
    assert await here.status(token, scheme="DPoP", DPoP=good) == 401
