"""What is typed, and when its end is: a keyboard on a terminal of ours, and a pipe that nobody reads."""

import asyncio
import os
import select
import termios
from collections.abc import Iterator

import pytest

from support.waiting import open_files, until
from wand_hostagent.backends.inputs import Keyboard, PipeInput
from wand_hostagent.backends.taking import MOST_UNREAD_BYTES
from wand_hostagent.model import Input
from wand_proto.errors import Conflict, Exhausted


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The master of a terminal, and the job's end of it."""
    before = open_files()
    master, other = os.openpty()
    yield master, other
    os.close(other)
    os.close(master)
    assert not open_files() - before


def lines(terminal: int) -> list[bytes]:
    """All that a program can read there now; an empty one is an end."""
    os.set_blocking(terminal, False)
    found = []
    try:
        while True:
            found.append(os.read(terminal, 4096))
    except BlockingIOError:
        return found


@pytest.mark.parametrize(
    ("stdin", "read"),
    [(b"", [b""]), (b"a\n", [b"a\n", b""]), (b"a", [b"a", b""]), (b"a\nb", [b"a\n", b"b", b""])],
)
async def test_where_nobody_can_type_the_end_comes_after_what_was_given(
    terminal: tuple[int, int], stdin: bytes, read: list[bytes]
) -> None:
    keyboard = Keyboard(terminal[0], stdin, stays_open=False)

    assert lines(terminal[1]) == read
    with pytest.raises(Conflict, match="has ended"):
        keyboard.check(Input(data=b"x"))
    keyboard.close()


async def test_the_end_is_there_again_for_whoever_throws_it_away_and_only_then(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_hostagent.backends.inputs.END_SECONDS", 0.01)
    keyboard = Keyboard(terminal[0], b"", stays_open=False)

    termios.tcflush(terminal[1], termios.TCIFLUSH)
    await until(lambda: select.select([terminal[1]], [], [], 0)[0])
    keyboard.close()

    assert lines(terminal[1]) == [b""]


async def test_a_program_that_reads_key_by_key_is_sent_no_ends_that_nobody_typed(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_hostagent.backends.inputs.END_SECONDS", 0.001)
    settings = termios.tcgetattr(terminal[1])
    settings[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal[1], termios.TCSANOW, settings)
    keyboard = Keyboard(terminal[0], b"", stays_open=False)
    first = keyboard._timer

    await until(lambda: keyboard._timer is not first)  # it has looked again
    keyboard.close()

    assert lines(terminal[1]) == []


async def test_keys_are_typed_in_order_and_an_end_leaves_the_keyboard_open(terminal: tuple[int, int]) -> None:
    keyboard = Keyboard(terminal[0], b"", stays_open=True)

    keyboard.give(Input(data=b"one\ntw", end=True))
    keyboard.give(Input(data=b"o\n", resize=(132, 43)))

    assert lines(terminal[1]) == [b"one\n", b"tw", b"", b"o\n"]
    assert os.get_terminal_size(terminal[1]) == (132, 43)
    keyboard.close()


async def test_a_pipe_holds_a_bounded_amount_and_closes_when_all_is_read() -> None:
    reader, writer = os.pipe()
    pipe = PipeInput(writer, b"", stays_open=True)
    pipe.give(Input(data=b"x" * MOST_UNREAD_BYTES, end=True))
    with pytest.raises(Conflict):
        pipe.check(Input(data=b"y"))
    with pytest.raises(Conflict, match="no terminal"):
        pipe.check(Input(resize=(80, 24)))

    os.set_blocking(reader, False)
    read = 0
    with os.fdopen(reader, "rb", buffering=0) as file:
        while (part := file.read(MOST_UNREAD_BYTES)) != b"":
            read += len(part or b"")
            await asyncio.sleep(0)

    assert read == MOST_UNREAD_BYTES


async def test_more_than_a_job_may_leave_unread_is_refused_with_the_bound() -> None:
    reader, writer = os.pipe()
    pipe = PipeInput(writer, b"x" * MOST_UNREAD_BYTES, stays_open=True)

    with pytest.raises(Exhausted, match="has not read the last") as refused:
        pipe.check(Input(data=b"y" * MOST_UNREAD_BYTES))
    assert str(MOST_UNREAD_BYTES) in refused.value.hint

    pipe.close()
    os.close(reader)
