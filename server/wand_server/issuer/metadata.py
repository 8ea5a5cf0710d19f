"""What a client says of itself, in a document (CIMD) or when it registers (RFC 7591), read into a Client."""

import json
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wand_server.issuer import redirects
from wand_server.issuer.model import Client, Refusal, readable

MOST_BYTES = 16 * 1024
_DOCUMENT_URL = re.compile(
    r"https://([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?/[A-Za-z0-9\-._~/%!$&'()*+,;=:@?]+"
)
_MOST_URL = 512
_DOTS = re.compile(r"/\.{1,2}(/|\?|$)|%2e|%2f", re.IGNORECASE)
_NO_SECRET = "none"  # noqa: S105 - the name of a method
Text = Annotated[str, Field(max_length=redirects.MOST_CHARACTERS)]


class Metadata(BaseModel):
    """The members that count; others are ignored, as the standards have it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    client_id: Text = ""
    client_name: Text = ""
    redirect_uris: Annotated[tuple[Text, ...], Field(min_length=1, max_length=20, strict=False)]
    grant_types: Annotated[tuple[Text, ...], Field(max_length=20, strict=False)] = ("authorization_code",)
    response_types: Annotated[tuple[Text, ...], Field(max_length=20, strict=False)] = ("code",)
    token_endpoint_auth_method: Text = ""


def is_document_url(client_id: str) -> bool:
    """Whether a client's id is the address of a document: https, a name with a dot, no port, a path."""
    if len(client_id) > _MOST_URL or _DOTS.search(client_id):
        return False
    return _DOCUMENT_URL.fullmatch(client_id) is not None


def from_document(client_id: str, untrusted: bytes, schemes: Collection[str]) -> Client:
    """The client of a document.

    Raises:
        Refusal: it is no such document, or another client's.
    """
    read = _read(untrusted)
    if read.client_id != client_id:
        raise _invalid("client_id in the document must be the document's own address")
    if read.token_endpoint_auth_method not in {"", _NO_SECRET}:
        raise _invalid(
            "token_endpoint_auth_method must be none: there is no secret that a document could hold"
        )
    return Client(id=client_id, kind="document", **_common(read, schemes))


def from_registration(client_id: str, untrusted: bytes, schemes: Collection[str]) -> tuple[Client, str]:
    """The client that registers itself, without a secret yet, and by which method it wants to show one."""
    read = _read(untrusted)
    method = read.token_endpoint_auth_method or "client_secret_basic"
    if method not in {_NO_SECRET, "client_secret_basic", "client_secret_post"}:
        raise _invalid("token_endpoint_auth_method must be none, client_secret_basic or client_secret_post")
    client = Client(id=client_id, kind="registered", **_common(read, schemes))
    return replace(client, name=client.name or "a client without a name"), method


def _common(read: Metadata, schemes: Collection[str]) -> dict[str, Any]:
    for uri in read.redirect_uris:
        if why := redirects.wrong(uri, schemes):
            raise Refusal("invalid_redirect_uri", f"an address in redirect_uris {why}")
    if "authorization_code" not in read.grant_types or "code" not in read.response_types:
        raise _invalid("grant_types must list authorization_code, and response_types code")
    return {
        "name": readable(read.client_name),
        "redirect_uris": read.redirect_uris,
        "may_refresh": "refresh_token" in read.grant_types,
    }


def _read(untrusted: bytes) -> Metadata:
    if len(untrusted) > MOST_BYTES:
        raise _invalid(f"has more than {MOST_BYTES} bytes")
    try:
        return Metadata.model_validate(json.loads(untrusted))
    except ValidationError as why:
        field = ".".join(str(part) for part in why.errors()[0]["loc"]) or "the body"
        raise _invalid(f"{field} cannot be read as client metadata") from why
    except (ValueError, RecursionError) as why:
        raise _invalid("the body must be JSON") from why


def _invalid(text: str) -> Refusal:
    return Refusal("invalid_client_metadata", text)
