"""Every way to sign in, as the service sees it; a token is fetched once, renewed early or when refused."""

import asyncio
import base64
import datetime as dt
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel, ConfigDict, SecretStr

from support.foreign import Asked, Says, Service, serving
from support.waiting import until
from wand_proto.errors import Denied, Invalid, Unavailable, WandError
from wand_server.integrations.kit import (
    AllOf,
    ApiKey,
    Basic,
    Bearer,
    EntraApp,
    FirstOf,
    GitHubApp,
    InPath,
    Nobody,
    OAuth2,
    ServiceAccount,
    Session,
    oauth,
)
from wand_server.integrations.kit.http import Address, Client
from wand_server.integrations.kit.oauth import Token, Tokens
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import SignIn

FINE = Says(body={})
TOKEN = Says(body={"access_token": "t0ken-of-access-1", "expires_in": 3600})
SECOND = Says(body={"access_token": "t0ken-of-access-2", "expires_in": 3600})


class Given(BaseModel):
    """Any settings; those that begin with an underscore or hold a secret are secrets in life."""

    model_config = ConfigDict(extra="allow")


def client(service: Service, way: SignIn, strike: Strike, **given: Any) -> Client:
    asking = Client(Address(base_url=service.url, hosts=("127.0.0.1",)), strike)
    settings = Given(
        **{name: SecretStr(value) if isinstance(value, str) else value for name, value in given.items()}
    )
    asking.signed_by(way.signer(settings, asking.once, strike))
    return asking


async def ask(service: Service, way: SignIn, **given: Any) -> Asked:
    """The last request that the service got."""
    asking = client(service, way, Strike(), **given)
    try:
        await asking.send(Request(method="GET", path="/x"))
    finally:
        await asking.close()
    return service.asked[-1]


def form(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.body))


@pytest.mark.parametrize(
    ("way", "given", "seen"),
    [
        (Nobody(), {}, lambda asked: "authorization" not in asked.headers),
        (Bearer(), {"token": "t"}, lambda asked: asked.headers["authorization"] == "Bearer t"),
        (Bearer("key", "Bot"), {"key": "k"}, lambda asked: asked.headers["authorization"] == "Bot k"),
        (Bearer(), {}, lambda asked: "authorization" not in asked.headers),
        (
            Basic(),
            {"username": "u", "password": "p:ü"},
            lambda asked: asked.headers["authorization"] == "Basic dTpwOsO8",
        ),
        (ApiKey("X-Key"), {"api_key": "k"}, lambda asked: asked.headers["x-key"] == "k"),
        (ApiKey("key", where="query"), {"api_key": "k"}, lambda asked: asked.query == {"key": "k"}),
        (
            AllOf((ApiKey("key", where="query"), Bearer())),
            {"api_key": "k", "token": "t"},
            lambda asked: asked.query == {"key": "k"} and asked.headers["authorization"] == "Bearer t",
        ),
        (InPath("/bot"), {"token": "1:a"}, lambda asked: asked.path == "/bot1:a/x"),
        (
            FirstOf(((("token",), Bearer()), (("api_key",), ApiKey("X-Key")))),
            {"api_key": "k"},
            lambda asked: asked.headers["x-key"] == "k",
        ),
    ],
)
async def test_a_request_says_who_we_are(
    way: SignIn, given: dict[str, str], seen: Callable[[Asked], bool]
) -> None:
    async with serving(FINE) as service:
        assert seen(await ask(service, way, **given))


async def test_of_several_ways_one_has_to_be_set() -> None:
    way = FirstOf(((("token",), Bearer()), (("username", "password"), Basic())))
    async with serving(FINE) as service:
        with pytest.raises(Invalid, match="give token or username and password"):
            await ask(service, way, username="u")


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (
            "form",
            {"grant_type": "client_credentials", "scope": "a b", "client_id": "c", "client_secret": "s"},
        ),
        ("basic", {"grant_type": "client_credentials", "scope": "a b"}),
    ],
)
async def test_a_token_is_fetched_with_the_clients_credentials(by: Any, wanted: dict[str, str]) -> None:
    async with serving(TOKEN, FINE) as service:
        way = OAuth2(token_url=service.url + "/{tenant}/token", scope="a b", by=by)
        asked = await ask(service, way, client_id="c", client_secret="s", tenant="t1")
        assert asked.headers["authorization"] == "Bearer t0ken-of-access-1"
        assert form(service.asked[0]) == wanted
        assert ("authorization" in service.asked[0].headers) == (by == "basic")


async def test_who_cannot_be_reached_for_a_token_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with serving(FINE) as service:
        way = OAuth2(token_url=f"http://127.0.0.1:{port}/token")
        with pytest.raises(Unavailable, match=r"no sign-in: 127\.0\.0\.1 .*\(connect call failed"):
            await ask(service, way, client_id="c", client_secret="s")
        assert service.asked == []


