"""Throwaway authorities and leaves, good and bad ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from support import serverside
from wand_hostagent import pki
from wand_hostagent.certificates import Authority, Leaf, leaves, make_authority, sign
from wand_proto.credentials import Identity

HOSTAGENT, SERVER = leaves("test")
TWO_URIS = replace(SERVER, uris=(*SERVER.uris, "spiffe://wand.internal/server/second"))
NO_URI = replace(SERVER, uris=(), dns="server.wand.internal")
OTHER_NAME = replace(HOSTAGENT, dns="elsewhere.wand.internal")
EXPIRED_ON = "2024-02-11"


def good(directory: Path) -> tuple[Identity, Identity]:
    """The host agent's and the server's identity, of one authority."""
    pki.ensure(directory, "test")
    return pki.identity(directory, "hostagent"), pki.identity(directory, "server")


def authority_of(directory: Path) -> Authority:
    """The authority that `good` made there."""
    return pki.read_authority(directory / "ca.crt", directory / "ca.key")


def issue(
    directory: Path, authority: Authority, leaf: Leaf, *, days: int = 30, since: datetime | None = None
) -> Identity:
    """Put a leaf of that authority in the directory, over the one that was there."""
    pki.write_pair(directory, leaf.name, *sign(authority, leaf, days=days, since=since))
    return pki.identity(directory, leaf.name)


def expired(directory: Path, leaf: Leaf) -> Identity:
    """A leaf of the directory's own authority that ended on EXPIRED_ON."""
    return issue(directory, authority_of(directory), leaf, days=10, since=datetime(2024, 2, 1, tzinfo=UTC))


def pem(*, days: int) -> bytes:
    """The server's certificate, good since the day before yesterday and for so many days from now."""
    since = datetime.now(UTC) - timedelta(days=2)
    certificate, _ = sign(make_authority(), SERVER, days=days + 2, since=since)
    return certificate.public_bytes(Encoding.PEM)


def foreign(directory: Path, leaf: Leaf) -> Identity:
    """A leaf of an authority that nobody trusts, beside the directory's own authority."""
    return issue(directory, make_authority(), leaf)


def for_localhost(home: Path) -> str:
    """A certificate for localhost that vouches for itself, as PEM; cert.pem and key.pem in that folder."""
    return serverside.vouched(home / "cert.pem", home / "key.pem", "localhost", "127.0.0.1")
