"""Jobs with one way out: the real launcher and the proxy that it starts, and what the ledger says of both."""

import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.egress import echo, site
from support.launcher_client import SECONDS, Client, Failed, Launcher, launched, write_profile
from support.waiting import is_alive

PATHS = ("--development",), ("--development", "--fork")
HERE = "127.0.0.2"  # an address of this machine for which no program leaves out its proxy
CURL = ("curl", "-sS", "--max-time", "20")


# Says hello in TLS to the destination, by a name of its own; {name} has as many characters as the one in it.
GREET = """
import socket, ssl
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
try:
    context.wrap_bio(incoming, outgoing, server_hostname="evil-example-com").do_handshake()
except ssl.SSLWantReadError:
    pass
link = socket.create_connection(("127.0.0.1", 3128))
link.sendall(b"CONNECT localhost:{port} HTTP/1.1\\r\\n\\r\\n")
assert link.recv(1000).startswith(b"HTTP/1.1 200")
link.sendall(outgoing.read().replace(b"evil-example-com", b"{name}"))
print("refused" if link.recv(1000)[:1] == bytes([21]) else "let through")
"""


def profile(destinations: Sequence[str]) -> str:
    listed = ", ".join(f'"{one}"' for one in destinations)
    return f'network = "proxy"\ndestinations = [{listed}]\nenvironment_allowed = ["*"]'


@contextmanager
def client_of(destinations: Sequence[str], *flags: str) -> Iterator[tuple[Launcher, Client]]:
    with launched(profile(destinations), *(flags or PATHS[0])) as launcher, launcher.client() as client:
        if not next(
            one["enforced"] for one in client.ask("profiles")["guarantees"] if one["name"] == "network"
        ):
            pytest.skip("this machine gives no network namespaces")
        yield launcher, client


def here(port: int) -> list[str]:
    return [f"{HERE}:{port}"]


def proxy_of(launcher: Launcher, *, other_than: int = 0) -> int:
    """The process of the launcher's proxy, which may be starting; not one that may be ending."""
    give_up = time.monotonic() + SECONDS
    pid = launcher.process.pid
    while time.monotonic() < give_up:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if int(child) != other_than and name_of(child) == "wand-egress\n" and is_alive(int(child)):
                return int(child)
        time.sleep(0.002)
    raise TimeoutError("there is no proxy")


def name_of(pid: str) -> str:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


@pytest.mark.parametrize("flags", PATHS)
def test_a_job_reaches_a_destination_and_nothing_else(flags: Sequence[str]) -> None:
    with site(HERE) as port, site(HERE) as other, client_of(here(port), *flags) as (launcher, client):
        for _ in range(3):  # a network of its own, and then one that was another's
            told, exited = client.result(*CURL, f"http://{HERE}:{port}/a")
            assert (b'"GET /a HTTP/1.1"' in told, exited["exit_code"]) == (True, 0)
        refused, _ = client.result(*CURL, f"http://{HERE}:{other}/")
        assert f"{HERE}:{port}".encode() in refused
        assert b"is not among the destinations" in refused
        assert client.result(*CURL, "--noproxy", "*", f"http://{HERE}:{port}/")[1]["exit_code"] == 7
        assert len(launcher.records("connect")) == 3


def test_a_connection_is_recorded_with_its_job_its_principal_and_its_end() -> None:
    with echo(HERE) as port, client_of(here(port)) as (launcher, client):
        script = tunnel(port, "head -n 3 <&3") + "; curl -s http://evil.example/ -o /dev/null"
        running = client.run("bash", "-c", script, why={"principal": "alice"})
        assert running.read().endswith(b"hello\n")
        client.exited(running.job)
        launcher.kill(signal.SIGTERM)
        job = {"job": running.job, "principal": "alice", "profile": "p"}
        where = {"host": HERE, "port": port, "connection": 1}
        begun = launcher.records("connect")[0]["fields"]
        assert begun == {**job, **where, "addresses": [HERE], "tunnel": True}
        ended = launcher.records("connect_end")[0]["fields"]
        assert (ended["job"], ended["sent_bytes"], ended["address"]) == (running.job, 6, HERE)
        refused = launcher.records("connect_refused")[0]["fields"]
        assert (refused["job"], refused["host"], refused["port"]) == (running.job, "evil.example", 80)


def tunnel(port: int, then: str, host: str = HERE) -> str:
    """A script that says hello through the proxy, and does something with the answer, which is on 3."""
    request = f"CONNECT {host}:{port} HTTP/1.1\\r\\n\\r\\nhello\\n"
    return f"exec 3<>/dev/tcp/127.0.0.1/3128; printf '{request}' >&3; {then}"


