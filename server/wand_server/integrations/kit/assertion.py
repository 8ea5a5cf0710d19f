"""Sign-in by a signed statement (RFC 7523): Google's service accounts, Microsoft Entra, GitHub's apps."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel

from wand_proto.errors import Invalid
from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.oauth import OAuth2, Token, Tokens, ask, token_in
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, SignIn, secret

_LIFE_SECONDS = 540  # of a statement; GitHub takes no more than ten minutes
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_BY_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def _statement(claims: Mapping[str, Any], key: str, headers: Mapping[str, str] | None = None) -> str:
    now = int(time.time())
    whole = {"iat": now - 60, "exp": now + _LIFE_SECONDS, **claims}  # the clock there may be behind ours
    try:
        return jwt.encode(whole, key, algorithm="RS256", headers=dict(headers or {}))
    except (ValueError, TypeError, jwt.PyJWTError) as why:
        raise Invalid("the private key for the sign-in is no RSA key in PEM") from why


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount(SignIn):
    """A service account of Google: the file of its key is the secret; `subject` may name whom it acts for."""

    scope: str
    setting: str = "service_account"
    subject: str = "subject"

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        try:
            account: dict[str, str] = json.loads(secret(settings, self.setting))
            email, key, url = (account[name] for name in ("client_email", "private_key", "token_uri"))
        except (ValueError, KeyError, TypeError) as why:
            raise Invalid("is not the file of a service account's key", field=self.setting) from why
        strike.add(key)
        acts_for = secret(settings, self.subject)

        async def fetch() -> Token:
            claims = {
                "iss": email,
                "scope": self.scope,
                "aud": url,
                **({"sub": acts_for} if acts_for else {}),
            }
            form = {"grant_type": _GRANT, "assertion": _statement(claims, key)}
            return token_in(await ask(send, Request(method="POST", path=url, form=form), strike))

        return Tokens(fetch)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraApp(SignIn):
    """An application of Microsoft Entra: `tenant`, `client_id`, and a secret or a certificate with key."""

    scope: str

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        base = secret(settings, "authority").rstrip("/") or "https://login.microsoftonline.com"
        url = f"{base}/{secret(settings, 'tenant')}/oauth2/v2.0/token"
        certificate = secret(settings, "certificate")
        if not certificate:
            return OAuth2(token_url=url, scope=self.scope).signer(settings, send, strike)
        client = secret(settings, "client_id")

        async def fetch() -> Token:
            claims = {"iss": client, "sub": client, "aud": url, "jti": str(uuid.uuid4())}
            form = {
                "grant_type": "client_credentials",
                "client_id": client,
                "scope": self.scope,
                "client_assertion_type": _BY_ASSERTION,
                "client_assertion": _statement(claims, certificate, {"x5t#S256": _thumbprint(certificate)}),
            }
            return token_in(await ask(send, Request(method="POST", path=url, form=form), strike))

        return Tokens(fetch)


def _thumbprint(pem: str) -> str:
    try:
        read = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as why:
        raise Invalid("must hold the certificate and its key, both in PEM", field="certificate") from why
    digest = hashlib.sha256(read.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubApp(SignIn):
    """An installation of a GitHub App: `app_id`, `installation_id` and `private_key`."""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        app, key = secret(settings, "app_id"), secret(settings, "private_key")
        path = f"/app/installations/{secret(settings, 'installation_id')}/access_tokens"
        base = secret(settings, "base_url")

        async def fetch() -> Token:
            headers = {"Authorization": f"Bearer {_statement({'iss': app}, key)}"}
            request = Request(method="POST", path=path, base_url=base, headers=headers)
            return token_in(await ask(send, request, strike, name="token"), name="token")

        return Tokens(fetch)
