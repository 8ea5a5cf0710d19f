"""Mutual TLS for either end of the wire: an identity's files, read whole, and again when they are renewed.

Why a handshake fails is told, for the client, by `wand_server.hostlink.explain.explain_failure`.
"""

import logging
import os
import ssl
import stat
from pathlib import Path

import grpc

from wand_proto.credentials import Identity, is_credential
from wand_proto.errors import Denied, Invalid, NotFound, WandError

log = logging.getLogger(__name__)


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
