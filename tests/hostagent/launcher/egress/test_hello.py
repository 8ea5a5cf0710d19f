"""The name in a TLS greeting: the one that real clients write, and none where the bytes are wrong."""

import ssl
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wand_hostagent.launcher.egress import hello
from wand_hostagent.launcher.egress.greeting import Greeting, Mismatch


def greeting(name: str | None) -> bytes:
    """What Python's own TLS says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    link = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        link.do_handshake()
    return outgoing.read()


def in_pieces(said: bytes, size: int) -> bytes:
    """The same handshake in smaller records."""
    body = said[5:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(said[:3] + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.parametrize("name", ["site.example", None])
def test_the_name_is_the_one_that_the_client_means(name: str | None) -> None:
    assert hello.read(greeting(name)) == hello.Told(whole=True, name=name or "")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_greeting_in_many_records_says_the_same(size: int) -> None:
    assert hello.read(in_pieces(greeting("site.example"), size)).name == "site.example"


def test_half_a_greeting_says_nothing_yet() -> None:
    said = greeting("site.example")
    assert all(not hello.read(said[:length]).whole for length in range(len(said)))


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1", b"SSH-2.0-x", b"\x15\x03\x01", b"\0"])
def test_what_does_not_begin_as_tls_is_let_through(first: bytes) -> None:
    assert hello.read(first) == hello.Told(whole=True)


@given(st.integers(5, 250), st.integers(0, 255))
def test_a_changed_greeting_is_read_or_refused_and_nothing_else(at: int, value: int) -> None:
    said = bytearray(greeting("site.example"))
    said[at % len(said)] = value
    try:
        told = hello.read(bytes(said))
    except hello.NotSo:
        return
    assert told.name.isascii()


@given(st.binary(max_size=80))
def test_no_bytes_make_the_reader_fail_in_another_way(rest: bytes) -> None:
    with suppress(hello.NotSo):
        assert hello.read(b"\x16" + rest).name.isascii()


def test_a_tunnel_holds_back_until_the_name_is_right() -> None:
    said, passed = greeting("site.example"), b""
    tunnel = Greeting("site.example")
    for at in range(0, len(said), 100):
        passed += tunnel.take(memoryview(said[at : at + 100]))
        assert passed in {b"", said}
    assert passed == said
    assert tunnel.take(memoryview(b"more")) == b"more"


def test_a_tunnel_to_another_name_lets_nothing_through() -> None:
    with pytest.raises(Mismatch):
        Greeting("site.example").take(memoryview(greeting("evil.example")))


def test_a_greeting_that_comes_byte_by_byte_is_not_waited_for() -> None:
    tunnel = Greeting("site.example")
    pieces = [memoryview(bytes([one])) for one in greeting("site.example")]
    with pytest.raises(Mismatch):
        list(map(tunnel.take, pieces))


@pytest.mark.parametrize("name", [b"evil\nexample", b"evil\0example", b"evil example", b"evil\x7fexample"])
def test_a_name_that_is_not_printable_is_none(name: bytes) -> None:
    with pytest.raises(hello.NotSo, match="cannot be read"):
        hello.read(greeting("evil-example").replace(b"evil-example", name))
