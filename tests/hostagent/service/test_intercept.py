"""Who is admitted, and as what a failure leaves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Never

import grpc
import pytest
from grpc import aio

from support import certificates
from wand_hostagent.service.intercept import Doorkeeper, caller
from wand_proto import errors
from wand_proto.context import REQUEST_ID, Caller, to_metadata

SERVER = "spiffe://wand.internal/server/here"
ASKING = Caller(principal="ada", request_id="0123456789abcdef", client="inspector 1", agent="é", model="m")
ASKED = to_metadata(ASKING)
ADMITTED = {
    "ssl_tls_version": [b"TLSv1.3"],
    "peer_uri": [SERVER.encode()],
    "x509_pem_cert": [certificates.pem(days=1)],
}


class Visit:
    """A call as gRPC shows it to the interceptor; remembers what was written and how it was ended."""

    def __init__(self, auth: dict[str, list[bytes]] = ADMITTED, metadata: Any = ASKED) -> None:
        self._auth, self._metadata = auth, metadata
        self.written: list[Any] = []
        self.refused: errors.WandError | None = None
        self.room = asyncio.Event()
        self.room.set()
        self.writing = asyncio.Event()

    def auth_context(self) -> dict[str, list[bytes]]:
        return self._auth

    def invocation_metadata(self) -> Any:
        return self._metadata

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    async def write(self, message: Any) -> None:
        self.written.append(message)
        self.writing.set()
        await self.room.wait()

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: Any) -> Never:
        assert isinstance(code, grpc.StatusCode)
        self.refused = errors.from_wire(code.name, details, trailing_metadata)
        raise aio.AbortError


async def serve(handler: Any, visit: Visit, keeper: Doorkeeper | None = None) -> Any:
    """The answer that the handler gives behind the interceptor; None where the call was aborted."""

    async def continuation(_: grpc.HandlerCallDetails) -> Any:
        return handler

    details: Any = type("Details", (), {"method": "/x/Y", "invocation_metadata": ()})()
    wrapped = await (keeper or Doorkeeper([SERVER])).intercept_service(continuation, details)
    behaviour: Callable[[Any, Any], Awaitable[Any]] = wrapped.unary_unary or wrapped.unary_stream
    try:
        return await behaviour("request", visit)
    except aio.AbortError:
        return None


def unary(answer: Callable[[], Any]) -> Any:
    async def behaviour(request: Any, context: Any) -> Any:
        return answer()

    return grpc.unary_unary_rpc_method_handler(behaviour)


def raising(error: Exception) -> Any:
    def answer() -> Never:
        raise error

    return unary(answer)


async def test_a_handler_learns_who_asks_and_by_which_peer() -> None:
    got, request_id = await serve(unary(lambda: (caller(), REQUEST_ID.get())), Visit())

    assert (got.principal, got.client, got.peer) == ("ada", "inspector 1", SERVER)
    assert request_id == ASKING.request_id


async def test_a_call_that_was_served_leaves_one_line_with_its_method(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    await serve(unary(lambda: "private"), Visit())

    (line,) = [vars(record) for record in caplog.records if record.message == "call served"]
    assert (line["method"], line["ended"]) == ("/x/Y", "ok")
    assert "private" not in str(line)


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ({}, errors.Unauthenticated),
        (ADMITTED | {"x509_pem_cert": [b"?"]}, errors.Unauthenticated),
        (ADMITTED | {"x509_pem_cert": [certificates.pem(days=-1)]}, errors.Unauthenticated),
        (ADMITTED | {"ssl_tls_version": [b"TLSv1.2"]}, errors.Unauthenticated),
        (ADMITTED | {"peer_uri": []}, errors.Unauthenticated),
        (ADMITTED | {"peer_uri": [SERVER.encode()] * 2}, errors.Unauthenticated),
        (ADMITTED | {"peer_uri": [SERVER.encode() + b"2"]}, errors.Denied),
        (ADMITTED | {"peer_uri": [b"spiffe://wand.internal/hostagent/here"]}, errors.Denied),
    ],
)
async def test_a_peer_that_is_not_accepted_reaches_no_handler_and_is_logged(
    auth: dict[str, list[bytes]], kind: type[errors.WandError], caplog: pytest.LogCaptureFixture
) -> None:
    visit, told = Visit(auth), list[Any]()
    keeper = Doorkeeper([SERVER], told.append)

    assert await serve(unary(lambda: pytest.fail("the handler ran")), visit, keeper) is None

    assert type(visit.refused) is kind
    assert [one["address"] for one in told] == ["ipv4:127.0.0.1:1"]
    refusals = [record for record in caplog.records if record.message == "peer refused"]
    assert [record.__dict__["address"] for record in refusals] == ["ipv4:127.0.0.1:1"]


async def test_a_call_without_a_caller_is_refused_by_the_missing_key() -> None:
    visit = Visit(metadata=())

    await serve(unary(lambda: pytest.fail("the handler ran")), visit)

    assert isinstance(visit.refused, errors.Invalid)
    assert visit.refused.field == "wand-principal-bin"


@pytest.mark.parametrize("kind", errors.FAMILY.values())
async def test_an_error_of_the_family_leaves_as_itself(kind: type[errors.WandError]) -> None:
    visit = Visit()

    await serve(raising(kind("no", hint="ask", field="argv")), visit)

    assert type(visit.refused) is kind
    assert (visit.refused.message, visit.refused.hint, visit.refused.field) == ("no", "ask", "argv")


async def test_a_defect_is_logged_and_tells_the_caller_nothing(caplog: pytest.LogCaptureFixture) -> None:
    visit = Visit()

    await serve(raising(ValueError("the key is hunter2")), visit)

    assert isinstance(visit.refused, errors.Broken)
    assert "hunter2" not in str(visit.refused)
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info


async def test_one_message_is_in_flight_and_a_cancelled_stream_is_closed_at_once() -> None:
    closed, made = asyncio.Event(), []

    async def behaviour(request: Any, context: Any) -> AsyncIterator[int]:
        try:
            for number in range(10):
                made.append(number)
                yield number
        finally:
            closed.set()

    visit, keeper = Visit(), Doorkeeper([SERVER])
    visit.room.clear()
    call = asyncio.create_task(serve(grpc.unary_stream_rpc_method_handler(behaviour), visit, keeper))
    async with asyncio.timeout(60):
        await visit.writing.wait()
        assert not await keeper.everybody_out(0)
        call.cancel()
        assert await keeper.everybody_out(5)

    assert made == [0]
    assert closed.is_set()
    assert call.cancelled()


async def test_a_stream_that_fails_in_the_middle_leaves_as_its_error() -> None:
    async def behaviour(request: Any, context: Any) -> AsyncIterator[int]:
        yield 1
        raise errors.Exhausted("the disk is full")

    visit = Visit()

    await serve(grpc.unary_stream_rpc_method_handler(behaviour), visit)

    assert visit.written == [1]
    assert isinstance(visit.refused, errors.Exhausted)
