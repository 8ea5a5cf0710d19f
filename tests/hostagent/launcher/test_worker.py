"""The file worker in its box, started by a real launcher."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.launcher_client import SECONDS, Client, Failed, Launcher, launched, new_job, none_left
from wand_hostagent.filesystem import wire
from wand_hostagent.filesystem.model import Answer, Ask, Read
from wand_hostagent.filesystem.refusal import Refused


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with launched("[limits]\nwall_seconds = 1\ncpu_seconds = 1\nopen_files = 99") as one:
        (one.workspace / "note").write_text("hello")
        yield one


@contextmanager
def worker(client: Client) -> Iterator[tuple[str, socket.socket]]:
    """A worker that runs, by the name of its job, and our end of its socket."""
    ours, theirs = socket.socketpair()
    ours.settimeout(SECONDS)
    job = new_job()
    with ours:
        with theirs:
            client.ask("worker", [theirs.fileno()], job=job, profile="p", why={"principal": "ann"})
        yield job, ours


def answer(link: socket.socket, ask: Ask) -> Answer | Refused:
    link.sendall(wire.pack(ask))
    with link.makefile("rb") as answers:
        header, body = wire.LENGTHS.unpack(answers.read(wire.LENGTHS.size))
        return wire.unpack(answers.read(header), answers.read(body))  # type: ignore[return-value] # no Ask comes back


def test_a_worker_reads_what_its_profile_lets_it_and_nothing_else(launcher: Launcher) -> None:
    with launcher.client() as client, worker(client) as (_, link):
        read = answer(link, Read(path="note"))
        assert getattr(read, "data", read) == b"hello"
        assert isinstance(answer(link, Read(path="/etc/passwd")), Refused)


def test_a_worker_is_recorded_has_no_clock_and_ends_with_its_socket(launcher: Launcher) -> None:
    with launcher.client() as client:
        with worker(client) as (job, _):
            fields = launcher.records("worker")[0]["fields"]
            assert (fields["job"], fields["limits"]) == (job, {"open_files": 99})
            assert fields["why"] == {"principal": "ann"}
            assert client.ask("jobs")["jobs"] == []
        assert client.exited(job)["exit_code"] == 0


def test_a_worker_ends_with_the_launcher(launcher: Launcher) -> None:
    with launcher.client() as client, worker(client) as (_, link):
        launcher.kill(signal.SIGKILL)
        assert link.recv(1) == b""
        assert none_left(str(launcher.workspace))


def test_a_worker_without_a_socket_is_refused(launcher: Launcher) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    with launcher.client() as client, pytest.raises(Failed, match="talks on a socket"):
        client.ask("worker", [null], job="w", profile="p", why={})
    os.close(null)
