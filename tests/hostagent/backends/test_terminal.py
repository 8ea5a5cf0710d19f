"""A terminal for which no descriptor is left is refused, and comes to a later try."""

import os
import pty
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wand_hostagent.backends.terminal import Handover, ends_of
from wand_proto.errors import Exhausted


@contextmanager
def few_descriptors(left: int) -> Iterator[None]:
    """No more than so many can be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def opened() -> set[str]:
    """Our descriptors, and the one that looks."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("left", [0, 1])
def test_no_terminal_is_asked_for_where_none_can_come(left: int) -> None:
    with few_descriptors(left), pytest.raises(Exhausted, match="no descriptor left"):
        Handover()


@pytest.mark.parametrize("left", [0, 1, 2])
async def test_a_terminal_that_cannot_be_taken_stays_for_a_later_try(left: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    master, peer_end = pty.openpty()
    with ours, theirs:
        socket.send_fds(theirs, [b"t"], [master])
        os.close(master)
        before = opened()
        with few_descriptors(left), pytest.raises(Exhausted, match="no descriptor left"):
            ends_of(ours, b"", stays_open=False)
        assert opened() == before
        ends = ends_of(ours, b"", stays_open=False)
        (taken,) = ends.outputs
        assert os.isatty(taken)
    os.close(taken)
    os.close(peer_end)
