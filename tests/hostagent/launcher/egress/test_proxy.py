"""The real proxy, with a launcher that is played: what it lets through, and what becomes of all else."""

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.egress import Proxy, descriptors, echo, proxy, site, status

HOSTS = "127.0.0.1 site.example\n127.0.0.1 rebound.example\n192.0.2.1 nowhere.example\n"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Proxy]:
    with proxy(tmp_path, HOSTS) as running:
        yield running


def get(port: int, path: str = "/", fields: bytes = b"") -> bytes:
    return f"GET http://site.example:{port}{path} HTTP/1.1\r\n".encode() + fields + b"\r\n"


def connect(host: str, port: int) -> bytes:
    return f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode()


def here(port: int) -> list[str]:
    """Destinations for a server of the test: its name, and as its address is not public, that too."""
    return [f"site.example:{port}", f"127.0.0.1:{port}"]


# -- what is permitted -----------------------------------------------------------------------------------


def test_a_plain_request_is_sent_on_and_its_answer_comes_back(one: Proxy) -> None:
    with site() as port:
        answer = one.talk(one.network(here(port)), get(port, "/a?b", b"X-Own: 1\r\n")).all()
    assert status(answer) == 200
    assert b'"GET /a?b HTTP/1.1"' in answer
    assert b'["X-Own", "1"]' in answer
    assert f'["Host", "site.example:{port}"]'.encode() in answer


def test_a_body_goes_on_and_nothing_that_follows_it(one: Proxy) -> None:
    with site() as port:
        first = f"POST http://site.example:{port}/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".encode()
        second = f"GET /smuggled HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n".encode()
        answer = one.talk(one.network(here(port)), first + second).all()
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b'"body": "abc"' in answer
    assert b"smuggled" not in answer


def test_a_body_in_chunks_goes_on_as_it_came_and_nothing_that_follows_it(one: Proxy) -> None:
    body = b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        first = f"POST http://site.example:{port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        talk = one.talk(one.network(here(port)), first + body + b"GET /smuggled HTTP/1.1\r\n\r\n")
        one.wait("connect")
        far, _ = server.accept()
        with far:
            heard = b""
            while not heard.endswith(b"0\r\n\r\n"):
                heard += far.recv(65536)
            far.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            far.shutdown(socket.SHUT_WR)
            assert talk.some() == b"HTTP/1.1 200 OK\r\n\r\n"
            assert heard.endswith(b"\r\n\r\n" + body)
        talk.socket.close()


