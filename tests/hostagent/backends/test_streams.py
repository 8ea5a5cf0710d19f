"""What is taken out of a pipe is counted first, and exactly."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from wand_hostagent.backends.streams import READ_BYTES, WIDE_BYTES, Tap, unread
from wand_hostagent.positions import Position, uncounted


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    yield reader, writer
    os.close(writer)


def tap_of(reader: int, start: int = 0) -> tuple[Tap, Position, asyncio.Event]:
    position, _ = uncounted((start, 0))
    news = asyncio.Event()
    tap = Tap(reader, "stdout", position, news.set)
    tap.listen()
    return tap, position, news


async def test_bytes_are_counted_before_they_leave_the_pipe(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seen = os.read, []
    tap, position, news = tap_of(pipe[0], 5)

    def spy(descriptor: int, most: int) -> bytes:
        seen.append((position.taken_bytes, unread(descriptor)))
        return read(descriptor, most)

    monkeypatch.setattr(os, "read", spy)
    os.write(pipe[1], b"abc")
    async with asyncio.timeout(60):
        await news.wait()

    assert seen == [(8, 3)]
    assert (position.taken_bytes, tap.offset, tap.take()) == (8, 5, b"abc")
    tap.close()


@pytest.mark.parametrize("size", [1, READ_BYTES - 1, READ_BYTES])
async def test_the_count_is_what_was_read(pipe: tuple[int, int], size: int) -> None:
    tap, position, news = tap_of(pipe[0])
    os.write(pipe[1], b"x" * size)
    async with asyncio.timeout(60):
        await news.wait()
    tap.drain()

    assert position.taken_bytes == len(tap.take()) == size
    tap.close()


async def test_nothing_to_read_and_the_end_count_nothing() -> None:
    reader, writer = os.pipe()
    tap, position, news = tap_of(reader, 9)
    tap.drain()
    empty = position.taken_bytes, tap.ended
    os.close(writer)
    async with asyncio.timeout(60):
        await news.wait()

    assert empty == (9, False)
    assert (position.taken_bytes, tap.ended) == (9, True)


async def test_before_it_listens_it_reads_when_it_is_told_to_and_then_to_the_end() -> None:
    reader, writer = os.pipe()
    position, _ = uncounted((0, 0))
    tap = Tap(reader, "stdout", position, lambda: pytest.fail("it listens"))
    os.write(writer, b"abc")
    await asyncio.sleep(0)
    untouched = unread(reader)
    os.close(writer)
    tap.drain()

    assert untouched == 3
    assert (tap.take(), tap.ended) == (b"abc", True)


async def test_what_nobody_takes_stays_in_the_pipe_and_uncounted(pipe: tuple[int, int]) -> None:
    tap, position, news = tap_of(pipe[0])
    written = 0
    async with asyncio.timeout(60):
        while position.taken_bytes < WIDE_BYTES or not written > WIDE_BYTES:
            news.clear()
            written += write_what_fits(pipe[1])
            if position.taken_bytes < WIDE_BYTES:
                await news.wait()

    assert position.taken_bytes == WIDE_BYTES
    assert unread(pipe[0]) == written - WIDE_BYTES
    tap.close()


def write_what_fits(descriptor: int) -> int:
    written = 0
    try:
        while True:
            written += os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        return written
