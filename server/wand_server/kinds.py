"""What a setting may be: lists, addresses, networks, and the table that they stand in."""

import ipaddress
import json
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

_ISSUER_URL = re.compile(
    r"(https://[a-z0-9.-]+|http://(127\.0\.0\.1|localhost|\[::1\]))(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~-]+)*"
)


def listed(untrusted: object) -> object:
    """A list that came as text from a variable."""
    return (
        [part.strip() for part in untrusted.split(",") if part.strip()]
        if isinstance(untrusted, str)
        else untrusted
    )


def parsed(untrusted: object) -> object:
    """A table that came as text from a variable, in JSON."""
    if not isinstance(untrusted, str):
        return untrusted
    try:
        return json.loads(untrusted)
    except ValueError as why:
        raise ValueError('must be JSON, as {"name": {"port": 8003}}') from why


def grpc_address(untrusted: str) -> str:
    """unix:PATH or HOST:PORT, as gRPC reads them."""
    host, colon, port = untrusted.rpartition(":")
    is_path = untrusted.startswith("unix:") and len(untrusted) > len("unix:")
    if not is_path and not (host and colon and "/" not in host and port.isascii() and port.isdigit()):
        raise ValueError("must be unix:PATH or HOST:PORT")
    return untrusted


def issuer_url(untrusted: str) -> str:
    """https, or http on loopback; a host in lower case, perhaps a path, no more (RFC 8414, 2)."""
    if untrusted and not _ISSUER_URL.fullmatch(untrusted):
        raise ValueError(
            "must be like https://wand.example, without a slash at its end (http on loopback only)"
        )
    return untrusted


def _network(untrusted: str) -> str:
    """An address, or a network such as 10.0.0.0/8."""
    ipaddress.ip_network(untrusted)
    return untrusted


Words = Annotated[tuple[str, ...], BeforeValidator(listed)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(listed)]


class Frozen(BaseModel):
    """A table of settings: nothing unknown in it, nothing changed after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")
