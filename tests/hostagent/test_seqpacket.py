"""A connection brings whole messages, both ways, in order, and says once that it is lost."""

import asyncio
import os
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.waiting import open_files, until
from wand_hostagent.seqpacket import Connection, close_all, connect

MOST = 1000


@dataclass
class End:
    """One end, and what came to it."""

    connection: Connection
    messages: list[bytes] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    lost: int = 0


@contextmanager
def ends() -> Iterator[tuple[End, socket.socket]]:
    """A connection, and the raw socket at its other end."""
    before = open_files()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)

    def received(message: bytes, beside: list[int]) -> None:
        end.messages.append(message)
        end.descriptors += beside

    def lost() -> None:
        end.lost += 1

    end = End(Connection(ours, MOST, received, lost))
    with theirs:
        yield end, theirs
    end.connection.close()
    close_all(end.descriptors)
    assert not open_files() - before


async def test_messages_come_whole_and_in_order_with_their_descriptors() -> None:
    with ends() as (end, theirs):
        theirs.send(b"one")
        with Path("/dev/null").open("rb") as null:  # noqa: ASYNC230 - it never blocks
            socket.send_fds(theirs, [b"two"], [null.fileno(), null.fileno()])
        await until(lambda: len(end.messages) == 2)

        assert end.messages == [b"one", b"two"]
        assert [*map(place_of, end.descriptors)] == ["/dev/null", "/dev/null"]
        assert not any(map(os.get_inheritable, end.descriptors))


async def test_more_messages_than_one_turn_takes_all_come() -> None:
    with ends() as (end, theirs):
        for number in range(200):
            theirs.send(str(number).encode())
        await until(lambda: len(end.messages) == 200)

    assert end.messages == [str(number).encode() for number in range(200)]


@pytest.mark.parametrize("last", [b"", b"x" * (MOST + 2)])
async def test_the_end_and_a_message_that_is_too_long_lose_the_connection_once(last: bytes) -> None:
    with ends() as (end, theirs):
        theirs.send(last)
        await until(lambda: end.lost)
        theirs.close()
        sent = end.connection.send(b"late")
        assert sent is not None
        assert not await sent

    assert (end.lost, end.messages) == (1, [])


async def test_what_does_not_fit_is_queued_and_what_was_cancelled_is_left_out() -> None:
    with ends() as (end, theirs):
        sent = 0
        while end.connection.send(b"x" * 900) is None:
            sent += 1
        cancelled, last = end.connection.send(b"cancelled"), end.connection.send(b"last")
        assert cancelled is not None
        assert last is not None
        cancelled.cancel()
        came: list[bytes] = []
        theirs.setblocking(False)
        await until(lambda: take_all(theirs, came) and b"last" in came)

        assert await last
    assert came == [b"x" * 900] * (sent + 1) + [b"last"]


class Descriptors(list[int]):
    """Some that can be seen to be held."""


async def test_what_was_cancelled_is_not_held_while_the_other_end_reads_nothing() -> None:
    with ends() as (end, _):
        while end.connection.send(b"x" * 900) is None:
            pass
        held = Descriptors()
        queued, seen = end.connection.send(b"cancelled", held), weakref.ref(held)
        assert queued is not None
        queued.cancel()
        del held
        await asyncio.sleep(0)

        assert seen() is None


async def test_what_is_queued_when_the_connection_closes_was_not_sent() -> None:
    with ends() as (end, _):
        while (waiting := end.connection.send(b"x" * 900)) is None:
            pass
        end.connection.close()

        assert await waiting is False
        assert end.lost == 0


async def test_nobody_listens(tmp_path: Path) -> None:
    before = open_files()
    with pytest.raises(OSError, match="No such file"):
        connect(tmp_path / "none")
    assert not open_files() - before


def take_all(theirs: socket.socket, came: list[bytes]) -> bool:
    """Take what is there; whether there was anything."""
    before = len(came)
    with suppress(BlockingIOError):
        while True:
            came.append(theirs.recv(MOST))
    return len(came) > before


def place_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())
