"""No secret of any service leaves it: not in results, errors, logs or the ledger, and in no form.

Each is set up against a service that says back all that it hears, as text, in base64, hex and as a URL has
it, in every member of its answers and in its errors; then every operation is called.
"""

import base64
import datetime as dt
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support import samples
from support.foreign import listening
from support.host import FakeHost, call
from support.services import FakeLedger
from wand_proto.errors import WandError
from wand_server import outward, ports
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit import FirstOf, Integration, http, pace
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.consent import Consents, InMemory, Person
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Sources
from wand_server.model import Call
from wand_server.tools import operations
from wand_server.tools.registry import Registry

CATALOG = Catalog()
_PRIVATE = rsa.generate_private_key(65537, 2048)
KEY = _PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def certificate() -> str:
    """Of that key, with the key after it."""
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wand")]), dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_PRIVATE.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return made.sign(_PRIVATE, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode() + KEY


ACCOUNT = {"client_email": "a@b.example", "private_key": KEY, "token_uri": "https://oauth2.example/token"}
SPECIAL = {"private_key": KEY, "certificate": certificate(), "service_account": json.dumps(ACCOUNT)}


def planted(name: str) -> str:
    """A secret for a setting."""
    return SPECIAL.get(name, f"C4nary-{name}+/=%of\u00fcs")


def looked_for(name: str) -> set[str]:
    """The secret in every form; of a key, a line from its middle."""
    secret = KEY.splitlines()[10] if name in SPECIAL else planted(name)
    raw, shifts = secret.encode(), (b"", b"x", b"xy")
    middles = {base64.b64encode(shift + raw).decode()[4:-4] for shift in shifts}
    urls = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    urls |= {re.sub("%..", lambda one: one[0].lower(), each) for each in urls}
    return {secret, raw.hex(), raw.hex().upper(), json.dumps(secret)[1:-1], *urls, *middles}


