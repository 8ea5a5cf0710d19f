"""The file tools at work: a process in the same box as commands, asked and answering over one socket."""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from wand_hostagent.filesystem import arranging, changing, listing, reading, scanning, search, wire
from wand_hostagent.filesystem.model import (
    Aliases,
    Answer,
    Arrange,
    Edit,
    List,
    Read,
    Scan,
    Search,
    Survey,
    Write,
)
from wand_hostagent.filesystem.paths import Roots
from wand_hostagent.filesystem.refusal import Refused

LOOK_SECONDS = 20.0  # for what only looks; a change is bounded by its size
_ACTS: dict[type[Any], Callable[[Roots, Any], Answer]] = {
    Read: reading.read,
    Write: changing.write,
    Edit: changing.edit,
    List: listing.list_folder,
    Search: search.search,
    Scan: scanning.scan,
    Arrange: arranging.arrange,
    Survey: arranging.survey,
    Aliases: Roots.aliases,
}
_SIMPLER = "look in a smaller folder, give a name_glob, or a simpler pattern"
_LOOKS: dict[type[Any], str] = {  # and what to do where that takes too long
    Read: "lines far behind take long to find: give offset",
    List: "look in a smaller folder, or less deep",
    Search: _SIMPLER,
    Scan: "give a simpler pattern",
    Survey: "take its parts one by one",
}


def main(argv: Sequence[str]) -> int:
    """Serve the socket that is descriptor 0 until its other end is closed."""
    parser = argparse.ArgumentParser(prog="wand_hostagent/filesystem", description=__doc__)
    parser.add_argument("--write", action="append", default=[], metavar="DIR")
    parser.add_argument("--read", action="append", default=[], metavar="DIR")
    parser.add_argument("--look-seconds", type=float, default=LOOK_SECONDS, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    with socket.socket(fileno=os.dup(0)) as peer:
        peer.setblocking(True)
        serve(peer, Roots(asked.write, asked.read), asked.look_seconds)
    return 0


def serve(peer: socket.socket, roots: Roots, look_seconds: float) -> None:
    """Answer each ask in its turn; a failing one ends nothing, a torn frame ends all."""
    leaving = _Leaving()
    while (frame := leaving.receive(peer)) is not None:
        try:
            peer.sendall(_answer(roots, frame, look_seconds))
        except ConnectionError:
            return


class _Leaving:
    """SIGTERM: the worker goes, at once while nothing is asked of it, and else when it has answered."""

    def __init__(self) -> None:
        self._is_idle = False
        self._is_told = False
        signal.signal(signal.SIGTERM, self._hear)

    def receive(self, peer: socket.socket) -> tuple[bytes, bytes] | None:
        """The next frame, or None where there will be no more; what has not come whole is not begun."""
        self._is_idle = True
        frame = None if self._is_told else _receive(peer)
        self._is_idle = False
        return frame

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_told = True
        if self._is_idle:
            sys.exit(0)


def _receive(peer: socket.socket) -> tuple[bytes, bytes] | None:
    lengths = _exactly(peer, wire.LENGTHS.size)
    if lengths is None:
        return None
    header_bytes, body_bytes = wire.LENGTHS.unpack(lengths)
    try:
        wire.check_lengths(header_bytes, body_bytes)
    except Refused as refused:
        sys.stderr.write(f"wand file worker: a frame {refused.message}\n")
        return None
    header = _exactly(peer, header_bytes)
    body = _exactly(peer, body_bytes)
    return None if header is None or body is None else (bytes(header), bytes(body))


def _exactly(peer: socket.socket, count: int) -> bytearray | None:
    """That many bytes, or None where the other end was closed before."""
    got = bytearray(count)
    view = memoryview(got)
    while view:
        try:
            received = peer.recv_into(view)
        except OSError:  # reset, or no connection to begin with
            return None
        if received == 0:
            return None
        view = view[received:]
    return got


def _answer(roots: Roots, frame: tuple[bytes, bytes], look_seconds: float) -> bytes:
    try:
        ask = wire.unpack(*frame)
        act = _ACTS.get(type(ask))
        if act is None:
            raise Refused("Invalid", f"{type(ask).__name__} is nothing to ask", field="what")  # noqa: TRY301 - answered below
        hint = _LOOKS.get(type(ask))
        with _deadline(0 if hint is None else look_seconds, hint):
            return wire.pack(act(roots, ask))
    except Refused as refused:
        return wire.pack(refused)
    except Exception as error:  # noqa: BLE001 - the top of each task: one that fails must not end the next
        sys.stderr.write(f"wand file worker: {type(error).__name__}: {error}\n")
        return wire.pack(Refused("Broken", f"the file tools failed: {type(error).__name__}"))


@contextmanager
def _deadline(seconds: float, hint: str | None) -> Iterator[None]:
    """Raise Refused in the middle of whatever runs when the time is over; 0 is no deadline."""

    def too_late(_signal: int, _frame: FrameType | None) -> None:
        raise Refused("TimedOut", f"not done within {seconds:g} seconds", hint=hint or "")

    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
