"""The guard as the settings describe it, beside an issuer on loopback that is not ours."""

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from multidict import CIMultiDict

from support.edge import Edge
from support.issuers import RSA_KEY, Issuer, Served, ec_key, jwk_of, part, pem_of, served
from support.issuing import issuing
from support.tools import FakeTools
from wand_proto.errors import Unauthenticated, Unavailable, WandError
from wand_server import entrance, settings
from wand_server.auth import jwk, keyfile
from wand_server.auth.asked import Asked
from wand_server.issuer.service import DATABASE
from wand_server.issuer.store import Store
from wand_server.model import Principal
from wand_server.protocol.server import build
from wand_server.settings import Http, OAuth, Settings
from wand_server.transports.http import HttpTransport

RESOURCE = "https://wand.example/mcp"
METADATA = "https://wand.example/.well-known/oauth-protected-resource/mcp"


@dataclass
class World:
    """Our edge, and the issuer that it trusts; `refused` is what was said of those who were not let in."""

    edge: Edge
    issuer: Served
    refused: list[str]

    def token(self, **claims: Any) -> str:
        return self.issuer.issuer.token(aud=RESOURCE, **claims)

    async def call(self, token: str, tool: str = "echo", **headers: str) -> aiohttp.ClientResponse:
        request = self.edge.call(tool, {"text": "x"}, **{"Authorization": f"Bearer {token}", **headers})
        async with self.edge.client.post(self.edge.url, **request) as response:
            await response.read()
        return response


@asynccontextmanager
async def world(folder: Path, **oauth: Any) -> AsyncIterator[World]:
    async with served() as issuer, AsyncExitStack() as parts:
        key = keyfile.add(folder / "keys.toml", "probe")
        about = {"issuer": issuer.origin, "resource": RESOURCE, **oauth}
        read = Settings(http=Http(keys_file=folder / "keys.toml"), oauth=OAuth(**about))
        tools, refused = FakeTools(), list[str]()
        transport = HttpTransport(
            build(tools, version="1", instructions=""),
            await entrance.guard(read, parts),
            hostagent_is_up=lambda: True,
            refused=lambda _, why: refused.append(why),
            more_routes=entrance.documents(read),
        )
        await parts.enter_async_context(transport)
        client = await parts.enter_async_context(aiohttp.ClientSession())
        yield World(Edge(transport, tools, client, key, ""), issuer, refused)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as running:
        yield running


async def test_a_client_finds_out_where_to_get_a_token_and_gets_in_with_it(here: World) -> None:
    async with here.edge.client.post(here.edge.url) as response:
        challenge = response.headers["WWW-Authenticate"]
    paths = ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp")
    for path in paths:
        async with here.edge.client.get(here.edge.origin + path) as response:
            found = await response.json()

    assert f'resource_metadata="{METADATA}"' in challenge
    assert "algs=" in challenge
    assert found["resource"] == RESOURCE
    assert found["authorization_servers"] == [here.issuer.origin]
    assert "wand:read" in found["scopes_supported"]
    assert (await here.call(here.token())).status == 200
    assert here.edge.tools.calls[0][2].principal.name == "oidc:ann"


@pytest.mark.parametrize(
    ("said", "name", "group"),
    [
        ({}, "oidc:probe", "oidc:auditors"),
        ({"name_prefix": "", "groups_prefix": "x:"}, "probe", "x:auditors"),
        ({"name_prefix": "x:", "groups_prefix": ""}, "x:probe", "auditors"),
    ],
)
async def test_a_token_takes_no_name_and_no_group_of_ours_unless_told(
    tmp_path: Path, said: dict[str, str], name: str, group: str
) -> None:
    async with world(tmp_path, **said) as here:
        await here.call(here.token(sub="probe", groups=["auditors"]))

        principal = here.edge.tools.calls[0][2].principal
        assert (principal.name, principal.groups) == (name, (group,))


async def test_keys_and_tokens_are_let_in_beside_each_other(here: World) -> None:
    assert (await here.call(here.edge.key)).status == 200
    assert (await here.call(here.token())).status == 200


async def test_the_issuer_s_keys_are_fetched_once_for_many_tokens(here: World) -> None:
    for number in range(5):
        assert (await here.call(here.token(jti=str(number)))).status == 200

    assert here.issuer.asked.count("/jwks") == 1


async def test_a_token_that_is_no_good_is_refused_told_why_and_audited(here: World) -> None:
    response = await here.call(here.token(exp=int(time.time()) - 99))

    assert response.status == 401
    challenge = response.headers["WWW-Authenticate"]
    assert 'error="invalid_token", error_description="the token has expired"' in challenge
    assert here.refused == ["the token has expired"]


