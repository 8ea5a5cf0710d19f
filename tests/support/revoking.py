"""Lists of revoked certificates, good and bad ones."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from wand_hostagent.certificates import Authority


def crl(
    authority: Authority, serials: Sequence[int] = (), *, days: int = 1, since: int = -1,
    name: x509.Name | None = None, extension: x509.ExtensionType | None = None,
) -> bytes:  # fmt: skip
    """A list in PEM that holds from `since` (days from now) until `days` from now."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=name or authority.certificate.subject,
        last_update=now + timedelta(days=since),
        next_update=now + timedelta(days=days),
    )
    for serial in serials:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(one)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(authority.key, SHA256()).public_bytes(Encoding.PEM)


def put(path: Path, content: bytes) -> None:
    """Replace a file as an administrator should."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.chmod(0o644)
    new.replace(path)
