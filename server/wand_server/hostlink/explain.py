"""Why a handshake with the host agent fails, in words; gRPC itself tells little of it."""

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

from wand_proto.certificate import dates
from wand_proto.credentials import Identity
from wand_proto.errors import Invalid, NotFound, WandError
from wand_proto.tls import load
from wand_proto.wire import HOSTAGENT_NAME

_PROBE_SECONDS = 3.0
_UNVERIFIED = {  # X509_V_ERR_… of OpenSSL's x509_vfy.h: what each says of the host agent's certificate
    **dict.fromkeys((2, 7, 18, 19, 20, 21), "is signed by another authority than ours"),
    9: "is good only from {0:%Y-%m-%d %H:%M} UTC; look at the clocks",
    10: "expired on {1:%Y-%m-%d %H:%M} UTC",
    62: f"is not for the name {HOSTAGENT_NAME}",
}


def validity(certificate: Path) -> tuple[datetime, datetime]:
    """From when until when the first certificate in a PEM file is good."""
    try:
        return dates(ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii")))
    except OSError as error:
        raise NotFound(f"{certificate} cannot be read: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise Invalid(f"{certificate} is no certificate in PEM form") from error


def explain_failure(address: str, identity: Identity) -> str | None:
    """Why a handshake with the host agent at `address` (gRPC's form) fails, in words; None if it does not.

    It blocks for some seconds at most: call it in a thread.
    """
    try:
        _check_our_own(identity)
        if not _is_welcome(address, identity):
            return "the host agent refused our certificate (it hung up; its log may say why)"
    except WandError as error:
        return str(error)
    except ssl.SSLCertVerificationError as error:
        return "the host agent's certificate " + _what_is_wrong(error, _their_dates(address))
    except ssl.SSLError as error:
        return _explain_alert(error)
    except (OSError, ValueError) as error:
        return f"the host agent cannot be reached at {address}: {getattr(error, 'strerror', None) or error}"
    return None


def _check_our_own(identity: Identity) -> None:
    until = validity(identity.certificate)[1]
    if until < datetime.now(UTC):
        raise Invalid(f"our own certificate {identity.certificate} expired on {until:%Y-%m-%d %H:%M} UTC")
    load(identity)


def _is_welcome(address: str, identity: Identity) -> bool:
    """Shake hands and wait for the first byte: in TLS 1.3 a refusal of our certificate comes only then."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=identity.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity.certificate, identity.key, password="")
    context.set_alpn_protocols(["h2"])
    with _connect(address) as plain, context.wrap_socket(plain, server_hostname=HOSTAGENT_NAME) as secure:
        try:
            return secure.recv(1) != b""  # HTTP/2: the server speaks first
        except (ConnectionError, ssl.SSLEOFError):
            return False


def _connect(address: str) -> socket.socket:
    if not address.startswith("unix:"):
        host, _, port = address.rpartition("/")[2].rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS)
    plain = socket.socket(socket.AF_UNIX)
    plain.settimeout(_PROBE_SECONDS)
    try:
        plain.connect("/" + address.removeprefix("unix:").lstrip("/"))
    except OSError:
        plain.close()
        raise
    return plain


def _what_is_wrong(error: ssl.SSLCertVerificationError, good: tuple[datetime, datetime] | None) -> str:
    wrong = _UNVERIFIED.get(error.verify_code)
    return wrong.format(*good) if wrong and good else f"is not good: {error.verify_message}"


def _their_dates(address: str) -> tuple[datetime, datetime] | None:
    """The dates of a certificate that we do not trust, to be shown and for nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(address) as plain, context.wrap_socket(plain) as secure:
            return dates(secure.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError, IndexError):
        return None


def _explain_alert(error: ssl.SSLError) -> str:
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if " alert " in reason:
        return f"the host agent refused our certificate ({reason.partition(' alert ')[2]})"
    return f"the handshake with the host agent failed: {reason}"
