"""Networks that are used again: when they are, and what the next job sees of the last one."""

from pathlib import Path

import pytest

from support.launcher_client import Client, launched, needs_root

pytestmark = [pytest.mark.root, needs_root]

CONNECT = """
import socket
server = socket.create_server(("127.0.0.1", 42192))
one = socket.create_connection(("127.0.0.1", 42192))
server.accept()[0].close()
one.recv(1)
"""
PYTHON = "/usr/bin/python3"


def networks(client: Client, jobs: int) -> list[bytes]:
    """The networks of so many jobs, one after another."""
    return [client.result("readlink", "/proc/self/ns/net")[0] for _ in range(jobs)]


def test_a_network_that_no_job_has_used_is_used_again() -> None:
    with launched() as launcher, launcher.client() as client:
        assert len(set(networks(client, 12))) < 12


@pytest.mark.skipif(not Path(PYTHON).exists(), reason="needs the system's Python")
def test_no_job_sees_between_which_ports_another_was_connected() -> None:
    with launched() as launcher, launcher.client() as client:
        for _ in range(4):
            assert client.result(PYTHON, "-I", "-S", "-c", CONNECT)[1]["exit_code"] == 0
        for _ in range(8):
            assert client.result("cat", "/proc/net/tcp")[0].count(b"\n") == 1
        assert len(set(networks(client, 12))) < 12
