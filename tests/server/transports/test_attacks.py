"""Attacks of the corpus (class G) that concern who may come in, over a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from multidict import CIMultiDict

from support.edge import Edge, edge, legacy
from support.issuers import Issuer
from support.signins import Passwords
from wand_server.scopes import EVERYDAY


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path, ways=[Passwords({"ann": EVERYDAY, "ben": EVERYDAY})]) as running:
        yield running


async def status(server: Edge, query: str = "", **headers: str | None) -> int:
    request = server.call("echo", {"text": "x"}, **headers)
    async with server.client.post(server.url + query, **request) as response:
        return response.status


async def test_g003_a_page_without_an_origin_of_its_own_is_refused(server: Edge) -> None:
    assert await status(server, Origin="null") == 403


async def test_g004_another_page_gets_no_websocket(server: Edge) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "mcp"}
    headers = {**server.headers(Origin="https://evil.example"), **upgrade}
    async with server.client.get(server.url, headers=headers) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    "token",
    [
        Issuer().token(aud="https://other.example"),
        Issuer().token({"kid": "../../dev/null"}),
        Issuer().token({"jku": "https://evil.example/jwks"}),
    ],
)
async def test_g006_g007_a_token_that_is_not_for_us_is_refused(server: Edge, token: str) -> None:
    assert await status(server, Authorization=f"Bearer {token}") == 401


@pytest.mark.parametrize("name", ["access_token", "token", "api_key", "authorization"])
async def test_g008_a_key_in_the_address_is_none(server: Edge, name: str) -> None:
    assert await status(server, f"?{name}={server.key}", Authorization=None) == 401


async def test_g009_another_s_session_is_as_if_it_were_not_there(server: Edge) -> None:
    stolen = await server.initialize(key="ann")
    stolen["Authorization"] = "Bearer ben"
    for method in ("POST", "GET", "DELETE"):
        body = legacy("ping") if method == "POST" else None
        async with server.client.request(method, server.url, json=body, headers=stolen) as response:
            assert (method, response.status) == (method, 404)


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Forwarded-For", "X-Client-Cert",
     "X-Forwarded-Client-Cert", "X-Api-Key", "Proxy-Authorization", "Cookie"],
)  # fmt: skip
async def test_g025_what_a_proxy_might_say_signs_nobody_in(server: Edge, name: str) -> None:
    value = f"Bearer {server.key}" if name == "Proxy-Authorization" else server.key

    assert await status(server, Authorization=None, **{name: value}) == 401


@pytest.mark.parametrize("second", ["Bearer {key}", "Bearer x", "Basic eDp4", ""])
async def test_two_authorizations_are_none(server: Edge, second: str) -> None:
    request = server.call("echo", {"text": "x"})
    headers = CIMultiDict(request["headers"])
    headers.add("Authorization", second.format(key=server.key))
    async with server.client.post(server.url, json=request["json"], headers=headers) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    "authorization",
    ["Bearer  ", "Basic {key}", "{key}", "Bearer {key} x", "Bearer {key},", "Token {key}", "DPoP {key}",
     'Bearer "{key}"', "Bearer%20{key}", "Negotiate {key}"],
)  # fmt: skip
async def test_a_key_in_another_form_is_none(server: Edge, authorization: str) -> None:
    assert await status(server, Authorization=authorization.format(key=server.key)) == 401
