"""A handshake that fails is explained in words, whichever side is at fault."""

import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from support import certificates
from wand_hostagent.certificates import Leaf
from wand_hostagent.service import listen
from wand_proto.credentials import Identity
from wand_server.hostlink.explain import explain_failure, validity


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as name:
        yield Path(name)


@contextmanager
def serving(identity: Identity, address: str) -> Iterator[str]:
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        port = server.add_secure_port(address, listen.credentials_of(identity))
        server.start()
        try:
            yield address.replace(":0", f":{port}") if address.endswith(":0") else address
        finally:
            server.stop(0).wait(5)


def in_a_year(directory: Path, leaf: Leaf) -> Identity:
    since = datetime.now(UTC) + timedelta(days=365)
    return certificates.issue(directory, certificates.authority_of(directory), leaf, since=since)


def other_name(directory: Path, leaf: Leaf) -> Identity:
    return certificates.issue(directory, certificates.authority_of(directory), certificates.OTHER_NAME)


@pytest.mark.parametrize("where", ["unix", "tcp"])
def test_nothing_is_explained_where_nothing_is_wrong(folder: Path, where: str) -> None:
    hostagent, server = certificates.good(folder)

    with serving(hostagent, f"unix:{folder}/s" if where == "unix" else "127.0.0.1:0") as address:
        assert explain_failure(address, server) is None


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (certificates.foreign, "the host agent's certificate is signed by another authority"),
        (certificates.expired, f"the host agent's certificate expired on {certificates.EXPIRED_ON}"),
        (in_a_year, "the host agent's certificate is good only from 20"),
        (other_name, "the host agent's certificate is not for the name hostagent.wand.internal"),
    ],
)
@pytest.mark.parametrize("where", ["unix", "tcp"])
def test_what_is_wrong_with_the_host_agents_certificate_is_said(
    folder: Path, where: str, spoil: Callable[..., Identity], says: str
) -> None:
    _, server = certificates.good(folder)
    bad = spoil(folder, certificates.HOSTAGENT)

    with serving(bad, f"unix:{folder}/s" if where == "unix" else "127.0.0.1:0") as address:
        assert says in str(explain_failure(address, server))


def test_our_own_expired_certificate_is_said_with_its_date(folder: Path) -> None:
    hostagent, _ = certificates.good(folder)
    ours = certificates.expired(folder, certificates.SERVER)

    with serving(hostagent, f"unix:{folder}/s") as address:
        assert f"our own certificate {ours.certificate} expired on {certificates.EXPIRED_ON}" in str(
            explain_failure(address, ours)
        )


def test_a_refusal_of_our_certificate_is_told_from_a_bad_one_of_theirs(folder: Path) -> None:
    hostagent, _ = certificates.good(folder)
    ours = certificates.foreign(folder, certificates.SERVER)

    with serving(hostagent, f"unix:{folder}/s") as address:
        assert "the host agent refused our certificate" in str(explain_failure(address, ours))


def test_a_place_where_nobody_listens_is_said(folder: Path) -> None:
    _, server = certificates.good(folder)

    assert "cannot be reached" in str(explain_failure(f"unix:{folder}/none", server))
    assert "cannot be reached" in str(explain_failure("no port", server))


def test_one_who_speaks_no_tls_is_explained(folder: Path) -> None:
    _, server = certificates.good(folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shout, args=(listener,))
        thread.start()
        says = explain_failure(f"127.0.0.1:{listener.getsockname()[1]}", server)
        thread.join(5)
    assert "handshake with the host agent failed" in str(says)


def _shout(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)


def test_the_dates_of_a_certificate_are_those_that_openssl_reads(folder: Path) -> None:
    _, server = certificates.good(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(server.ca)

    since, until = validity(server.ca)

    about = context.get_ca_certs()[0]
    assert since.timestamp() == ssl.cert_time_to_seconds(str(about["notBefore"]))
    assert until.timestamp() == ssl.cert_time_to_seconds(str(about["notAfter"]))
