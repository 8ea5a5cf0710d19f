"""Who is at the other end of a connection, by its certificate, and for how long that is good."""

import ssl
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from wand_proto.certificate import dates
from wand_proto.errors import Denied, Unauthenticated

_DATE = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: its URI, and until when (seconds since 1970) its certificate is good."""

    uri: str
    good_until: float

    def check(self) -> None:
        """See that its certificate has not expired since it was shown.

        Raises:
            Unauthenticated: it has; the connection is older than that.
        """
        if time.time() > self.good_until:
            on = datetime.fromtimestamp(self.good_until, UTC)
            raise Unauthenticated(
                f"the certificate of {self.uri} expired on {on:{_DATE}} UTC, and this connection is older",
                hint="wand-hostagent pki ensure renews it; a new connection shows it",
            )


def accepted(auth_context: Mapping[str, Iterable[bytes]], uris: Collection[str]) -> Peer:
    """The peer, if it is one of `uris`.

    Raises:
        Unauthenticated: nobody knows who it is.
        Denied: it is another.
    """
    version = version_of(auth_context)
    if version != "TLSv1.3":
        raise Unauthenticated(f"the link uses {version or 'no TLS'}; it must be TLS 1.3")
    uri = uri_of(auth_context)
    if uri not in uris:
        raise Denied(f"{uri} is not a peer of this host agent", hint="add it to `peers` in its settings")
    peer = Peer(uri, _good_until(b"".join(auth_context.get("x509_pem_cert") or ())))
    peer.check()
    return peer


def uri_of(auth_context: Mapping[str, Iterable[bytes]]) -> str:
    """The one URI in the other end's certificate; without exactly one, nobody knows who it is."""
    uris = [uri.decode("utf-8", "backslashreplace") for uri in auth_context.get("peer_uri") or ()]
    if len(uris) != 1:
        raise Unauthenticated(f"the peer's certificate must name exactly one URI, and names {len(uris)}")
    return uris[0]


def version_of(auth_context: Mapping[str, Iterable[bytes]]) -> str:
    """The version that was agreed on, such as "TLSv1.3"; empty without TLS."""
    return b"".join(auth_context.get("ssl_tls_version") or ()).decode("ascii", "replace")


@lru_cache(maxsize=64)
def _good_until(pem: bytes) -> float:
    try:
        return dates(ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip()))[1].timestamp()
    except (ValueError, IndexError) as error:
        raise Unauthenticated("the peer's certificate cannot be read") from error
