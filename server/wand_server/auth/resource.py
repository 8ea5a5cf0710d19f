"""What this server says of itself as a resource that tokens are issued for (RFC 9728)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from wand_server import scopes

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def metadata_url(resource: str) -> str:
    """Where the metadata of a resource stands: before its path (RFC 9728, 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def origin(resource: str) -> str:
    """The resource's URL without its path."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}"


def metadata_paths(resource: str) -> tuple[str, ...]:
    """The paths at which we answer with it: the resource's own, and the one at the root that others try."""
    return tuple(dict.fromkeys((WELL_KNOWN, urlsplit(metadata_url(resource)).path)))


def metadata(resource: str, issuers: Sequence[str], dpop_algorithms: Sequence[str] = ()) -> dict[str, Any]:
    """The document itself; `issuers` are those whose tokens are let in."""
    proofs = {"dpop_signing_alg_values_supported": list(dpop_algorithms)} if dpop_algorithms else {}
    return {
        "resource": resource,
        "authorization_servers": list(issuers),
        "scopes_supported": list(scopes.MEANING),
        "bearer_methods_supported": ["header"],
        "resource_name": "Wand",
        **proofs,
    }