class Ledger(FakeLedger):
    """Keeps all that it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    async def begins(self, call: Call, act: ports.Act) -> None:
        self.heard.append(repr(act))

    async def ended(self, call: Call, act: ports.Act, seconds: float, failure: WandError | None) -> None:
        self.heard.append(f"{act} {failure} {failure and failure.hint}")


class Faithful(InMemory):
    """Forgets nobody, so that every operation has an account."""

    def remove(self, instance: str, person: Person) -> bool:
        return False


@dataclass
class Parrot:
    """Says back what it hears: in an answer of the form that is awaited, or as a refusal."""

    status: int = 200
    operation: Any = None  # that is called
    url: str = ""
    heard: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        plain = "\n".join((str(request.raw_path), *request.headers.values(), (await request.text())))
        self.heard.append(plain)
        if "grant_type=" in plain or "access_tokens" in request.path:
            token = planted("account")
            return web.json_response({"access_token": token, "token": token, "expires_in": 3600})
        raw = plain.encode(errors="replace")
        said = " ".join((plain, base64.b64encode(raw).decode(), raw.hex(), quote(plain)))
        headers = {"X-Said": said.replace("\n", " ")[:4000], "Retry-After": "0"}
        if self.status == 500:
            return web.Response(status=500, text=said)
        if self.status == 400:
            return web.json_response({"message": said, "error": said}, status=400)
        return web.json_response(
            self._shaped(said), headers={k: v for k, v in headers.items() if v.isascii()}
        )

    def _shaped(self, said: str) -> Any:
        if self.operation is None or self.operation.plan.route is None:
            return {"message": said}
        value = filled(self.operation.output_schema, said)
        for name in reversed(self.operation.plan.place.split(".") if self.operation.plan.place else ()):
            value = {name: value}
        return value


def filled(schema: Mapping[str, Any], text: str) -> Any:
    """A value that fits, with the text wherever one may be."""
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], text)
    if kind == "object":
        named = {name: filled(inner, text) for name, inner in schema.get("properties", {}).items()}
        return named or {"said": text}
    if kind == "array":
        return [filled(schema.get("items", {}), text)]
    if kind in (None, "string") and "enum" not in schema and "const" not in schema:
        return text
    return samples.sample(schema)


ALONE = {"kubernetes": frozenset({"token"})}  # its other secrets are those of TLS, which the parrot lacks


def ways(service: str) -> Iterator[frozenset[str]]:
    """The secrets that are set together: one time for each way to sign in."""
    kind, known = CATALOG.load(service), CATALOG.known[service].settings
    secrets = ALONE.get(service, frozenset(name for name, one in known.items() if one.secret))
    sign_in = getattr(kind, "sign_in", None)
    for needed in [way[0] for way in sign_in.ways] if isinstance(sign_in, FirstOf) else [tuple(secrets)]:
        yield frozenset(needed) | frozenset(name for name, one in known.items() if one.required)


def table(service: str, names: frozenset[str], url: str) -> dict[str, Any]:
    known = CATALOG.known[service].settings
    given = {name: f"value-of-{name}" for name in names}
    said = CATALOG.manifests[service].tests.settings.items()
    given |= {
        name: value.replace("{url}", url) for name, value in said if name in names or not known[name].secret
    }
    given |= {name: f"env:{name}" for name in names if known[name].secret}
    people = {"people": True} if "people" in names else {}
    return {**given, **people, **({"base_url": url} if "base_url" in known else {})}


@asynccontextmanager
async def set_up(
    service: str, names: frozenset[str], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Registry, Parrot]]:
    parrot = Parrot()
    sources = Sources({name: planted(name) for name in names})
    accounts = Faithful()
    accounts.put(service, call().principal.identity, {"access_token": planted("account"), "until": 2.0**40})
    around = Around(host=FakeHost(), consents=Consents("", accounts))
    instances = Instances(CATALOG, ledger, lambda: "a1", sources, around)
    async with listening(parrot.answer) as url:
        bring_home(monkeypatch, url)
        instances.configure({service: table(service, names, url)})
        try:
            yield Registry(FakeHost(), operations.entries(instances)), parrot
        finally:
            await instances.close()


def bring_home(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whatever is sent elsewhere, to where tokens are for example, comes to the parrot."""
    once = http.Client.once

    async def brought(self: http.Client, request: Request, seconds: float = 30.0) -> Answered:
        if not (request.base_url or self.base_url).startswith(url) or "://" in request.path:
            request.path = url + (urlsplit(request.url).path or "/")
        return await once(self, request, seconds)

    monkeypatch.setattr(http.Client, "once", brought)


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and nothing but loopback is looked for."""

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[Any]:
        raise OSError("a name that stands for no address")

    async def take(self: object, within_seconds: float) -> None:
        """At once."""

    monkeypatch.setattr(outward.PublicResolver, "resolve", resolve)
    monkeypatch.setattr(http, "_pause_seconds", lambda *_: 0.0)
    monkeypatch.setattr(pace, "_FAILURES", 10**9)
    monkeypatch.setattr(pace.Bucket, "take", take)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("service", "names"),
    [(one, names) for one in CATALOG.known for names in ways(one)],
    ids=lambda one: one if isinstance(one, str) else "+".join(sorted(one)) or "nobody",
)
async def test_no_secret_leaves_a_service(
    service: str,
    names: frozenset[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    ledger, told, kind = Ledger(), list[str](), CATALOG.load(service)
    async with set_up(service, names, ledger, monkeypatch) as (registry, parrot):
        for parrot.status in (200, 400, 500):
            for name, parrot.operation in kind.operations.items():
                given = samples.arguments(parrot.operation.input_schema, whole=parrot.status == 200)
                asked = {"operation": f"{service}.{name}", "arguments": given}
                result = await registry.call("call_operation_write", asked, call())
                told.append(f"{result.text} {json.dumps(result.structured, ensure_ascii=False)}")
    everything = "\n".join((*told, caplog.text, *ledger.heard))
    secrets = ["account"] + [name for name in names if CATALOG.known[service].settings[name].secret]
    assert {name for name in secrets for form in looked_for(name) if form in everything} == set()
    assert issubclass(kind, Integration) is False or parrot.heard, "nothing was asked: nothing was tried"


def test_a_secret_that_leaves_would_be_seen() -> None:
    for encode in (
        str,
        quote,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: text.encode().hex(),
    ):
        assert any(form in encode(f"ab{planted('token')}cd") for form in looked_for("token"))