async def test_a_scope_that_is_missing_is_asked_for(here: World) -> None:
    response = await here.call(here.token(), "slow")

    assert response.status == 403
    assert 'scope="wand:execute wand:read"' in response.headers["WWW-Authenticate"]


async def test_while_the_issuer_is_away_nobody_can_say(here: World) -> None:
    here.issuer.is_down = True

    response = await here.call(here.token())

    assert (response.status, response.headers["Retry-After"]) == (503, "5")
    assert (await here.call(here.edge.key)).status == 200


async def test_a_session_goes_on_with_the_next_token_and_is_nobody_else_s(here: World) -> None:
    headers = await here.edge.initialize(key=here.token(jti="1"))
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for claims, status in (({"jti": "2"}, 200), ({"sub": "ben"}, 404)):
        headers["Authorization"] = f"Bearer {here.token(**claims)}"
        async with here.edge.client.post(here.edge.url, json=body, headers=headers) as response:
            assert response.status == status


async def test_an_opaque_token_is_asked_about_with_our_own_credentials(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    async with world(tmp_path, client_id="wand", client_secret_file=secret) as here:
        about = {"active": True, **here.issuer.issuer.claims(aud=[RESOURCE])}
        here.issuer.active["opaque"] = about

        assert (await here.call("opaque")).status == 200
        assert (await here.call("other")).status == 401
        assert (await here.call(here.edge.key)).status == 200

    assert set(here.issuer.credentials) == {aiohttp.encode_basic_auth("wand", "s3cret")}


async def test_it_can_be_told_beforehand_whether_the_issuer_answers(tmp_path: Path) -> None:
    async with served() as issuer:
        about = OAuth(issuer=issuer.origin, resource=RESOURCE)
        assert await entrance.told(about) == f"{issuer.origin}: 1 keys, from {issuer.origin}/jwks"
        with pytest.raises(Unavailable, match="holds no key for EdDSA"):
            await entrance.told(about.model_copy(update={"algorithms": ("EdDSA",)}))
        with pytest.raises(Unavailable, match="tells nothing of itself"):
            await entrance.told(about.model_copy(update={"issuer": f"{issuer.origin}/other"}))


async def test_keys_in_a_file_need_no_issuer_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem_of(RSA_KEY))
    file.chmod(0o644)
    async with world(tmp_path, keys_file=file) as here:
        own = Issuer(name=here.issuer.origin, private=RSA_KEY, algorithm="RS256")

        assert (await here.call(own.token())).status == 200
        assert (await here.call(here.token())).status == 401

    assert here.issuer.asked == []


async def test_a_bound_token_needs_a_new_proof_each_time(here: World) -> None:
    private = ec_key()
    token = here.token(cnf={"jkt": jwk.thumbprint(jwk_of(private))})

    def headers(jti: str) -> dict[str, str]:
        claims = {
            "htm": "POST", "htu": RESOURCE, "iat": int(time.time()), "jti": jti,
            "ath": part(hashlib.sha256(token.encode()).digest()),
        }  # fmt: skip
        about = {"typ": "dpop+jwt", "jwk": jwk_of(private)}
        return {"Authorization": f"DPoP {token}", "DPoP": jwt.encode(claims, private, "ES256", headers=about)}

    first, again, free = (
        await here.call(token, **headers("1")),
        await here.call(token, **headers("1")),
        await here.call(token),
    )

    assert (first.status, again.status, free.status) == (200, 401, 401)
    assert 'DPoP realm="wand", error="invalid_dpop_proof"' in again.headers["WWW-Authenticate"]


async def test_a_proof_needs_a_nonce_where_the_settings_want_it_and_that_is_no_failed_sign_in(
    tmp_path: Path,
) -> None:
    private = ec_key()

    def headers(token: str, **more: str) -> dict[str, str]:
        ath = part(hashlib.sha256(token.encode()).digest())
        claims = {"htm": "POST", "htu": RESOURCE, "iat": time.time(), "jti": str(more), "ath": ath, **more}
        about = {"typ": "dpop+jwt", "jwk": jwk_of(private)}
        return {"Authorization": f"DPoP {token}", "DPoP": jwt.encode(claims, private, "ES256", headers=about)}

    async with world(tmp_path, dpop_nonces=True) as here:
        token = here.token(cnf={"jkt": jwk.thumbprint(jwk_of(private))})
        first = await here.call(token, **headers(token))
        second = await here.call(token, **headers(token, nonce=first.headers["DPoP-Nonce"]))
        free = await here.call(here.token())

    assert (first.status, second.status, free.status) == (401, 200, 200)
    assert first.headers["WWW-Authenticate"].startswith('DPoP realm="wand", error="use_dpop_nonce"')
    assert here.refused == []