LOGGED_IN = Says(
    body={"auth": {"key": "s3ssion-a"}},
    headers={"Set-Cookie": "SID=s3ssion-b; Path=/", "X-Token": "s3ssion-c"},
)


@pytest.mark.parametrize(
    ("way", "body", "header", "value"),
    [
        (
            Session(path="/login", token="auth.key"),
            '{"username":"u","password":"p"}',
            "authorization",
            "Bearer s3ssion-a",
        ),
        (
            Session(path="/login", cookie="SID", body="form", fields={"j_user": "username"}),
            "j_user=u",
            "cookie",
            "SID=s3ssion-b",
        ),
        (
            Session(path="/login", token="X-Token", header="X-Session", word="", fields={}),
            "{}",
            "x-session",
            "s3ssion-c",
        ),
    ],
)
async def test_a_session_is_begun_by_logging_in_and_again_when_it_is_refused(
    way: Session, body: str, header: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "_OLD_SECONDS", -1.0)
    strike = Strike()
    async with serving(LOGGED_IN, Says(status=401), LOGGED_IN, FINE) as service:
        asking = client(service, way, strike, username="u", password="p")
        await asking.send(Request(method="GET", path="/x"))
        await asking.close()
        assert [one.path for one in service.asked] == ["/login", "/x", "/login", "/x"]
        assert (service.asked[0].body, service.asked[-1].headers[header]) == (body, value)
        assert strike.out_of(f"{value}!") == f"{value[:-9]}[secret]!"


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Says(status=403, body={"message": "no"}), Denied, "says 403 no"),
        (Says(status=502), Unavailable, "answers with 502"),
        (Says(body={}), Denied, "the answer to the log-in has no member token"),
    ],
)
async def test_a_log_in_that_fails_says_why(answer: Says, kind: type[WandError], said: str) -> None:
    async with serving(answer) as service:
        with pytest.raises(kind, match=said):
            await ask(service, Session(path="/login"), username="u", password="p")


async def test_many_who_wait_fetch_one_token() -> None:
    async with serving(TOKEN, FINE) as service:
        asking = client(
            service, OAuth2(token_url=service.url + "/token"), Strike(), client_id="c", client_secret="s"
        )
        await asyncio.gather(*(asking.send(Request(method="GET", path="/x")) for _ in range(10)))
        assert [one.path for one in service.asked].count("/token") == 1
        await asking.close()


async def test_a_token_comes_whoever_gives_up_and_its_refresh_token_is_not_used_twice() -> None:
    asked, answer = list[str](), asyncio.Event()

    async def fetch() -> Token:
        asked.append("fetch")
        await answer.wait()
        return Token(value="t", seconds=60)

    tokens, request = Tokens(fetch), Request(method="GET", path="/x")
    first = asyncio.create_task(tokens.sign(Request(method="GET", path="/x")))
    await until(lambda: asked)
    first.cancel()
    second = asyncio.create_task(tokens.sign(request))
    await asyncio.wait([first])
    answer.set()
    await second

    assert request.headers["Authorization"] == "Bearer t"
    assert asked == ["fetch"]


async def test_a_token_that_does_not_come_is_awaited_once_by_all_and_no_longer_than_a_call_may_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wand_server.integrations.kit.http.MOST_SECONDS", 0.1)
    asked = list[str]()

    async def fetch() -> Token:
        asked.append("fetch")
        return await asyncio.Future[Token]()

    asking = Client(Address(base_url="http://127.0.0.1:9"), Strike())
    asking.signed_by(Tokens(fetch))
    sends = (asking.send(Request(method="GET", path="/x")) for _ in range(5))
    async with asyncio.timeout(60):
        errors = await asyncio.gather(*sends, return_exceptions=True)

    assert {type(error) for error in errors} == {Unavailable}
    assert asked == ["fetch"]


async def test_a_token_that_is_about_to_end_is_renewed_before() -> None:
    async with serving(
        Says(body={"access_token": "t0ken-short", "expires_in": 1e-6}), FINE, SECOND, FINE
    ) as service:
        asking = client(
            service, OAuth2(token_url=service.url + "/token"), Strike(), client_id="c", client_secret="s"
        )
        for _ in range(2):
            await asking.send(Request(method="GET", path="/x"))
        assert [one.path for one in service.asked] == ["/token", "/x", "/token", "/x"]
        await asking.close()


async def test_a_refusal_is_tried_once_more_with_a_new_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_OLD_SECONDS", -1)
    refused = Says(status=401, body={"message": "expired"})
    async with serving(TOKEN, refused, SECOND, FINE) as service:
        asked = await ask(service, OAuth2(token_url=service.url + "/token"), client_id="c", client_secret="s")
        assert asked.headers["authorization"] == "Bearer t0ken-of-access-2"
    async with serving(TOKEN, refused, SECOND, refused) as service:
        with pytest.raises(Denied, match="answers with 401: expired"):
            await ask(service, OAuth2(token_url=service.url + "/token"), client_id="c", client_secret="s")


