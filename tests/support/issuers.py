"""An issuer that exists only in a test: it signs what it is told to, and publishes its keys on loopback."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RESOURCE = "https://wand.example/mcp"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk_of(private: Any, **more: Any) -> dict[str, Any]:
    """The public key as a JSON Web Key."""
    public = private.public_key()
    kinds: dict[type, Any] = {
        ec.EllipticCurvePublicKey: jwt.algorithms.ECAlgorithm,
        rsa.RSAPublicKey: jwt.algorithms.RSAAlgorithm,
        ed25519.Ed25519PublicKey: jwt.algorithms.OKPAlgorithm,
    }
    kind = next(kind for known, kind in kinds.items() if isinstance(public, known))
    return {**json.loads(kind.to_jwk(public)), **more}


def pem_of(private: Any) -> bytes:
    """The public key in PEM."""
    pem: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def part(value: Any) -> str:
    """One part of a token, as JSON says it or as it is."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


@dataclass
class Issuer:
    """Signs with `private`, under the id `kid`."""

    name: str = "https://login.example"
    private: Any = field(default_factory=ec_key)
    algorithm: str = "ES256"
    kid: str = "k1"

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        whole = {
            "iss": self.name, "sub": "ann", "aud": RESOURCE, "iat": now, "exp": now + 300, "jti": "t1",
            "scope": "openid wand:read", "client_id": "c", **more,
        }  # fmt: skip
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; a claim or a header of None is left out."""
        head = {"typ": "at+jwt", "kid": self.kid, **(header or {})}
        known = {name: value for name, value in head.items() if value is not None}
        text = json.dumps(self.claims(**claims)).encode()
        return jwt.api_jws.encode(text, self.private, self.algorithm, known)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [jwk_of(self.private, kid=self.kid, use="sig")]}


@dataclass
class Served:
    """An issuer on loopback, and what it was asked; `active` is what it says of tokens."""

    issuer: Issuer
    origin: str
    asked: list[str] = field(default_factory=list)
    active: dict[str, dict[str, Any]] = field(default_factory=dict)
    credentials: list[str] = field(default_factory=list)
    is_down: bool = False


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """An issuer that answers on loopback."""
    runner = web.ServerRunner(web.Server(lambda request: _answer(about, request)))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    about = Served(Issuer(name=origin), origin)
    try:
        yield about
    finally:
        await runner.cleanup()


async def _answer(about: Served, request: web.BaseRequest) -> web.Response:
    about.asked.append(request.path)
    if about.is_down:
        return web.Response(status=503)
    if request.path == "/.well-known/openid-configuration":
        body: dict[str, Any] = {"issuer": about.issuer.name, "jwks_uri": f"{about.origin}/jwks"}
        return web.json_response({**body, "introspection_endpoint": f"{about.origin}/introspect"})
    if request.path == "/jwks":
        return web.json_response(about.issuer.jwks())
    if request.path == "/introspect":
        about.credentials.append(request.headers["Authorization"])
        form = await request.post()
        return web.json_response(about.active.get(str(form["token"]), {"active": False}))
    return web.Response(status=404)
