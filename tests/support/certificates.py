"""Throwaway authorities and leaves, good and bad ones."""

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

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
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    (home / "cert.pem").write_bytes(pem)
    (home / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem.decode()
