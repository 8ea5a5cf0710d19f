"""The sockets of the counter: where it listens, and by which rules of the wire."""

import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from wand_proto.credentials import Identity
from wand_proto.errors import Conflict, Denied, NotFound, Unavailable
from wand_proto.tls import Watched, load
from wand_proto.wire import MESSAGE_BYTES, METADATA_BYTES

MOST_CALLS = 1024  # at once; what runs is bounded by max_jobs long before
_PROBE_SECONDS = 2.0
_SOCKET_UMASK = 0o117  # the socket file: for owner and group alone

# Connections end after ten minutes, calls on them in peace: so a renewed certificate is shown, and one that
# has expired since is not good for ever.
OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # a minute otherwise, and it is this one that counts
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


def credentials_of(identity: Identity) -> grpc.ServerCredentials:
    """Credentials of a server that asks every client for a certificate, and takes up renewed files."""
    watched = Watched(identity)

    def renewed() -> Any:  # at each handshake; None keeps the old, which grpc's stubs do not know
        read = watched.take()
        return _configuration(*read) if read else None

    return grpc.dynamic_ssl_server_credentials(
        _configuration(*load(identity)), renewed, require_client_authentication=True
    )


def add(server: aio.Server, address: str, credentials: grpc.ServerCredentials) -> str:
    """Have the server listen at the address too; the address, with its port where 0 asked for any.

    Raises:
        Conflict: somebody else listens there.
        Denied, NotFound, Unavailable: the address cannot be used.
    """
    if address.startswith("unix:"):
        check_free(Path(address.removeprefix("unix:")))
    with _umask(_SOCKET_UMASK):
        try:
            port = server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise Unavailable(
                f"cannot listen at {address}",
                hint="see that nobody else does, and that it is an address of ours",
            ) from error
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def check_free(path: Path) -> None:
    """See that no living process listens at `path`; the socket file of a dead one is left to be replaced.

    Raises:
        Conflict: somebody listens, or what lies there is no socket.
        NotFound: there is no such folder.
        Denied: the folder may not be used.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Conflict(f"{path} is there and is no socket", hint="remove it, or listen elsewhere")
        _probe(path)
    except FileNotFoundError:
        _check_folder(path.parent)
    except ConnectionRefusedError:
        return  # its process is dead; gRPC puts the new socket in its place
    except OSError as error:
        raise Denied(f"{path} cannot be used: {error.strerror or error}") from error
    else:
        raise Conflict(f"another process listens at {path}", hint="stop it, or listen elsewhere")


def _probe(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        probe.connect(str(path))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NotFound(f"the folder {folder} does not exist", hint="make it, or listen elsewhere")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Denied(f"no socket can be made in {folder}", hint="it must be ours to write")


def remove_sockets(addresses: Sequence[str]) -> None:
    """Remove the socket files of addresses at which we have listened."""
    for address in addresses:
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).unlink(missing_ok=True)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _configuration(ca: bytes, key: bytes, certificate: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(key, certificate)], ca)
