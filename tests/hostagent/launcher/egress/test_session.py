"""One connection of a job, in our own process: a machine that lacks something, a client that is gone."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from support.egress import echo, status
from wand_hostagent.launcher.egress.destinations import Destinations, Target, read_all
from wand_hostagent.launcher.egress.resolver import Files, Resolver
from wand_hostagent.launcher.egress.session import Session, Tools
from wand_hostagent.launcher.loop import Loop

SECONDS = 60.0


class Owner:
    """Whose the session is; it lets every connection be made."""

    profile = "p"

    def __init__(self, destinations: Destinations) -> None:
        self.destinations = destinations
        self.session: Session | None = None
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, say: str, fields: Mapping[str, Any]) -> None:
        self.told.append((say, fields))
        if say == "connect" and self.session is not None:
            self.session.go()

    def refused(self, target: Target | None, why: str) -> None:
        self.told.append(("refused", {"target": target, "why": why}))

    def gone(self, session: Session) -> None:
        self.told.append(("gone", {}))


class Scene:
    """A loop with one session in it, and the client's end."""

    def __init__(self, *destinations: str) -> None:
        self.loop = Loop()
        self.owner = Owner(read_all(destinations))
        with socket.create_server(("127.0.0.1", 0)) as door:
            self.client = socket.create_connection(door.getsockname(), SECONDS)
            taken, _ = door.accept()
        taken.setblocking(False)
        tools = Tools(self.loop, Resolver(self.loop, Files("/dev/null", "/dev/null")))
        self.session = self.owner.session = Session(1, taken, self.owner, tools)

    def until(self, is_so: Callable[[], bool]) -> None:
        give_up = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < give_up
            self.loop.later(0.01, lambda: None)
            self.loop.turn()

    def says(self, say: str) -> bool:
        return any(one == say for one, _ in self.owner.told)


@pytest.fixture
def far() -> Iterator[int]:
    """A server that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_machine_that_cannot_make_the_socket_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without IPv6 has no socket for an address of it."""
    real = socket.socket

    def unmade(family: int = -1, *words: Any, **named: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *words, **named)

    scene = Scene("[2001:db8::1]:443")
    monkeypatch.setattr(socket, "socket", unmade)
    scene.client.sendall(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n")
    scene.until(lambda: scene.says("ended"))
    answer = scene.client.recv(65536)
    assert (status(answer), b"not supported" in answer) == (502, True)
    scene.client.close()
    scene.session.end("")


def test_what_nobody_reads_takes_little_of_the_kernel_s_memory(far: int) -> None:
    """Sixty-four tunnels of one job into which both ends wrote took half a gigabyte."""
    scene = Scene(f"127.0.0.1:{far}")
    scene.client.sendall(f"CONNECT 127.0.0.1:{far} HTTP/1.1\r\n\r\n".encode())
    scene.until(lambda: scene.session._relay is not None)
    relay = scene.session._relay
    assert relay is not None
    near, other = relay._client.socket, relay._far.socket
    for one in (near, other):
        assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024
    assert near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 256 * 1024
    scene.session.end("")
    scene.client.close()


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_left_and_hears_nothing_holds_its_place_for_a_minute(far: int, *, leaves: bool) -> None:
    """Whether it closed its end or writes no more, nobody can tell: programs that time out close theirs."""
    scene = Scene(f"127.0.0.1:{far}")
    scene.client.sendall(f"GET http://127.0.0.1:{far}/ HTTP/1.1\r\n\r\n".encode())
    scene.until(lambda: scene.session._relay is not None)
    if leaves:
        scene.client.close()
        relay = scene.session._relay
        scene.until(lambda: relay is not None and relay.is_left)
    scene.session.look_after(time.monotonic() + 100)
    assert scene.says("gone") == leaves
    scene.session.end("")
    scene.client.close()


def test_a_client_that_writes_no_more_reads_what_comes() -> None:
    with echo() as port:
        scene = Scene(f"127.0.0.1:{port}")
        scene.client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode() + b"x" * 100_000)
        scene.client.shutdown(socket.SHUT_WR)
        scene.until(lambda: scene.says("gone"))
    heard = b""
    while part := scene.client.recv(65536):
        heard += part
    assert heard.endswith(b"\r\n\r\n" + b"x" * 100_000)
    scene.client.close()
