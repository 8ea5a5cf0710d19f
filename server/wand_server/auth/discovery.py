"""Where an issuer keeps its keys and answers questions: OpenID Connect Discovery 1.0 and RFC 8414."""

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from wand_proto.errors import Unavailable
from wand_server.auth.fetching import check_url


class Source(Protocol):
    """What fetches JSON objects."""

    async def get(self, url: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What an issuer says of itself, as far as it matters here."""

    jwks_uri: str
    introspection_endpoint: str


def places(issuer: str) -> tuple[str, ...]:
    """Where the metadata of an issuer may stand, in the order in which clients of MCP look."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    found = (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}/.well-known/openid-configuration{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )
    return tuple(dict.fromkeys(found))


async def discover(issuer: str, source: Source) -> Metadata:
    """The metadata of an issuer.

    Raises:
        Unavailable: there is none to be had, or what there is is another's.
    """
    whys: list[str] = []
    for place in places(issuer):
        try:
            return read(await source.get(place), issuer)
        except Unavailable as why:
            whys.append(why.message)
    raise Unavailable(f"{issuer} tells nothing of itself: {'; '.join(whys)}")


def read(untrusted: dict[str, Any], issuer: str) -> Metadata:
    """The metadata, if it is that issuer's own: its name must agree to the byte (RFC 8414, 3.3).

    Raises:
        Unavailable: it is another's, or names no keys.
        Invalid: it names a place from which we do not fetch.
    """
    if untrusted.get("issuer") != issuer:
        other = untrusted.get("issuer")
        raise Unavailable(f"the metadata is of the issuer {other!r:.120}, not of {issuer!r}")
    jwks_uri, asking = untrusted.get("jwks_uri"), untrusted.get("introspection_endpoint", "")
    if not isinstance(jwks_uri, str) or not isinstance(asking, str):
        raise Unavailable("the metadata names no jwks_uri")
    check_url(jwks_uri, "jwks_uri")
    return Metadata(
        jwks_uri=jwks_uri,
        introspection_endpoint=check_url(asking, "introspection_endpoint") if asking else "",
    )
