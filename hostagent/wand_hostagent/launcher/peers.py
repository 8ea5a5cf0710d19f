"""Who is connected: known by the kernel's word (SO_PEERCRED), read without trust, written without waiting."""

import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wand_hostagent.launcher import log, protocol, rights
from wand_hostagent.launcher.loop import READ, WRITE, Loop

MOST = 4  # connections at one time
_QUEUED_MESSAGES = 4096
_QUEUED_BYTES = 8 * 1024 * 1024
_CREDENTIALS = struct.Struct("=iII")
_REST_SECONDS = 0.5
_READS = 64  # requests taken from one peer before the others have their turn
_BESIDE = rights.room_for(protocol.MAX_DESCRIPTORS)
_NO_SIGNAL = int(socket.MSG_NOSIGNAL)  # an enum would cost more than the call


@dataclass(slots=True, eq=False)
class Peer:
    """One connection."""

    socket: socket.socket
    pid: int
    uid: int
    queue: deque[tuple[bytes, tuple[int, ...]]] = field(default_factory=deque)
    queued_bytes: int = 0
    up: bool = True


class Letter(NamedTuple):
    """One datagram as it came; its descriptors belong to whoever holds it."""

    peer: Peer
    untrusted: Mapping[str, Any]
    descriptors: tuple[int, ...]
    cut: bool  # descriptors were lost on the way


@dataclass(slots=True)
class Peers:
    """All connections, and the socket where they come in."""

    loop: Loop
    listener: socket.socket
    allowed: Collection[int]
    joined: Callable[[Peer], None] = lambda _: None
    received: Callable[[Letter], None] = lambda _: None
    now: list[Peer] = field(default_factory=list)
    _room: memoryview = field(default_factory=lambda: memoryview(bytearray(protocol.MESSAGE_BYTES + 1)))

    def open(self) -> None:
        self.listener.setblocking(False)
        self._watch_door()

    def close_door(self) -> None:
        """Take no more connections."""
        self.loop.ignore(self.listener.fileno())
        self.listener.close()

    def close(self) -> None:
        for peer in tuple(self.now):
            self.drop(peer, "the launcher stops")

    def tell_all(self, message: Mapping[str, Any], but: object = None) -> None:
        """Send it to everyone but one."""
        for peer in tuple(self.now):
            if peer is not but:
                self.tell(peer, message)

    def tell(self, peer: Peer, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message, at once or when the peer reads again; one that never reads is dropped."""
        if not peer.up:
            return
        packed = protocol.encode(message)
        if not peer.queue and self._send(peer, packed, descriptors):
            return
        if len(peer.queue) >= _QUEUED_MESSAGES or peer.queued_bytes + len(packed) > _QUEUED_BYTES:
            self.drop(peer, "it does not read")
            return
        try:
            peer.queue.append((packed, tuple(map(os.dup, descriptors))))
        except OSError as error:
            self.drop(peer, f"it does not read, and {error}")
            return
        peer.queued_bytes += len(packed)
        self.loop.change(peer.socket.fileno(), READ | WRITE)

    def drop(self, peer: Peer, why: str) -> None:
        if not peer.up:
            return
        log.write("info", "peer gone", pid=peer.pid, uid=peer.uid, why=why)
        peer.up = False
        self.now.remove(peer)
        self.loop.ignore(peer.socket.fileno())
        peer.socket.close()
        for _, descriptors in peer.queue:
            _close(descriptors)
        peer.queue.clear()

    # -- coming in ---------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError as error:
            self._rest(error)
            return
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(packed)
        refusal = self._refusal(uid)
        if refusal:
            log.write("warning", "peer refused", pid=pid, uid=uid, why=refusal)
            connection.close()
            return
        connection.setblocking(False)
        peer = Peer(connection, pid, uid)
        self.now.append(peer)
        self.loop.watch(connection.fileno(), READ, lambda events: self._ready(peer, events))
        log.write("info", "peer joined", pid=pid, uid=uid)
        self.joined(peer)

    def _rest(self, error: OSError) -> None:
        """Wait before the next try: where no descriptor is left, the socket stays ready all the time."""
        log.write("error", "no connection taken", why=str(error))
        self.loop.ignore(self.listener.fileno())
        self.loop.later(_REST_SECONDS, self._watch_door)

    def _watch_door(self) -> None:
        if self.listener.fileno() >= 0:
            self.loop.watch(self.listener.fileno(), READ, lambda _: self._accept())

    def _refusal(self, uid: int) -> str:
        if uid not in self.allowed:
            return f"only these users may connect: {sorted(self.allowed)}"
        return f"there are {MOST} connections already" if len(self.now) >= MOST else ""

    def _ready(self, peer: Peer, events: int) -> None:
        if events & WRITE:
            self._flush(peer)
        for _ in range(_READS):
            if not peer.up or not self._read(peer):
                return

    def _read(self, peer: Peer) -> bool:
        """Take one datagram; False where there is none."""
        try:
            size, descriptors, flags = rights.receive(peer.socket, self._room, _BESIDE)
        except BlockingIOError:
            return False
        except OSError as error:
            self.drop(peer, str(error))
            return False
        if not size or flags & rights.SHORT or size > protocol.MESSAGE_BYTES:
            _close(descriptors)
            self.drop(peer, "its message is too large" if size else "it hung up")
            return False
        try:
            untrusted = protocol.decode(self._room[:size])
        except protocol.Unreadable as error:
            _close(descriptors)
            self.drop(peer, str(error))
            return False
        self.received(Letter(peer, untrusted, descriptors, bool(flags & rights.CUT)))
        return True

    # -- going out ---------------------------------------------------------------------------------------

    def _flush(self, peer: Peer) -> None:
        while peer.up and peer.queue:
            packed, descriptors = peer.queue[0]
            if not self._send(peer, packed, descriptors) or not peer.up:
                return
            peer.queue.popleft()
            peer.queued_bytes -= len(packed)
            _close(descriptors)
        if peer.up:
            self.loop.change(peer.socket.fileno(), READ)

    def _send(self, peer: Peer, packed: bytes, descriptors: Sequence[int]) -> bool:
        """True where the kernel took it, or where there is nobody to take it any more."""
        try:
            if descriptors:
                rights.send(peer.socket, packed, descriptors, _NO_SIGNAL)
            else:
                peer.socket.send(packed, _NO_SIGNAL)
        except BlockingIOError:
            return False
        except OSError as error:
            self.drop(peer, str(error))
        return True


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
