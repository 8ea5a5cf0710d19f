"""Sessions of the handshake era: who may use which, what runs in them, when they end."""

import asyncio
import functools
import logging
import re
import time
import uuid
import weakref
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from wand_proto.alarms import Alarms
from wand_proto.context import REQUEST_ID, new_request_id
from wand_server.model import Principal
from wand_server.protocol import failures
from wand_server.protocol.exchange import Exchange
from wand_server.protocol.failures import BUSY, CANCELLED, INVALID_REQUEST, ProtocolFailure
from wand_server.protocol.handshake import Handshake
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.messages import Notification, Request
from wand_server.transports.events import EventLog
from wand_server.transports.replies import Refused
from wand_server.transports.shares import Share
from wand_server.transports.tenures import IsOver

log = logging.getLogger(__name__)

SESSIONS_CEILING = 1000
SESSIONS_OF_ONE_CEILING = 200
CALLS_CEILING = 64  # of one session: they go on when their client hangs up
IDLE_SECONDS = 1800.0
ALONE_SECONDS = 120.0  # how long calls go on for a client that reads nothing and says nothing
_REAP_SECONDS = 30.0
_QUICK_TICK_SECONDS, _SLOW_TICK_SECONDS = 0.025, 1.0
_ENDED_STREAMS_KEPT = 16
_ENDED_BYTES_KEPT = 1024 * 1024  # of one session, for a client that comes back
_STANDALONE = "g"
NUMBER = re.compile(r"[0-9]{1,20}")  # in ASCII, and short enough for int()


