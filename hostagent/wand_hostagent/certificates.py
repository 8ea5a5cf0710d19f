"""The certificates of an installation, as values: a private authority and two leaves.

The authority is a P-256 key, good for ten years, and may sign leaves alone, for names of wand.internal alone.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wand_proto.errors import Invalid
from wand_proto.wire import HOSTAGENT_NAME

DOMAIN = "wand.internal"
LEAF_DAYS = 397
AUTHORITY_DAYS = 3653
_BACKDATED = timedelta(minutes=5)  # so that a clock a little behind ours accepts it at once
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One certificate to have: the file's name, the URI (one) that it proves, and what it may do."""

    name: str
    uris: tuple[str, ...]
    usage: x509.ObjectIdentifier
    dns: str = ""


@dataclass(frozen=True, slots=True)
class Authority:
    """The certificate that signs, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def leaves(hostname: str) -> tuple[Leaf, ...]:
    """The two leaves of an installation on `hostname`."""
    if not _HOSTNAME.fullmatch(hostname):
        raise Invalid(
            f"{hostname!r:.80} is no host name: letters, digits, dots and dashes", field="--hostname"
        )
    return (
        Leaf(
            name="hostagent",
            uris=(f"spiffe://{DOMAIN}/hostagent/{hostname}",),
            usage=ExtendedKeyUsageOID.SERVER_AUTH,
            dns=HOSTAGENT_NAME,
        ),
        Leaf(
            name="server",
            uris=(f"spiffe://{DOMAIN}/server/{hostname}",),
            usage=ExtendedKeyUsageOID.CLIENT_AUTH,
        ),
    )


def make_authority(*, days: int = AUTHORITY_DAYS) -> Authority:
    """A new authority, kept nowhere yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"Wand authority {x509.random_serial_number() >> 96:016x}")
    since = datetime.now(UTC) - _BACKDATED
    names = [x509.DNSName(DOMAIN), x509.UniformResourceIdentifier(DOMAIN)]
    builder = _builder(subject, subject, key.public_key(), (since, since + timedelta(days=days)))
    for extension in (
        x509.BasicConstraints(ca=True, path_length=0),
        x509.NameConstraints(names, None),
        _key_usage(signs_certificates=True),
    ):
        builder = builder.add_extension(extension, critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def sign(
    authority: Authority, leaf: Leaf, *, days: int = LEAF_DAYS, since: datetime | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new certificate for the leaf and its key; it ends with its authority at the latest."""
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in leaf.uris]
    names += [x509.DNSName(leaf.dns)] if leaf.dns else []
    ca = authority.certificate
    since = since or datetime.now(UTC) - _BACKDATED
    life = since, min(since + timedelta(days=days), ca.not_valid_after_utc)
    builder = _builder(_name(f"wand {leaf.name}"), ca.subject, key.public_key(), life)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([leaf.usage]), False),
        (x509.SubjectAlternativeName(names), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority.key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    since, until = life
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(since).not_valid_after(until)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
