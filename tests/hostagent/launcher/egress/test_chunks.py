"""Bodies in chunks: one reading, however they come in pieces, and no byte after them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wand_hostagent.launcher.egress.chunks import Chunks, NotChunked


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def passed(pieces: list[bytes]) -> tuple[bytes, bool]:
    """What goes on, and whether that is the end."""
    body = Chunks()
    return b"".join(bytes(body.take(memoryview(piece))) for piece in pieces), not body.wants_more


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 50), st.binary(max_size=20))
def test_chunks_go_on_whole_however_they_come_and_nothing_after_them(
    parts: list[bytes], size: int, after: bytes
) -> None:
    body = chunked(*parts)
    said = body + after
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    assert passed(pieces) == (body, True)
    assert passed([body[:-1]]) == (body[:-1], False)


@pytest.mark.parametrize(
    "said",
    [
        b"3;a=b\r\nabc\r\n", b"3 \r\nabc\r\n", b" 3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"+3\r\nabc\r\n",
        b"3\nabc\n", b"3\r\nabcd\r\n", b"3\r\nabc0\r\n\r\n", b"\r\n", b"-1\r\n", b"0\r\nX-Trailer: a\r\n\r\n",
        b"0\r\n\n", b"1" * 16 + b"\r\n", b"1" * 40, b"GET / HTTP/1.1\r\n",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_does_not_go_on(said: bytes) -> None:
    with pytest.raises(NotChunked):
        passed([said])


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(said: bytes) -> None:
    body = Chunks()
    try:
        taken = bytes(body.take(memoryview(said)))
    except NotChunked:
        return
    assert said.startswith(taken)


def test_the_smaller_the_chunks_the_less_is_read_at_a_time() -> None:
    """A job that says many small ones must not keep the proxy from others."""
    body = Chunks()
    small, large = b"1\r\na\r\n" * 10_000, b"8000\r\n" + bytes(0x8000) + b"\r\n"
    for _ in range(3):
        body.take(memoryview(small))
    assert body.gulp_bytes == 256
    for _ in range(20):
        body.take(memoryview(large))
    assert body.gulp_bytes == 32 * 1024
