"""The reader of requests: one reading or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wand_hostagent.launcher.egress import requests
from wand_hostagent.launcher.egress.destinations import read_target

HOST = b"Host: site.example\r\n"


def head(line: bytes, fields: bytes = b"") -> bytes:
    return line + b"\r\n" + fields + b"\r\n"


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"CONNECT site.example:443 HTTP/1.1", "site.example:443"),
        (b"CONNECT SITE.example:443 HTTP/1.0", "site.example:443"),
        (b"CONNECT [2001:db8::1]:22 HTTP/1.1", "[2001:db8::1]:22"),
        (b"GET http://site.example/a?b=c HTTP/1.1", "site.example:80"),
        (b"GET HTTP://site.example HTTP/1.1", "site.example:80"),
        (b"POST http://site.example:8080/ HTTP/1.1", "site.example:8080"),
        (b"GET http://[2001:db8::1]/ HTTP/1.1", "[2001:db8::1]:80"),
        (b"GET http://[2001:db8::1]:81?x HTTP/1.1", "[2001:db8::1]:81"),
    ],
)
def test_a_request_means_its_target(line: bytes, target: str) -> None:
    assert requests.read(head(line)).target == read_target(target)


def test_what_goes_on_is_written_anew_and_keeps_what_is_the_destination_s() -> None:
    fields = (
        b"hOST:  site.example \r\nAccept: */*\r\nProxy-Connection: Keep-Alive\r\nConnection: X-Own, close\r\n"
        b"X-Own: 1\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nAuthorization: kept\r\n"
        b"Content-Length: 3\r\n"
    )
    request = requests.read(head(b"PUT http://site.example?q HTTP/1.1", fields))
    assert request.body_bytes == 3
    assert request.head == (
        b"PUT /?q HTTP/1.1\r\nHost: site.example\r\nAccept: */*\r\nAuthorization: kept\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    "untrusted",
    [
        head(b"GET / HTTP/1.1", HOST),
        head(b"GET https://site.example/ HTTP/1.1"),
        head(b"GET ftp://site.example/ HTTP/1.1"),
        head(b"GET file:///etc/shadow HTTP/1.1"),
        head(b"GET http:/site.example/ HTTP/1.1"),
        head(b"GET http:///x HTTP/1.1"),
        head(b"GET http://user:word@site.example/ HTTP/1.1"),
        head(b"GET http://site.example@169.254.169.254/ HTTP/1.1"),
        head(b"GET http://site.example\\@evil.example/ HTTP/1.1"),
        head(b"GET http://site.example#@evil.example/ HTTP/1.1"),
        head(b"GET http://site.example:80:80/ HTTP/1.1"),
        head(b"GET http://site.example:/ HTTP/1.1"),
        head(b"GET http://site%2eexample/ HTTP/1.1"),
        head(b"GET  http://site.example/ HTTP/1.1"),
        head(b"GET http://site.example/ a HTTP/1.1"),
        head(b"GET http://site.example/\tHTTP/1.1"),
        head(b" GET http://site.example/ HTTP/1.1"),
        head(b"get http://site.example/ HTTP/1.1"),
        head(b"GET http://site.example/ HTTP/2.0"),
        head(b"GET http://site.example/ HTTP/1.10"),
        head(b"GET http://site.example/"),
        head(b"GET http://site.example/\xc3\xa9 HTTP/1.1"),
        head(b"CONNECT site.example HTTP/1.1"),
        head(b"CONNECT http://site.example:443 HTTP/1.1"),
        head(b"CONNECT site.example:443/ HTTP/1.1"),
        head(b"CONNECT evil.example\0.site.example:443 HTTP/1.1"),
        head(b"CONNECT site.example:443 HTTP/1.1", b"Host: evil.example:443\r\n"),
        head(b"CONNECT site.example:443 HTTP/1.1", b"Content-Length: 4\r\n"),
        head(b"CONNECT site.example:443 HTTP/1.1", b"Transfer-Encoding: chunked\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Host: evil.example\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", HOST + HOST),
        head(b"GET http://site.example/ HTTP/1.1", b"Host : site.example\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"X-A: b\r\n c\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"X-A: b\rX-B: c\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"X-A: b\nX-B: c\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"X-A: \0\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"X-A\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b": b\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Content-Length: 1\r\nContent-Length: 1\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Content-Length: 1, 1\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Content-Length: +1\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Content-Length: -1\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Content-Length: 0x1\r\n"),
        head(b"POST http://site.example/ HTTP/1.0", b"Transfer-Encoding: chunked\r\n"),
        head(b"POST http://site.example/ HTTP/1.1", b"Transfer-Encoding: gzip, chunked\r\n"),
        head(b"POST http://site.example/ HTTP/1.1", b"Transfer-Encoding: \x0bchunked\r\n"),
        head(b"POST http://site.example/ HTTP/1.1", b"Transfer-Encoding: chunked\r\n" * 2),
        head(b"POST http://site.example/ HTTP/1.1", b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
        head(b"POST http://site.example/ HTTP/1.1", b"Connection: transfer-encoding\r\n"),
        head(b"POST http://site.example/ HTTP/1.1", b"Transfer-Encoding: identity\r\nContent-Length: 1\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Connection: host\r\n"),
        head(b"GET http://site.example/ HTTP/1.1", b"Connection: close, Content-Length\r\n"),
        b"GET http://site.example/ HTTP/1.1\nHost: site.example\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\x05\x01\x00\r\n\r\n",
        b"\r\n\r\n",
        b"\r\nGET http://site.example/ HTTP/1.1\r\n\r\n",
        head(b"GET http://site.example/ HTTP/1.1", b"A: b\r\n" * (requests.MOST_FIELDS + 1)),
        head(b"GET http://site.example/" + b"a" * 9000 + b" HTTP/1.1"),
        b"GET http://site.example/ HTTP/1.1\r\n" + b"A: b" * requests.MOST_BYTES,
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(untrusted: bytes) -> None:
    with pytest.raises(requests.Unreadable):
        requests.read(untrusted)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (b"\x16\x03\x01", "without TLS"),
        (b"\x05\x01\x00", "no HTTP"),
        (b"GET http://site.example/ HTTP/1.0\n", "CR LF"),
        (b"\n", "no HTTP"),
    ],
)
def test_what_can_become_no_request_is_known_from_its_start(start: bytes, why: str) -> None:
    with pytest.raises(requests.Unreadable, match=why):
        requests.check_start(start)


@pytest.mark.parametrize("start", [b"C", b"GET http://site.example/ HTTP/1.1\r\nA: b"])
def test_what_may_become_a_request_is_waited_for(start: bytes) -> None:
    requests.check_start(start)


def test_a_body_in_chunks_says_itself_where_it_ends() -> None:
    fields = HOST + b"Transfer-Encoding: Chunked\r\n"
    request = requests.read(head(b"VERSION-CONTROL http://site.example/ HTTP/1.1", fields))
    assert (request.is_chunked, request.body_bytes) == (True, 0)
    assert b"\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n" in request.head


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"get http://site.example/ HTTP/1.1", "capital letters"),
        (b"GET http://site.example/\xc3\xbc HTTP/1.1", "%C3%BC"),
    ],
)
def test_a_first_line_that_is_wrong_is_told_how_to_be_right(line: bytes, why: str) -> None:
    with pytest.raises(requests.Unreadable, match=why):
        requests.read(head(line))


TOKENS = st.sampled_from([
    b"GET", b"CONNECT", b"POST", b" ", b"  ", b"\t", b"http://", b"https://", b"site.example",
    b"evil.example", b":80",
    b":443", b"/", b"?", b"#", b"@", b"\\", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b"\0",
    b"Host: ",
    b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"Connection: ", b"1", b"0", b",", b":",
    b"[::1]",
    b"127.0.0.1", b"\xff", b"%0d%0a",
])  # fmt: skip


@given(st.lists(TOKENS | st.binary(max_size=4), max_size=24).map(b"".join))
def test_a_request_that_is_read_goes_on_as_the_same_request(untrusted: bytes) -> None:
    """What goes on has one line an item, one Host, and is read again as what it was."""
    try:
        request = requests.read(untrusted + requests.END)
    except requests.Unreadable:
        return
    if request.is_tunnel:
        return
    first, *fields = request.head.removesuffix(requests.END).split(b"\r\n")
    assert not set(request.head.replace(b"\r\n", b"")) & set(b"\r\n\0")
    assert [line.lower().startswith(b"host:") for line in fields].count(True) == 1
    method, path, version = first.split(b" ")
    again = b" ".join((method, b"http://" + str(request.target).encode() + path, version))
    rest = [line for line in fields if not line.startswith(b"Connection:")]
    second = requests.read(b"\r\n".join([again, *rest]) + requests.END)
    assert (second.target, second.body_bytes, second.head) == (
        request.target,
        request.body_bytes,
        request.head,
    )


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_in_another_way(untrusted: bytes) -> None:
    with pytest.raises(requests.Unreadable):
        requests.read(untrusted + b"\x00" + requests.END)