@pytest.mark.parametrize("listed", [True, False])
def test_who_says_all_of_a_large_body_first_reads_why_it_was_not_wanted(one: Proxy, *, listed: bool) -> None:
    """As most libraries do; the destination, or the proxy, has answered long before."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        head = f"POST http://site.example:{port}/ HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n".encode()
        talk = one.talk(one.network(here(port) if listed else []), head)
        if listed:
            one.wait("connect")
            far, _ = server.accept()
            far.recv(100)
            far.sendall(b"HTTP/1.1 413 too large\r\n\r\n")
            far.close()  # with unread bytes, so that the rest is answered with a reset
        talk.socket.sendall(bytes(20_000_000))
        assert status(talk.all()) == (413 if listed else 403)


def test_a_tunnel_carries_what_each_side_says_and_its_end(one: Proxy) -> None:
    with echo() as port:
        talk = one.talk(one.network(here(port)), connect("site.example", port) + b"hello")
        talk.socket.shutdown(socket.SHUT_WR)
        answer = talk.all()
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\nhello"
    assert one.wait("ended") | {"seconds": 0} == {
        "say": "ended", "connection": 1, "address": "127.0.0.1", "sent": 5, "received": 44, "seconds": 0,
        "why": "",
    }  # fmt: skip


def test_much_goes_through_a_tunnel_whole_and_a_slow_reader_fills_nothing(one: Proxy) -> None:
    sent = bytes(range(256)) * 65536
    with echo() as port:
        talk = one.talk(one.network(here(port)), connect("site.example", port))
        assert talk.some().startswith(b"HTTP/1.1 200")
        talk.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):  # nobody reads, so at some point nothing more is taken
            talk.socket.sendall(sent * 16)
    assert memory(one) < 64 << 20


def memory(one: Proxy) -> int:
    status_lines = Path(f"/proc/{one.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status_lines if line.startswith("VmRSS"))


def test_a_record_is_asked_for_before_anything_is_connected(one: Proxy) -> None:
    one.denied = "the disk is full"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.2)
        answer = one.talk(one.network(here(port)), connect("site.example", port)).all()
        with pytest.raises(TimeoutError):
            server.accept()
    assert (status(answer), b"the disk is full" in answer) == (503, True)
    assert one.heard[-1]["addresses"] == ["127.0.0.1"]


# -- what is not -----------------------------------------------------------------------------------------


def test_a_refusal_says_what_is_permitted(one: Proxy) -> None:
    answer = one.talk(one.network(["site.example:443"]), connect("evil.example", 443)).all().decode()
    assert answer.startswith("HTTP/1.1 403 evil.example:443 is not among the destinations")
    assert "Permitted are:\n  site.example:443\n" in answer
    refusal = one.wait("refused")
    assert (refusal["host"], refusal["port"], refusal["network"]) == ("evil.example", 443, 1)


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1"])
def test_nothing_leads_to_this_machine_but_where_its_address_is_a_destination(one: Proxy, host: str) -> None:
    with site() as port:
        listed = [f"rebound.example:{port}"]
        assert status(one.talk(one.network(listed), connect(host, port)).all()) == 403
        listed += [f"127.0.0.1:{port}"]
        assert status(one.talk(one.network(listed, 2), connect(host, port)).some()) == 200


@pytest.mark.parametrize(
    "host", ["localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "2130706433", "127.1"]
)
def test_no_other_word_for_this_machine_is_permitted_with_its_address(one: Proxy, host: str) -> None:
    with site() as port:
        assert status(one.talk(one.network([f"127.0.0.1:{port}"]), connect(host, port)).all()) in {400, 403}


def test_a_name_in_tls_has_to_be_that_of_the_tunnel(one: Proxy) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        talk = one.talk(one.network(here(port)), connect("site.example", port))
        assert talk.some().startswith(b"HTTP/1.1 200")
        far, _ = server.accept()
        with far:
            with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
                context.wrap_socket(talk.socket, server_hostname="evil.example")
            assert far.recv(100) == b""
    assert "evil.example" in one.wait("refused")["why"]


def test_what_is_no_request_is_told_so(one: Proxy) -> None:
    port = one.network(["site.example:80"])
    assert status(one.talk(port, b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n").all()) == 400
    assert status(one.talk(port, b"GET http://site.example/" + b"a" * 40000).all()) == 431
    assert status(one.talk(port, b"\x05\x01\x00").all()) == 400  # at once: it waits for an answer


def test_a_destination_that_is_not_there_is_told_so(one: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert status(one.talk(one.network(here(port)), connect("site.example", port)).all()) == 502
    assert one.wait("ended")["why"].startswith("502")


# -- many --------------------------------------------------------------------------------------------------


def test_an_address_to_which_no_way_leads_is_told_so_at_once(one: Proxy) -> None:
    port = one.network(["255.255.255.255:443"])
    assert b"unreachable" in one.talk(port, connect("255.255.255.255", 443)).all()


def test_refusals_in_a_loop_are_counted_and_not_recorded_one_by_one(one: Proxy) -> None:
    port = one.network(["site.example:443"])
    for _ in range(100):
        assert status(one.talk(port, connect("evil.example", 443)).all()) == 403
    one.tell("leave", network=1)
    one.wait("left")
    told = [message for message in one.heard if message["say"] == "refused"]
    assert len(told) < 50
    assert sum(1 + message["more"] for message in told[:-1]) + told[-1]["more"] == 100


def test_a_job_has_so_many_connections_and_the_rest_wait(one: Proxy) -> None:
    port = one.network(["site.example:443"])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    last = one.talk(port, connect("evil.example", 443))
    last.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        last.socket.recv(1)
    idle.pop().close()
    last.socket.settimeout(60)
    assert status(last.all()) == 403
    for connection in idle:
        connection.close()


def test_a_network_that_is_nobody_s_answers_nobody_and_keeps_nothing(one: Proxy) -> None:
    with echo() as port:
        door = one.network(here(port))
        talk = one.talk(door, connect("site.example", port))
        assert talk.some().startswith(b"HTTP/1.1 200")
        before = descriptors(one.process.pid)
        one.tell("leave", network=1)
        one.wait("left")
        assert one.heard[-2]["why"] == "the job is over"
        assert talk.all() == b""
        assert descriptors(one.process.pid) == before - 2
        waiting = one.talk(door, connect("site.example", port))
        waiting.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.socket.recv(1)
        one.tell("take", network=1, job="next", profile="p", destinations=[])
        assert status(waiting.all()) == 403  # what it may, the next job says


def test_what_was_given_up_before_it_might_connect_has_an_end_too(one: Proxy) -> None:
    """Or the launcher would take it for open for ever, and has room for so many."""
    with echo() as port:
        door = one.network(here(port))
        one.is_slow = True
        one.talk(door, connect("site.example", port))
        asked = one.wait("connect")
        one.tell("leave", network=1)
        one.wait("left")
        one.tell("go", connection=asked["connection"])
        ended = one.wait("ended")
    assert (ended["connection"], ended["why"], ended["address"]) == (
        asked["connection"],
        "it was given up",
        "",
    )


def test_two_networks_have_each_its_own_destinations(one: Proxy) -> None:
    with site() as port:
        first, second = one.network(here(port)), one.network(["other.example:80"], 2)
        assert status(one.talk(first, get(port)).all()) == 200
        assert status(one.talk(second, get(port)).all()) == 403


def test_a_proxy_with_connections_that_do_nothing_does_nothing(one: Proxy) -> None:
    with echo() as port:
        talk = one.talk(one.network(here(port)), connect("site.example", port))
        assert talk.some().startswith(b"HTTP/1.1 200")
        talk.socket.shutdown(socket.SHUT_WR)
        before = cpu_seconds(one)
        time.sleep(0.5)
        assert cpu_seconds(one) - before < 0.2


def cpu_seconds(one: Proxy) -> float:
    return int(Path(f"/proc/{one.process.pid}/schedstat").read_text().split()[0]) / 1e9


# -- the proxy itself ----------------------------------------------------------------------------------------


def test_a_proxy_goes_with_its_launcher(tmp_path: Path) -> None:
    with proxy(tmp_path) as one:
        pass
    assert one.process.returncode == 0


def test_a_message_that_is_not_in_the_table_ends_the_link(one: Proxy) -> None:
    one.link.send(b'{"say":"open","host":"evil.example"}')
    with pytest.raises(ConnectionResetError):
        one.wait("left")


def test_the_proxy_has_walls_of_its_own(one: Proxy) -> None:
    status_text = Path(f"/proc/{one.process.pid}/status").read_text()
    fields = dict(line.split(":\t") for line in status_text.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
