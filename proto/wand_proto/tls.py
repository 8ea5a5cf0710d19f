"""Mutual TLS for either end of the wire, and the other end's name from its certificate.

Why a handshake fails is told, for the client, by `wand_server.hostlink.explain.explain_failure`.
"""

import logging
import os
import ssl
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc

from wand_proto.credentials import Identity, is_credential
from wand_proto.errors import Denied, Invalid, NotFound, Unauthenticated, WandError

HOSTAGENT_NAME = "hostagent.wand.internal"  # the DNS name in every host agent's certificate

log = logging.getLogger(__name__)


def server_credentials(identity: Identity) -> grpc.ServerCredentials:
    """Credentials of a server that asks every client for a certificate, and takes up renewed files."""
    watched = Watched(identity)

    def renewed() -> Any:  # at each handshake; None keeps the old, which grpc's stubs do not know
        read = watched.take()
        return _configuration(*read) if read else None

    return grpc.dynamic_ssl_server_credentials(
        _configuration(*load(identity)), renewed, require_client_authentication=True
    )


def channel_credentials(identity: Identity) -> grpc.ChannelCredentials:
    """Credentials of a client; they do not change, so a renewed certificate needs a new channel."""
    return grpc.ssl_channel_credentials(*load(identity))


class Watched:
    """Tells when an identity's files have been renewed since this was made."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._seen = _stamp(identity)
        self._stale = False

    def stale(self) -> bool:
        """Whether other files have come, whole and fitting, so that a new channel is worth making."""
        self._stale = self._stale or self.take() is not None
        return self._stale

    def take(self) -> tuple[bytes, bytes, bytes] | None:
        """Authority, key and certificate, once after they changed; what does not fit is logged once."""
        stamp = _stamp(self._identity)
        if stamp == self._seen:
            return None
        self._seen = stamp
        which = {"certificate": str(self._identity.certificate)}
        try:
            read = load(self._identity)
        except WandError as error:
            log.warning(
                "renewed certificate does not fit, keeping the old", extra={**which, "why": str(error)}
            )
            return None
        log.info("certificate renewed", extra=which)
        return read


def peer_uri(auth_context: Mapping[str, Iterable[bytes]]) -> str:
    """The one URI in the other end's certificate; without exactly one, nobody knows who it is."""
    uris = [uri.decode("utf-8", "backslashreplace") for uri in auth_context.get("peer_uri") or ()]
    if len(uris) != 1:
        raise Unauthenticated(f"the peer's certificate must name exactly one URI, and names {len(uris)}")
    return uris[0]


def tls_version(auth_context: Mapping[str, Iterable[bytes]]) -> str:
    """The version that was agreed on, such as "TLSv1.3"; empty without TLS."""
    return b"".join(auth_context.get("ssl_tls_version") or ()).decode("ascii", "replace")


def _configuration(ca: bytes, key: bytes, certificate: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(key, certificate)], ca)


def _stamp(identity: Identity) -> tuple[tuple[int, int, int], ...]:
    try:
        about = [path.stat() for path in (identity.ca, identity.certificate, identity.key)]
    except OSError:
        return ()
    return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in about)


def load(identity: Identity) -> tuple[bytes, bytes, bytes]:
    """Authority, key and certificate: read whole, fitting together, and all of one moment.

    Raises:
        NotFound, Denied, Invalid: a file is missing, open to others, or does not fit its neighbour.
    """
    try:
        stamp = _stamp(identity)
        read = identity.ca.read_bytes(), _read_private(identity.key), identity.certificate.read_bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(identity.ca)
        context.load_cert_chain(identity.certificate, identity.key, password="")
    except FileNotFoundError as error:
        raise NotFound(f"{error.filename} does not exist", hint="wand-hostagent pki ensure") from error
    except ssl.SSLError as error:
        files = f"{identity.ca}, {identity.certificate} and {identity.key}"
        why = (error.reason or str(error)).lower()
        raise Invalid(f"{files} are no authority, certificate and its key: {why}") from error
    except OSError as error:
        raise Denied(f"{error.filename} cannot be read: {error.strerror}") from error
    if _stamp(identity) != stamp:
        raise Invalid(f"{identity.certificate} is just being replaced")
    return read


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        others = stat.S_IRWXO if is_credential(path) else stat.S_IRWXG | stat.S_IRWXO
        if mode & others:
            raise Denied(f"{path} is open to others (mode {mode:04o})", hint=f"chmod 600 {path}")
        return file.read()