class Session:
    """One client after its initialize, and what it asked for."""

    def __init__(self, session_id: str, principal: Principal, kernel: Kernel) -> None:
        self.id = session_id
        self.principal = principal
        self._loop = asyncio.get_running_loop()
        self._attached = 0  # clients that are reading one of the streams
        self.used = time.monotonic()
        self._share: Share | None = None
        self.standalone = EventLog(_STANDALONE)
        self.peer: Handshake = kernel.handshake(session_id, self.standalone.notify)
        self.end_listening: Callable[[], None] = lambda: None
        self._streams = {_STANDALONE: self.standalone}
        self._calls: dict[str | int, asyncio.Task[None]] = {}
        self._callers: dict[str | int, Principal] = {}
        self._counter = 0

    def join(self, share: Share) -> None:
        """Count in what is kept of its streams."""
        self._share = share
        self.standalone.count_in(share)

    def attach(self) -> None:
        """Note that a client begins to read one of the streams."""
        self._attached += 1

    def detach(self) -> None:
        """Note that it has stopped."""
        self._attached -= 1
        self.used = time.monotonic()

    @property
    def is_idle(self) -> bool:
        return not self._calls and not self._attached

    @property
    def is_left_alone(self) -> bool:
        """Whether calls run for a client that is not there."""
        return bool(self._calls) and not self._attached

    def cancel_calls(self) -> None:
        for call in self._calls.values():
            _cancel(call)

    async def end_over(self, is_over: IsOver) -> None:
        """Cancel what was asked for by a sign-in that was taken back, while another goes on here."""
        for message_id, principal in list(self._callers.items()):
            if await is_over(principal) and (call := self._calls.get(message_id)) is not None:
                _cancel(call)

    def stream(self, key: str) -> EventLog | None:
        return self._streams.get(key)

    def begin(self, request: Request) -> EventLog:
        """Run a request in a task of its own, because its client may hang up and come back.

        Raises:
            ProtocolFailure: a request of that id is running, or too many are.
        """
        if len(self._calls) >= CALLS_CEILING:
            busy = f"{CALLS_CEILING} requests of this session are running, which is the most at once"
            raise ProtocolFailure(BUSY, busy, request_id=request.id)
        if request.id in self._calls:
            raise ProtocolFailure(
                INVALID_REQUEST, "id: a request of that id is running", request_id=request.id
            )
        self._counter += 1
        stream = EventLog(f"{self._counter:x}", self._share)
        self._forget_old_streams()
        self._streams[stream.key] = stream
        call = self._calls[request.id] = self._loop.create_task(self._run(request, stream, self.principal))
        self._callers[request.id] = self.principal
        call.add_done_callback(lambda _: self._ended(request.id, stream))
        return stream

    async def hear(self, notification: Notification) -> None:
        """Take a notification; `cancelled` stops the call that it names."""
        if notification.method == "notifications/cancelled":
            call = self._calls.get(_named_id(notification, self._calls))
            if call is not None:
                _cancel(call)
        exchange = Exchange(self.principal, notification, self.standalone.notify)
        await self.peer.hear(notification, exchange)

    def forget(self, stream: EventLog) -> None:
        """Drop a stream that nobody can want any more."""
        self._streams.pop(stream.key, None)
        stream.count_in(None)

    async def cut(self) -> None:
        """Close it because the server stops: who reads its own stream is told to come back."""
        self.standalone.cut()
        await self.close()

    async def close(self) -> None:
        """Cancel what runs, and end every stream."""
        self.peer.asking.close()
        await self.peer.close()
        calls = list(self._calls.values())
        self.cancel_calls()
        if calls:
            await asyncio.wait(calls)
        self.end_streams()

    def end_streams(self) -> None:
        """End every stream: nothing runs any more."""
        self.end_listening()
        for stream in list(self._streams.values()):
            stream.end()
            self.forget(stream)

    async def _run(self, request: Request, stream: EventLog, principal: Principal) -> None:
        answer: dict[str, Any]
        try:
            exchange = Exchange(principal, request, stream.notify, self.peer.asking)
            answer = failures.result(request.id, await self.peer.answer(request, exchange))
        except ProtocolFailure as why:
            answer = failures.error(why, request.id)
        except Exception:
            REQUEST_ID.set(new_request_id())
            log.exception("request broke", extra={"method": request.method})
            answer = failures.error(failures.internal(REQUEST_ID.get()), request.id)
        stream.end(answer)

    def _ended(self, message_id: str | int, stream: EventLog) -> None:
        """Here, not in the task: one that is cancelled before its first step runs none of its own lines."""
        del self._calls[message_id], self._callers[message_id]
        self.used = time.monotonic()
        if not stream.is_ended:
            stream.end(failures.error(ProtocolFailure(CANCELLED, "Request cancelled"), message_id))
        if self._share is not None and stream.key in self._streams:
            self._share.note_ended(stream, functools.partial(self.forget, stream))

    def _forget_old_streams(self) -> None:
        """The newest are kept: so many, and so much of them; of one alone, whatever it is."""
        ended = [stream for stream in self._streams.values() if stream.is_ended]
        kept_bytes = sum(stream.size_bytes for stream in ended)
        for number, stream in enumerate(ended[:-1]):
            if len(ended) - number <= _ENDED_STREAMS_KEPT and kept_bytes <= _ENDED_BYTES_KEPT:
                return
            kept_bytes -= stream.size_bytes
            self.forget(stream)


class Clocks:
    """The alarms that all sessions share: those for what is answered at once, and those for long silences."""

    def __init__(self) -> None:
        self.quick = Alarms(_QUICK_TICK_SECONDS)
        self.slow = Alarms(_SLOW_TICK_SECONDS)