async def test_a_token_of_our_own_issuer_lets_in_until_it_is_taken_back(tmp_path: Path) -> None:
    now = [time.time()]
    async with AsyncExitStack() as parts:
        place = await parts.enter_async_context(issuing(tmp_path, clock=lambda: now[0]))
        client_id = (await place.register())["client_id"]
        _, tokens = await place.redeem(client_id, await place.code(client_id))
        read = Settings(http=Http(keys_file=tmp_path / "keys.toml"))
        guard = await entrance.guard(read, parts, [entrance.trusted(place.issuer)])
        headers = CIMultiDict(Host="localhost", Authorization=f"Bearer {tokens['access_token']}")

        principal = await guard.principal(Asked(headers=headers))
        await place.refresh(client_id, tokens["refresh_token"])
        await place.browser.post(
            f"{place.origin}/oauth/revoke", data={"token": tokens["refresh_token"], "client_id": client_id}
        )
        now[0] += 60
        with pytest.raises(Unauthenticated, match="taken back"):
            await guard.principal(Asked(headers=headers))

    assert (principal.name, principal.means) == ("ann", "token")
    assert await guard.is_over(principal)


async def test_where_nobody_can_say_what_was_taken_back_nobody_gets_in_by_it(tmp_path: Path) -> None:
    now = [time.time()]
    async with issuing(tmp_path, clock=lambda: now[0]) as place, AsyncExitStack() as parts:
        client_id = (await place.register())["client_id"]
        _, tokens = await place.redeem(client_id, await place.code(client_id))
        keyfile.add(tmp_path / "keys.toml", "probe")
        read = Settings(http=Http(keys_file=tmp_path / "keys.toml"))
        guard = await entrance.guard(read, parts, [entrance.trusted(place.issuer)])
        asked = Asked(headers=CIMultiDict(Host="localhost", Authorization=f"Bearer {tokens['access_token']}"))
        principal = await guard.principal(asked)
        async with Store(tmp_path / DATABASE) as store, store.changing():
            await store.run("ALTER TABLE grant_ RENAME TO gone")

        now[0] += 60
        for _ in range(2):
            with pytest.raises(Unavailable, match="taken back"):
                await guard.principal(asked)
        assert await guard.is_over(principal)


async def test_agents_of_their_own_know_what_our_issuer_took_back(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place, AsyncExitStack() as parts:
        client_id = (await place.register())["client_id"]
        _, tokens = await place.redeem(client_id, await place.code(client_id))
        holder = Principal(name="ann", means="token", credential=place.jti(tokens))
        keyfile.add(tmp_path / "keys.toml", "probe")
        ours = settings.Issuer(url="https://wand.example", folder=tmp_path)
        read = Settings(http=Http(keys_file=tmp_path / "keys.toml"), issuer=ours)
        before = await entrance.judge(read, parts)

        assert not await before(holder)
        await place.browser.post(
            f"{place.origin}/oauth/revoke", data={"token": tokens["refresh_token"], "client_id": client_id}
        )
        after = await entrance.judge(read, parts)
        assert await after(holder)
        async with Store(tmp_path / DATABASE) as store, store.changing():
            await store.run("ALTER TABLE grant_ RENAME TO gone")
        assert await (await entrance.judge(read, parts))(holder)  # nobody can say


async def test_agents_of_their_own_know_which_keys_there_are(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    keyfile.add(file, "probe")
    (key,) = keyfile.read(file)
    holder = Principal(name="probe", means="api_key", credential=key.credential)
    async with AsyncExitStack() as parts:
        judge = await entrance.judge(Settings(http=Http(keys_file=file)), parts)
        assert not await judge(holder)
        assert await judge(replace(holder, credential="another"))


async def test_a_secret_that_everybody_can_read_stops_the_start(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    with pytest.raises(WandError, match=r"its mode is 0644 \(chmod o-rwx"):
        async with world(tmp_path, client_id="wand", client_secret_file=secret):
            pass


@pytest.mark.parametrize(
    ("setting", "why"),
    [("keys_file", "does not exist"), ("client_secret_file", "does not exist")],
)
async def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path, setting: str, why: str) -> None:
    about: dict[str, Any] = {setting: tmp_path / "nothing"}
    if setting == "client_secret_file":
        about["client_id"] = "wand"
    with pytest.raises(WandError, match=why):
        async with world(tmp_path, **about):
            pass
