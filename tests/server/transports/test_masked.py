"""The heads of frames, in pieces of any size."""

from dataclasses import dataclass

import pytest

from wand_server.transports.masked import Masked

KEY = b"keys"
SIZES = (0, 1, 125, 126, 300, 65535, 65536, 70000)


@dataclass
class FakeReader:
    """Takes all that it is given."""

    given: bytes = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.given += data
        return False, b""

    def feed_eof(self) -> None:
        self.given += b"(end)"


def frame(size: int, mask: int = 0x80) -> bytes:
    short = size if size < 126 else 126 if size < 65536 else 127
    longer = b"" if short < 126 else size.to_bytes(2 if short == 126 else 8)
    return bytes([0x81, mask | short]) + longer + (KEY if mask else b"") + b"\x00" * size


@pytest.mark.parametrize("step", [1, 3, 7, 4096, 10**6])
def test_masked_frames_are_read_as_they_are(step: int) -> None:
    sent = b"".join(frame(size) for size in SIZES)
    masked = Masked(reader := FakeReader())

    for begin in range(0, len(sent), step):
        assert masked.feed_data(sent[begin : begin + step]) == (False, b"")
    masked.feed_eof()

    assert reader.given == sent + b"(end)"


@pytest.mark.parametrize("step", [1, 2, 5, 10**6])
@pytest.mark.parametrize("before", SIZES)
def test_a_frame_that_is_not_masked_is_never_read(before: int, step: int) -> None:
    good = frame(before)
    sent = good + frame(4, mask=0)
    masked = Masked(reader := FakeReader())

    for begin in range(0, len(good) + 2, step):
        masked.feed_data(sent[begin : begin + step])

    assert reader.given == good + b"\xf0\x80"
