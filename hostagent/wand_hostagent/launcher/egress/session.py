"""One connection of a job, from its first byte to its last: heard, judged, recorded, connected, passed on."""

import errno
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from wand_hostagent.launcher.egress import answers, requests
from wand_hostagent.launcher.egress.addresses import is_public
from wand_hostagent.launcher.egress.chunks import Chunks
from wand_hostagent.launcher.egress.destinations import Destinations, Target
from wand_hostagent.launcher.egress.greeting import ALERT, Greeting, Mismatch
from wand_hostagent.launcher.egress.relay import Body, End, Outgoing, Relay
from wand_hostagent.launcher.egress.resolver import Lookup, Resolver
from wand_hostagent.launcher.loop import READ, WRITE, Loop

_MOST_ADDRESSES = 8
_CONNECT_SECONDS = 10.0
_HEARD_BYTES = 4096  # of what follows a head in the same breath little is read: small chunks are dear
_RUBBISH_SECONDS = 60.0
_RUBBISH_BYTES = 64 * 1024 * 1024  # of a body: many programs say all of it before they read the answer
# What the kernel holds of a connection is the proxy's memory too, and could be megabytes. The job is near, so
# a small window does not slow it; how much comes of a far destination at once has to be the kernel's choice.
_UNSENT_BYTES, _UNREAD_BYTES = 128 * 1024, 128 * 1024
_LEFT_SECONDS = 60.0  # instead of PASSING's, where the client writes no more and may be gone


class State(Enum):
    """Where a connection stands, and after how many seconds without a step it is given up."""

    HEARING = 15.0
    JUDGING = 30.0  # looking up, and until its record is on the disk
    CONNECTING = 60.0
    PASSING = 900.0
    LEAVING = 3.0  # all is said; the client may read it yet
    OVER = 0.0


_FOLLOWS = {
    State.HEARING: {State.JUDGING, State.LEAVING, State.OVER},
    State.JUDGING: {State.CONNECTING, State.LEAVING, State.OVER},
    State.CONNECTING: {State.PASSING, State.LEAVING, State.OVER},
    State.PASSING: {State.LEAVING, State.OVER},
    State.LEAVING: {State.OVER},
    State.OVER: set[State](),
}