async def test_a_refresh_token_that_is_replaced_is_used_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_OLD_SECONDS", -1)
    replaced = Says(body={"access_token": "t0ken-of-access-1", "refresh_token": "r3fresh-2"})
    async with serving(replaced, Says(status=401), SECOND, FINE) as service:
        way = OAuth2(token_url=service.url + "/token", grant="refresh_token")
        await ask(service, way, client_id="c", client_secret="s", refresh_token="r3fresh-1")
        tokens = [form(one)["refresh_token"] for one in service.asked if one.path == "/token"]
        assert tokens == ["r3fresh-1", "r3fresh-2"]


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            Says(status=400, body={"error": "invalid_client", "error_description": "no s3cr3t-x"}),
            Denied,
            r"says 400 no \[secret\]",
        ),
        (Says(status=503), Unavailable, "answers with 503"),
        (Says(body={"token_type": "bearer"}), Denied, "says 200"),
        (Says(text="<html>"), Denied, "says 200"),
    ],
)
async def test_a_token_that_cannot_be_had_is_told_plainly(
    answer: Says, kind: type[WandError], said: str
) -> None:
    async with serving(answer) as service:
        asking = client(
            service,
            OAuth2(token_url=service.url + "/token"),
            Strike(["s3cr3t-x"]),
            client_id="c",
            client_secret="s3cr3t-x",
        )
        with pytest.raises(kind, match=said):
            await asking.send(Request(method="GET", path="/x"))
        await asking.close()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def certificate_of(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wand")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return made.sign(key, hashes.SHA256())


def claims(statement: str, key: rsa.RSAPrivateKey, audience: str | None = None) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(statement, key.public_key(), ["RS256"], audience=audience)
    return read


async def test_a_service_account_signs_a_statement(key: rsa.RSAPrivateKey) -> None:
    async with serving(TOKEN, FINE) as service:
        url = service.url + "/token"
        account = json.dumps({"client_email": "a@b.example", "private_key": pem_of(key), "token_uri": url})
        await ask(service, ServiceAccount(scope="drive"), service_account=account, subject="ann@b.example")
        said = claims(form(service.asked[0])["assertion"], key, url)
        assert (said["iss"], said["scope"], said["sub"]) == ("a@b.example", "drive", "ann@b.example")
        assert said["exp"] - said["iat"] <= 600


async def test_an_application_of_entra_signs_by_its_certificate(key: rsa.RSAPrivateKey) -> None:
    certificate = certificate_of(key)
    both = pem_of(key) + certificate.public_bytes(serialization.Encoding.PEM).decode()
    async with serving(TOKEN, FINE) as service:
        given = {"authority": service.url, "tenant": "t1", "client_id": "c1", "certificate": both}
        await ask(service, EntraApp(scope=".default"), **given)
        assert service.asked[0].path == "/t1/oauth2/v2.0/token"
        statement = form(service.asked[0])["client_assertion"]
        assert claims(statement, key, f"{service.url}/t1/oauth2/v2.0/token")["iss"] == "c1"
        digest = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
        assert jwt.get_unverified_header(statement)["x5t#S256"] == digest


async def test_an_app_of_github_asks_for_the_token_of_its_installation(key: rsa.RSAPrivateKey) -> None:
    async with serving(Says(status=201, body={"token": "ghs_t0ken"}), FINE) as service:
        given = {"app_id": "7", "installation_id": "42", "private_key": pem_of(key), "base_url": service.url}
        asked = await ask(service, GitHubApp(), **given)
        assert asked.headers["authorization"] == "Bearer ghs_t0ken"
        assert service.asked[0].path == "/app/installations/42/access_tokens"
        said = claims(service.asked[0].headers["authorization"].removeprefix("Bearer "), key)
        assert said["iss"] == "7"


@pytest.mark.parametrize(
    ("way", "given", "said"),
    [
        (ServiceAccount(scope="x"), {"service_account": "{}"}, "service_account: is not the file"),
        (
            EntraApp(scope="x"),
            {"tenant": "t", "client_id": "c", "certificate": "no"},
            "certificate: must hold",
        ),
        (GitHubApp(), {"app_id": "1", "installation_id": "2", "private_key": "no"}, "is no RSA key in PEM"),
    ],
)
async def test_a_key_that_is_none_is_told_plainly(way: SignIn, given: dict[str, str], said: str) -> None:
    async with serving(FINE) as service:
        with pytest.raises(Invalid, match=said):
            await ask(service, way, **given)
