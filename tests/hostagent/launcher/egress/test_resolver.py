"""Names looked up at a name server of the test, by the real proxy."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.egress import SECONDS, Proxy, proxy, site, status

KNOWN = {"site.example": "127.0.0.1", "rebound.example": "127.0.0.1", "metadata.example": "169.254.169.254"}


def answer(question: bytes, known: Mapping[str, str]) -> bytes:
    """The address of a name that is known, and that there is none of all else."""
    end = question.index(b"\0", 12) + 5
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
        at += 1 + question[at]
    kind = struct.unpack_from("!H", question, end - 4)[0]
    address = known.get(".".join(labels), "")
    records = b""
    if kind == 1 and address:
        records = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
    return question[:2] + struct.pack("!5H", 0x8180, 1, bool(records), 0, 0) + question[12:end] + records


@contextmanager
def name_server(known: Mapping[str, str]) -> Iterator[tuple[int, list[bytes]]]:
    """A name server on a port of its own; the port, and what it was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while question := server.recvfrom(1500):
                if question[0] == b"stop":
                    return
                asked.append(question[0])
                server.sendto(answer(question[0], known), question[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"stop", server.getsockname())
            thread.join()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[Proxy, list[bytes]]]:
    with (
        name_server(KNOWN) as (port, questions),
        proxy(tmp_path, servers=f"nameserver 127.0.0.1#{port}\n") as one,
    ):
        yield one, questions


def connect(one: Proxy, host: str, destinations: list[str], port: int) -> int:
    return status(
        one.talk(one.network(destinations), f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode()).some()
    )


def test_a_name_is_looked_up_by_the_proxy(asked: tuple[Proxy, list[bytes]]) -> None:
    with site() as port:
        assert connect(asked[0], "site.example", [f"site.example:{port}", f"127.0.0.1:{port}"], port) == 200
    assert len(asked[1]) == 2  # A and AAAA


def test_a_name_that_leads_to_this_machine_or_its_cloud_leads_nowhere(
    asked: tuple[Proxy, list[bytes]],
) -> None:
    with site() as port:
        assert connect(asked[0], "rebound.example", [f"rebound.example:{port}"], port) == 403
        assert connect(asked[0], "metadata.example", [f"metadata.example:{port}"], port) == 403
    assert "not public" in asked[0].wait("refused")["why"]


def test_a_name_that_is_not_known_is_told_so(asked: tuple[Proxy, list[bytes]]) -> None:
    assert connect(asked[0], "nothing.example", ["nothing.example:443"], 443) == 502


def test_a_name_that_is_not_permitted_is_not_even_looked_up(asked: tuple[Proxy, list[bytes]]) -> None:
    assert connect(asked[0], "secret-in-a-name.evil.example", ["site.example:443"], 443) == 403
    assert asked[1] == []


def test_a_name_server_that_is_silent_is_followed_by_the_next(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        name_server(KNOWN) as (port, _),
        site() as there,
    ):
        silent.bind(("127.0.0.1", 0))
        servers = f"nameserver 127.0.0.1#{silent.getsockname()[1]}\nnameserver 127.0.0.1#{port}\n"
        with proxy(tmp_path, servers=servers) as one:
            assert connect(one, "site.example", [f"site.example:{there}", f"127.0.0.1:{there}"], there) == 200


def test_a_list_of_hosts_that_was_replaced_is_read_by_a_proxy_that_starts_again(tmp_path: Path) -> None:
    with proxy(tmp_path, "127.0.0.1 old.example\n") as one:
        assert connect(one, "old.example", ["old.example:443"], 443) == 403
        (tmp_path / "new").write_text("127.0.0.1 new.example\n")
        (tmp_path / "new").rename(tmp_path / "hosts")
        assert connect(one, "new.example", ["new.example:443"], 443) == 502
        assert one.process.wait(SECONDS) == 0


def test_a_machine_without_a_name_server_says_so(tmp_path: Path) -> None:
    with proxy(tmp_path) as one:
        assert connect(one, "site.example", ["site.example:443"], 443) == 502