def test_the_record_is_on_the_disk_before_anything_is_sent() -> None:
    with socket.create_server((HERE, 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(SECONDS)
        with client_of(here(port)) as (launcher, client):
            running = client.run(*CURL, f"http://{HERE}:{port}/")
            server.accept()[0].close()
            assert [one["fields"]["job"] for one in launcher.records("connect")] == [running.job]
            running.read()


def test_a_job_is_told_of_the_proxy_and_cannot_be_told_otherwise() -> None:
    with client_of(["site.example:443"]) as (_, client):
        told = client.result("env")[0].decode().splitlines()
        for name in ("HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            assert f"{name}=http://127.0.0.1:3128" in told
            with pytest.raises(Failed, match="no caller may set"):
                client.run("true", environment={name: "http://evil.example:80"})


def test_a_killed_proxy_is_replaced_and_its_connections_have_an_end() -> None:
    with echo(HERE) as port, client_of(here(port)) as (launcher, client):
        first = proxy_of(launcher)
        running = client.run("bash", "-c", tunnel(port, "cat <&3"))
        assert running.line() == b"HTTP/1.1 200 Connection established\r\n"
        os.kill(first, signal.SIGKILL)
        running.read()
        client.exited(running.job)
        proxy_of(launcher, other_than=first)
        with site(HERE) as other:
            path = launcher.folder / "profiles" / "p.toml"
            write_profile(path, path.read_text().replace(str(port), str(other)))
            launcher.process.send_signal(signal.SIGHUP)
            while f":{other}" not in str(client.ask("profiles")["guarantees"]):
                time.sleep(0.01)
            assert b"GET /b" in client.result(*CURL, f"http://{HERE}:{other}/b")[0]
        ends = [one["fields"] for one in launcher.records("connect_end")]
        assert ends[0]["why"] == "the proxy is gone"


def test_what_a_job_says_in_tls_ends_no_other_jobs_connections() -> None:
    """Its refusal is told with what it asked for, and may not be one that the launcher cannot read."""
    with (
        echo("127.0.0.1") as port,
        client_of([f"localhost:{port}", f"127.0.0.1:{port}"]) as (launcher, client),
    ):
        first = proxy_of(launcher)
        other = client.run("bash", "-c", tunnel(port, "exec cat <&3", host="localhost"))
        assert other.line().startswith(b"HTTP/1.1 200")
        greet = GREET.format(name="evil\\nexample-com", port=port)
        assert client.result("/usr/bin/python3", "-I", "-S", "-c", greet)[0] == b"refused\n"
        assert b"GET" not in client.result(*CURL, "http://evil.example/")[0]  # answered: it is still there
        assert proxy_of(launcher) == first
        client.ask("kill", job=other.job, signal=9, reason="signal")
        client.exited(other.job)
        launcher.kill(signal.SIGTERM)
        ends, refused = launcher.records("connect_end"), launcher.records("connect_refused")
    assert "the proxy is gone" not in [one["fields"]["why"] for one in ends]
    assert "cannot be read" in refused[0]["fields"]["why"]


def test_the_proxy_goes_with_a_killed_launcher() -> None:
    with client_of(["site.example:443"]) as (launcher, _):
        pid = proxy_of(launcher)
        launcher.kill(signal.SIGKILL)
        give_up = time.monotonic() + SECONDS
        while is_alive(pid):
            assert time.monotonic() < give_up
            time.sleep(0.002)


def test_a_loop_of_refusals_does_not_fill_the_ledger() -> None:
    ask = "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'x\\r\\n\\r\\n' >&3; cat <&3 >/dev/null"
    with client_of(["site.example:443"]) as (launcher, client):
        client.result("bash", "-c", f"for i in $(seq 150); do {ask}; done")
        launcher.kill(signal.SIGTERM)
        records = [one["fields"] for one in launcher.records("connect_refused")]
    assert len(records) < 80
    assert len(records) - 1 + sum(one["more"] for one in records) == 150


def test_the_guarantee_says_what_is_reached() -> None:
    with client_of(["site.example:443"]) as (_, client):
        client.result("true")
        give_up = time.monotonic() + SECONDS
        while not network(client).endswith("p only reaches site.example:443, by a proxy"):
            assert time.monotonic() < give_up, network(client)
            time.sleep(0.01)


def network(client: Client) -> str:
    """What is guaranteed of the network."""
    told = client.ask("profiles")["guarantees"]
    return str(next(one["detail"] for one in told if one["name"] == "network"))


def test_a_profile_with_a_proxy_is_broken_where_there_is_none() -> None:
    with (
        launched(profile(["site.example:443"]), "--allow-unconfined") as launcher,
        launcher.client() as client,
    ):
        broken = client.ask("profiles")["broken"]
        assert [one["name"] for one in broken] == ["p"]
        assert "network" in broken[0]["why"] or "run_as" in broken[0]["why"]
