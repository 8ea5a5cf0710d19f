"""Networks that are used again: when they are, and what the next job sees of the last one."""

import time
from pathlib import Path

import pytest

from support.launcher_client import Client, launched, needs_root, write_profile

pytestmark = [pytest.mark.root, needs_root]

CONNECT = """
import socket
server = socket.create_server(("127.0.0.1", 42192))
one = socket.create_connection(("127.0.0.1", 42192))
server.accept()[0].close()
one.recv(1)
"""
HOLD = """
import socket
server = socket.socket(socket.AF_UNIX)
server.bind("given")
server.listen()
print("waits", flush=True)
_, held, _, _ = socket.recv_fds(server.accept()[0], 1, 1)
print("holds", flush=True)
input()
"""
GIVE = """
import socket
link = socket.socket(socket.AF_UNIX)
link.connect("given")
given = socket.socket()
socket.send_fds(link, [b"x"], [given.fileno()])
"""
PYTHON = "/usr/bin/python3"


def networks(client: Client, jobs: int, profile: str = "p") -> list[bytes]:
    """The networks of so many jobs, one after another."""
    return [client.result("readlink", "/proc/self/ns/net", profile=profile)[0] for _ in range(jobs)]


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


@pytest.mark.skipif(not Path(PYTHON).exists(), reason="needs the system's Python")
def test_no_job_gets_a_network_of_which_another_one_has_a_socket() -> None:
    with launched() as launcher, launcher.client() as client:
        holds = client.run_in_terminal(PYTHON, "-I", "-S", "-c", HOLD)
        holds.read_until(b"waits")
        assert client.result(PYTHON, "-I", "-S", "-c", GIVE)[1]["exit_code"] == 0
        holds.read_until(b"holds")
        for _ in range(8):
            assert client.result("head", "-n1", "/proc/net/sockstat")[0] == b"sockets: used 0\n"


def test_profiles_do_not_have_each_others_networks() -> None:
    with launched() as launcher, launcher.client() as client:
        text = (launcher.folder / "profiles" / "p.toml").read_text().replace('"p"', '"q"')
        write_profile(launcher.folder / "profiles" / "q.toml", text)
        ours = networks(client, 6)
        while "q" not in {one["name"] for one in client.ask("profiles")["profiles"]}:
            time.sleep(0.02)
        assert not {*ours, *networks(client, 2)} & {*networks(client, 6, "q")}