class Sessions:
    """All sessions, by ids that cannot be guessed."""

    def __init__(self, kernel: Kernel, clocks: Clocks) -> None:
        self.clocks = clocks
        self._kernel = kernel
        self._sessions: dict[str, Session] = {}
        self._shares = weakref.WeakValueDictionary[Hashable, Share]()  # by principal

    def fresh(self, principal: Principal) -> Session:
        """A session that is not yet kept: its initialize may fail.

        Where there are too many, the principal's own that was unused for longest makes room; its client, if
        it comes back, is told to begin again.

        Raises:
            Refused: there are too many, and each of the principal's is in use.
        """
        own = [each for each in self._sessions.values() if each.principal.identity == principal.identity]
        if len(self._sessions) >= SESSIONS_CEILING or len(own) >= SESSIONS_OF_ONE_CEILING:
            self._make_room(own)
        return Session(str(uuid.uuid4()), principal, self._kernel)

    def _make_room(self, own: Iterable[Session]) -> None:
        unused = min((each for each in own if each.is_idle), key=lambda each: each.used, default=None)
        if unused is None:
            message = "too many open sessions, all in use: end one with DELETE, or try again later"
            raise Refused(503, message, code=BUSY, headers={"Retry-After": "60"})
        log.info("session ended, room needed", extra={"principal": unused.principal.name})
        del self._sessions[unused.id]
        unused.peer.leave()
        unused.end_streams()

    def keep(self, session: Session) -> None:
        session.end_listening = self._kernel.listen(session.standalone.notify)
        self._sessions[session.id] = session
        session.join(self._shares.setdefault(session.principal.identity, Share()))

    def find(self, session_id: str | None, principal: Principal) -> Session:
        """The session of that id, if it is this principal's.

        Raises:
            Refused: no id came, or there is no such session, or it is somebody else's.
        """
        if session_id is None:
            raise Refused(400, "the header Mcp-Session-Id is missing: begin with initialize")
        session = self._sessions.get(session_id)
        if session is None or not _is_same_party(session.principal, principal):
            raise Refused(404, "there is no such session: begin again with initialize")
        session.used = time.monotonic()
        session.principal = principal  # with what this sign-in grants, which may be another than before
        return session

    async def end(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        await session.close()

    async def reap(self) -> None:
        """For ever: end the sessions that nobody has used for long, and calls whose client stays away."""
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            try:
                self.cancel_left_alone(ALONE_SECONDS)
                await self.end_idle(IDLE_SECONDS)
            except Exception:
                log.exception("sessions not looked through")

    def cancel_left_alone(self, seconds: float) -> None:
        """Cancel the calls of clients that hung up so long ago: they could have come back."""
        old = time.monotonic() - seconds
        for session in self._sessions.values():
            if session.is_left_alone and session.used <= old:
                log.info("calls cancelled, their client is gone", extra={"principal": session.principal.name})
                session.cancel_calls()

    async def end_idle(self, seconds: float) -> None:
        """End the sessions that nobody has used for so long."""
        old = time.monotonic() - seconds
        for session in list(self._sessions.values()):
            if not session.is_idle or session.used > old:  # now: the one before may have taken a while
                continue
            log.info("session ended, unused", extra={"principal": session.principal.name})
            await self.end(session)

    async def end_over(self, is_over: IsOver) -> None:
        """End the sessions whose last sign-in was taken back, and calls by one that was.

        A token that has expired is none of them.
        """
        for session in list(self._sessions.values()):
            await session.end_over(is_over)
        for session in [one for one in list(self._sessions.values()) if await is_over(one.principal)]:
            log.warning("session ended with its sign-in", extra={"principal": session.principal.name})
            await self.end(session)

    async def close(self) -> None:
        """End them all because the server stops."""
        sessions, self._sessions = self._sessions, {}
        await asyncio.gather(*(session.cut() for session in sessions.values()))


def _cancel(call: asyncio.Task[None]) -> None:
    """Once: a second time would cut short what ends the command."""
    if not call.cancelling():
        call.cancel()


def _is_same_party(one: Principal, other: Principal) -> bool:
    return one is other or one.identity == other.identity  # a key is the same object each time


def _named_id(notification: Notification, running: dict[str | int, asyncio.Task[None]]) -> str | int:
    """The id that a `cancelled` names; some clients write a number as a string."""
    untrusted: Any = (notification.params or {}).get("requestId")
    if type(untrusted) is int:
        return untrusted
    if type(untrusted) is not str:  # True would be 1
        return ""
    is_number = untrusted not in running and NUMBER.fullmatch(untrusted)
    return int(untrusted) if is_number else untrusted