class Owner(Protocol):
    """Whose the connection is, and who writes down what becomes of it."""

    @property
    def profile(self) -> str: ...
    @property
    def destinations(self) -> Destinations: ...
    def tell(self, say: str, fields: Mapping[str, Any]) -> None: ...
    def refused(self, target: Target | None, why: str) -> None: ...
    def gone(self, session: "Session") -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What all connections use."""

    loop: Loop
    resolver: Resolver


class Session:
    """A connection that came in on 127.0.0.1 of a job's network."""

    def __init__(self, number: int, client: socket.socket, owner: Owner, tools: Tools) -> None:
        self.number = number
        self._owner = owner
        self._loop = tools.loop
        self._resolver = tools.resolver
        self._client = End(client)
        self._far: End | None = None
        self._state = State.HEARING
        self._since = time.monotonic()
        self._began = 0.0  # when it was recorded; its end is recorded too
        self._heard = b""
        self._request: requests.Request | None = None
        self._addresses: list[tuple[int, str]] = []
        self._lookup: Lookup | None = None
        self._relay: Relay | None = None
        self._outgoing: Outgoing | None = None
        self._loop.watch(client.fileno(), READ, self._hear)

    # -- from outside ------------------------------------------------------------------------------------

    def go(self) -> bool:
        """Its record is on the disk; False where it has been given up meanwhile."""
        if self._state is not State.JUDGING or not self._addresses:
            return False
        self._began = time.monotonic()
        self._move(State.CONNECTING)
        self._connect("")
        return True

    def deny(self, why: str) -> None:
        """Its record is not on the disk."""
        if self._state is State.JUDGING:
            self._answer(answers.trouble(503, f"the connection cannot be recorded: {why}"))

    def look_after(self, now: float) -> None:
        """Give up what does not get on."""
        since = self._since
        if self._relay is not None and not self._is_held_back and self._state is not State.LEAVING:
            since = self._relay.last
        if now - since <= self._patience_seconds:
            return
        if self._state is State.HEARING and self._heard:
            self._answer(answers.trouble(408, "the request did not come to its end"))
        elif self._state in {State.JUDGING, State.CONNECTING}:
            self._answer(answers.trouble(504, f"{self._target} did not answer in time"))
        else:
            self.end("nothing happened for too long")

    def end(self, why: str) -> None:
        """Let go of it, whatever it does."""
        if self._state is State.OVER:
            return
        self._move(State.OVER)
        self._let_go(why)
        self._close(self._client)
        self._owner.gone(self)

    # -- hearing -----------------------------------------------------------------------------------------

    def _hear(self, _: int) -> None:
        try:
            part = self._client.socket.recv(_HEARD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self.end("")
            return
        self._heard += part
        try:
            requests.check_start(self._heard)
            self._read_heard()
        except requests.Unreadable as error:
            self._owner.refused(None, str(error))
            self._answer(answers.trouble(error.status, str(error)))

    def _read_heard(self) -> None:
        """Read the request, once its head is whole."""
        end = self._heard.find(requests.END)
        if end < 0 and len(self._heard) < requests.MOST_BYTES:
            return
        self._loop.ignore(self._client.socket.fileno())
        end = len(self._heard) if end < 0 else end + len(requests.END)
        head, self._heard = self._heard[:end], self._heard[end:]
        self._judge(requests.read(head))

    def _judge(self, request: requests.Request) -> None:
        self._request, target = request, request.target
        if not self._owner.destinations.permits(target):
            self._refuse("is not among the destinations of this job")
            return
        self._move(State.JUDGING)
        if target.family:
            self._consider([socket.inet_pton(target.family, target.host)], "")
        else:
            self._lookup = self._resolver.look_up(target.host, self._consider)

    def _consider(self, found: Sequence[bytes], why: str) -> None:
        """Of the addresses that a name leads to, take those where the job may go."""
        if self._state is not State.JUDGING:
            return
        if not found:
            self._owner.refused(self._target, why)
            self._answer(answers.trouble(502, f"{self._target} cannot be found: {why}"))
            return
        self._addresses = [_written(one) for one in found if self._may(one)][:_MOST_ADDRESSES]
        if not self._addresses:
            self._refuse("leads to addresses that are not public, none of them a destination itself")
            return
        self._owner.tell("connect", {
            "connection": self.number, "host": self._target.host, "port": self._target.port,
            "addresses": [address for _, address in self._addresses], "tunnel": self._asked.is_tunnel,
        })  # fmt: skip

    def _may(self, packed: bytes) -> bool:
        family, address = _written(packed)
        listed = Target(address, self._target.port, family)
        return is_public(packed) or self._owner.destinations.permits(listed)

    # -- connecting --------------------------------------------------------------------------------------

    def _connect(self, why: str) -> None:
        """Try the next address; `why` the one before failed."""
        if not self._addresses:
            self._answer(answers.trouble(502, f"{self._target} cannot be reached: {why}"))
            return
        family, address = self._addresses.pop(0)
        try:
            far = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        except OSError as error:  # a machine without IPv6, or no descriptor left
            self._connect(error.strerror or str(error))
            return
        self._far = End(far)
        self._address = address
        number = far.connect_ex((address, self._target.port))
        if number not in {0, errno.EINPROGRESS}:  # it will never be ready for anything but to say so
            self._not_connected(far, os.strerror(number))
            return
        timer = self._loop.later(_CONNECT_SECONDS, lambda: self._connected(far, None, late=True))
        self._loop.watch(far.fileno(), WRITE, lambda _: self._connected(far, timer))

    def _connected(self, far: socket.socket, timer: int | None, *, late: bool = False) -> None:
        if self._state is not State.CONNECTING or self._far is None or self._far.socket is not far:
            return
        number = far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not number and not late and not _has_peer(far):
            return
        self._loop.cancel(timer)
        self._loop.ignore(far.fileno())
        if not number and not late:
            self._joined(far)
            return
        self._not_connected(far, "it did not answer" if late else os.strerror(number))

    def _not_connected(self, far: socket.socket, why: str) -> None:
        far.close()
        self._far = None
        self._connect(why)

    def _joined(self, far: socket.socket) -> None:
        own, peer = far.getsockname()[0], far.getpeername()[0]
        if own == peer and not self._owner.destinations.permits(_literal(far, self._target.port)):
            self._refuse("is this machine itself")  # under one of its public addresses
            return
        self._move(State.PASSING)
        for one in (far, self._client.socket):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        self._client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_BYTES)
        request, first = self._asked, self._heard
        self._heard = b""
        if request.is_tunnel:
            self._outgoing = Greeting("" if request.target.family else request.target.host)
        else:
            self._outgoing = Chunks() if request.is_chunked else Body(request.body_bytes)
        assert self._far is not None
        self._relay = Relay(self._loop, (self._client, self._far), self._outgoing, self._passed)
        self._since = time.monotonic()
        self._relay.begin(answers.TUNNEL if request.is_tunnel else b"", request.head, first)

    def _passed(self, why: Exception | str) -> None:
        """The relay has ended."""
        if isinstance(why, Mismatch):
            self._owner.refused(self._target, str(why))
            self._answer(ALERT)
        elif not why and not self._asked.is_tunnel:
            self._let_go("")
            self._leave()
        else:
            self.end(str(why))

    # -- leaving -----------------------------------------------------------------------------------------

    def _refuse(self, why: str) -> None:
        self._owner.refused(self._target, why)
        permitted = [str(one) for one in self._owner.destinations.entries]
        self._answer(answers.refusal(f"{self._target} {why}", self._owner.profile, permitted))

    def _answer(self, answer: bytes) -> None:
        """Say the last word, and end."""
        why = answers.summary(answer)
        self._let_go(why)
        try:
            if not self._client.pending:
                self._client.put(answer)
            self._client.shut()
        except OSError:
            self.end(why)
            return
        self._leave()

    def _leave(self) -> None:
        """Read what the client still says, so that what it was told is not lost: closing would reset."""
        self._move(State.LEAVING)
        self._rubbish, self._left = 0, self._since
        self._loop.watch(self._client.socket.fileno(), READ, self._ignore)

    def _ignore(self, _: int) -> None:
        try:
            count = len(self._client.socket.recv(requests.MOST_BYTES))
        except BlockingIOError:
            return
        except OSError:
            count = 0
        self._rubbish += count
        now = time.monotonic()
        if not count or self._rubbish > _RUBBISH_BYTES or now - self._left > _RUBBISH_SECONDS:
            self.end("")
            return
        self._since = now  # it gets on

    def _let_go(self, why: str) -> None:
        """Close everything but the client's end, and report the end of what was recorded."""
        if self._lookup is not None:
            self._lookup.stop()
        if self._relay is not None:
            self._relay.stop()
        self._loop.ignore(self._client.socket.fileno())
        if self._far is not None:
            self._close(self._far)
        if self._began:
            self._owner.tell("ended", {
                "connection": self.number, "address": self._address if self._relay is not None else "",
                "sent": self._far.written if self._far is not None else 0,
                "received": self._client.written if self._relay is not None else 0,
                "seconds": round(time.monotonic() - self._began, 3), "why": why[:300],
            })  # fmt: skip
            self._began = 0.0
        self._far = None

    def _close(self, end: End) -> None:
        self._loop.ignore(end.socket.fileno())
        end.socket.close()

    def _move(self, state: State) -> None:
        assert state in _FOLLOWS[self._state], (self._state, state)
        self._state, self._since = state, time.monotonic()

    @property
    def _patience_seconds(self) -> float:
        if self._is_held_back:
            return State.HEARING.value
        is_left = self._state is State.PASSING and self._relay is not None and self._relay.is_left
        return _LEFT_SECONDS if is_left else self._state.value

    @property
    def _is_held_back(self) -> bool:
        return isinstance(self._outgoing, Greeting) and self._outgoing.is_waiting

    @property
    def _asked(self) -> requests.Request:
        assert self._request is not None
        return self._request

    @property
    def _target(self) -> Target:
        return self._asked.target


def _written(packed: bytes) -> tuple[int, str]:
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return family, socket.inet_ntop(family, packed)


def _literal(far: socket.socket, port: int) -> Target:
    return Target(far.getpeername()[0], port, far.family)


def _has_peer(far: socket.socket) -> bool:
    try:
        far.getpeername()
    except OSError:
        return False
    return True
