"""The tables of the settings file that say who is let in, and by what: `[issuer]`, `[oauth]`, `[tls]`."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wand_server.kinds import Frozen, Networks, Words, issuer_url, listed


def _https(untrusted: str) -> str:
    """A URL to which tokens may be tied: https, or http on loopback."""
    parts = urlsplit(untrusted)
    is_loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    permitted = parts.scheme == "https" or (parts.scheme == "http" and is_loopback)
    if untrusted and (not permitted or parts.query or parts.fragment or parts.username is not None):
        raise ValueError("must be an https URL (http on loopback only), without a query or a fragment")
    return untrusted


def _mapped(untrusted: object) -> object:
    """A table of scopes that came as text from a variable: theirs=ours ours,theirs=ours."""
    if not isinstance(untrusted, str):
        return untrusted
    return {name: ours.split() for name, _, ours in (part.partition("=") for part in untrusted.split(","))}


def _scopes(untrusted: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [word for word in untrusted if not re.fullmatch(r"wand:(read|write|execute|admin|tool:.+)", word)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no scope of ours")
    return untrusted


Url = Annotated[str, AfterValidator(_https)]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/@+-]{0,64}$")]
Scopes = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_scopes)]
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]


class OAuth(Frozen):
    """An issuer of access tokens that is not ours; without its address, it is off."""

    issuer: Url = ""
    resource: Url = ""  # our address as clients know it, the audience of tokens (RFC 8707)
    audiences: Words = ()  # others that a token may name instead
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(listed)] = (
        "ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256",
    )  # fmt: skip
    keys_file: Path | None = None  # a JSON Web Key Set, or a public key in PEM, instead of those it publishes
    ca: Path | None = None  # believed when it is asked, instead of the system's
    name_claim: str = "sub"
    name_prefix: Prefix = "oidc:"  # has a colon, which no name of a key or a person of ours has
    scope_claim: str = "scope"
    scope_map: Annotated[dict[str, Scopes], BeforeValidator(_mapped)] = Field(default_factory=dict)
    default_scopes: Scopes = ()
    groups_claim: str = "groups"
    groups_prefix: Prefix = "oidc:"
    access_tokens_only: bool = False  # nothing but the type at+jwt of RFC 9068
    client_id: str = ""  # by which we ask it about tokens that we cannot read (RFC 7662)
    client_secret_file: Path | None = None
    dpop_required: bool = False
    dpop_nonces: bool = False  # whether a proof must have a nonce of ours, at our endpoint of MCP

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer and not self.resource:
            raise ValueError("resource is needed with issuer: our address, as https://wand.example/mcp")
        if bool(self.client_id) != (self.client_secret_file is not None):
            raise ValueError("client_id and client_secret_file go together")
        return self


class Client(Frozen):
    """Whom a client certificate stands for."""

    certificate: str  # a name in it: URI:…, DNS:…, email:…, or subject:… as a whole
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
    scopes: Scopes = ("wand:read", "wand:write", "wand:execute")
    groups: Words = ()
    on_behalf_of: str = ""


class Tls(Frozen):
    """TLS on our own port, and certificates of clients; without a certificate of ours, it is off."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None  # who has signed the clients' certificates
    client_crl: Path | None = None  # which of those they have taken back
    client_required: bool = False  # whether a connection without one is refused
    client: tuple[Client, ...] = ()
    hsts_seconds: Annotated[int, Field(ge=0, le=63_072_000)] = 31_536_000  # a year; 0: nothing is said

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key: a proxy's TLS is none of ours")
        if (self.client or self.client_required or self.client_crl) and self.client_ca is None:
            raise ValueError("client, client_required and client_crl need client_ca")
        return self


class Issuer(Frozen):
    """The built-in authorization server; without an address of its own, it is off."""

    url: Annotated[str, AfterValidator(issuer_url)] = ""
    folder: Path = Path("/var/lib/wand-server/issuer")  # its database, and the keys that sign
    documents: bool = True  # whether clients are known by documents, which are fetched from the internet
    registration: bool = False  # of clients that no document describes (RFC 7591)
    redirect_schemes: Words = ("cursor", "vscode", "vscode-insiders")  # beside those with a dot
    document_networks: Networks = ()  # where clients' documents may be, beside the public internet
    admin_groups: Words = ()  # whose people may give away wand:admin
    trusted_proxies: Networks = ()  # none: those of http, for addresses alone
    user_header: str = ""  # in which a trusted proxy names the person; then there are no passwords
    groups_header: str = ""
    access_seconds: Annotated[int, Field(ge=60, le=900)] = 600
    refresh_days: Annotated[int, Field(ge=1, le=365)] = 30  # a refresh token that nobody uses
    dpop_nonces: bool = False  # whether a proof must have one, where tokens are given out
    grant_days: Annotated[int, Field(ge=1, le=3650)] = 180  # then a person is asked again

    @model_validator(mode="after")
    def _believes_somebody(self) -> Self:
        if self.user_header and not self.trusted_proxies:
            raise ValueError(
                "user_header needs trusted_proxies, the addresses of the proxies that may send it"
            )
        return self
