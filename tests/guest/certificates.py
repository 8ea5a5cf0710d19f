"""The certificate of a guest's HTTPS, of a throwaway authority."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guest.machine import Guest


class Https:
    """Where a guest serves HTTPS, and how it is known."""

    url = "https://127.0.0.1:8001/mcp"
    settings = """
[tls]
certificate = "/etc/wand/tls/server.crt"
key = "/etc/wand/tls/server.key"
"""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca = folder / "ca.crt"
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guest")])
        authority = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        made = authority.sign(self._key, hashes.SHA256())
        self.ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.renew()

    def renew(self) -> None:
        """Make another leaf."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = (
            _builder(leaf, self._name, key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._certificate = made.public_bytes(serialization.Encoding.PEM).decode()
        self._secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def put(self, guest: Guest) -> None:
        """Put the newest leaf in its place in the guest, for the server's user alone."""
        guest.do("install", "-d", "-o", "wand-server", "-m", "700", "/etc/wand/tls")
        for name, text in (("server.key", self._secret), ("server.crt", self._certificate)):
            guest.do("tee", f"/etc/wand/tls/{name}.new", put=text)
            guest.sh(
                f"cd /etc/wand/tls; chown wand-server {name}.new; chmod 600 {name}.new; mv {name}.new {name}"
            )

    def shown(self, guest: Guest) -> str:
        """The certificate that the guest shows."""
        return guest.do("/usr/bin/python3.11", "-c", _SHOW)


_SHOW = "import ssl; print(ssl.get_server_certificate(('127.0.0.1', 8001)))"


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=2))
