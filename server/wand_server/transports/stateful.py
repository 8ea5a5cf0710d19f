"""Streamable HTTP of 2025-03-26 to 2025-11-25: sessions, and streams that a client can come back to."""

import asyncio
import functools
from collections.abc import Awaitable

from aiohttp import web
from multidict import istr

from wand_server.model import Principal
from wand_server.protocol import failures
from wand_server.protocol.exchange import Exchange
from wand_server.protocol.messages import Message, Notification, Request
from wand_server.transports import replies
from wand_server.transports.events import EventLog
from wand_server.transports.replies import Refused
from wand_server.transports.sessions import NUMBER, Clocks, Session, Sessions

SESSION_HEADER = istr("Mcp-Session-Id")
_QUICK_SECONDS = 0.05  # a call that ends so soon, without a word before, is answered as JSON


async def post(
    sessions: Sessions, request: web.BaseRequest, message: Message, principal: Principal
) -> web.StreamResponse:
    """Answer one POST of the handshake era.

    Raises:
        ProtocolFailure: the answer is an error.
        Refused: there is no such session, or no room for another.
    """
    if isinstance(message, Request) and message.method == "initialize":
        return await _initialize(sessions, message, principal)
    session = sessions.find(request.headers.get(SESSION_HEADER), principal)
    if isinstance(message, Request):
        return await _answer(sessions.clocks, session, request, message)
    if isinstance(message, Notification):
        await session.hear(message)
    else:
        session.peer.asking.answered(message)
    return web.Response(status=202)


def get(sessions: Sessions, request: web.BaseRequest, principal: Principal) -> Awaitable[web.StreamResponse]:
    """The stream of a session, or the rest of one that broke off; to be awaited for as long as it is open.

    Raises:
        Refused: there is no such session, or no such stream in it.
    """
    session = sessions.find(request.headers.get(SESSION_HEADER), principal)
    wanted = _wanted(session, request.headers.get("Last-Event-ID"))
    return _stream(sessions.clocks, session, request, wanted)


async def delete(sessions: Sessions, request: web.BaseRequest, principal: Principal) -> web.Response:
    """End a session.

    Raises:
        Refused: there is no such session.
    """
    await sessions.end(sessions.find(request.headers.get(SESSION_HEADER), principal))
    return web.Response(status=200)


async def _initialize(sessions: Sessions, message: Request, principal: Principal) -> web.Response:
    session = sessions.fresh(principal)
    exchange = Exchange(principal, message, session.standalone.notify)
    result = await session.peer.answer(message, exchange)
    sessions.keep(session)
    return replies.as_json(failures.result(message.id, result), headers={SESSION_HEADER: session.id})


async def _answer(
    clocks: Clocks, session: Session, request: web.BaseRequest, message: Request
) -> web.StreamResponse:
    stream = session.begin(message)
    await asyncio.sleep(0)  # what waits for nothing has ended then
    await stream.wait(clocks.quick, _QUICK_SECONDS)
    body = stream.only()
    if body is None:
        return await _stream(clocks, session, request, (stream, 0))
    session.forget(stream)
    return replies.Whole(body, {SESSION_HEADER: session.id})


def _wanted(session: Session, last_event_id: str | None) -> tuple[EventLog, int]:
    if last_event_id is None:
        stream = session.standalone
        return stream, stream.last if stream.readers else 0
    key, _, number = last_event_id.rpartition("_")
    found = session.stream(key)
    if found is None or not NUMBER.fullmatch(number):
        raise Refused(400, "Last-Event-ID: names no stream of this session")
    return found, int(number)


async def _stream(
    clocks: Clocks, session: Session, request: web.BaseRequest, wanted: tuple[EventLog, int]
) -> web.StreamResponse:
    stream, after = wanted
    response = await replies.begin_stream(request, {SESSION_HEADER: session.id})
    write = functools.partial(replies.write, request, response)
    session.attach()
    try:
        if session.peer.is_resumable:
            await write(stream.follow_up(after))
        await stream.deliver(clocks.slow, write, after)
        await replies.end_stream(request, response)
    except ConnectionError:
        pass  # the client hung up; it may come back for the rest
    finally:
        session.detach()
    return response
