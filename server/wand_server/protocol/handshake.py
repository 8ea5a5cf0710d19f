"""One client of the handshake era: what it said in initialize, and the ways to it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mcp.server.connection import Connection
from mcp.server.runner import ServerRunner
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp_types.version import is_version_at_least

from wand_server.protocol.asking import Asking
from wand_server.protocol.exchange import Exchange, Notify
from wand_server.protocol.failures import ProtocolFailure
from wand_server.protocol.lane import METHOD, Lane, claim_of
from wand_server.protocol.messages import Notification, Request
from wand_server.protocol.telling import WISH, Wish
from wand_server.protocol.watching import WATCHES, Watches


class Said(NamedTuple):
    """What calls after a handshake need of it."""

    version: str
    client: str
    can_be_asked: bool  # something, of its person


class Handshake:
    """One client of the handshake era: what it said in initialize holds for all that follows."""

    __slots__ = ("_connection", "_lane", "_runner", "_said", "_watches", "_wish", "asking")

    def __init__(
        self, connection: Connection, runner: ServerRunner[Any], asking: Asking, lane: Lane | None
    ) -> None:
        self.asking = asking
        self._connection = connection
        self._runner = runner
        self._lane = lane
        self._said: Said | None = None
        self._watches = Watches()
        self._wish = Wish()

    @property
    def is_made(self) -> bool:
        return self._connection.initialize_accepted

    @property
    def is_resumable(self) -> bool:
        """Whether the client knows an event that only carries an id."""
        return is_version_at_least(self._connection.protocol_version, "2025-11-25")

    async def answer(self, request: Request, exchange: Exchange) -> dict[str, Any]:
        """The result of a request.

        Raises:
            ProtocolFailure: the answer is an error.
        """
        lane = self._lane
        said = (self._said or self._heard()) if request.method == METHOD else None
        is_told = self._wish.level is not None
        if lane and said and not is_told and lane.is_plain(request.params, can_be_asked=said.can_be_asked):
            return await lane.call(said.version, said.client, request, exchange)
        WATCHES.set(self._watches)
        WISH.set(self._wish)
        return await result_of(self._runner, exchange, request)

    def _heard(self) -> Said | None:
        """What was said, once both have; it is remembered then."""
        if self.is_made:
            client = self._connection.client_params
            can = client is not None and client.capabilities.elicitation is not None
            self._said = Said(self._connection.protocol_version, claim_of(client), can)
        return self._said

    def leave(self) -> None:
        """Its client is forgotten: nothing is watched for it, and nobody answers for it."""
        self.asking.close()
        self._watches.end_all()

    async def close(self) -> None:
        """Its client has left: nothing is watched for it any more."""
        await self._watches.close()

    async def hear(self, notification: Notification, exchange: Exchange) -> None:
        await self._runner.on_notify(exchange, notification.method, notification.params)


class Aside:
    """The way to a client outside of its requests: the stream that it keeps open for that."""

    def __init__(self, notify: Notify, asking: Asking) -> None:
        self._notify = notify
        self._asking = asking

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        return await self._asking.ask(self._notify, method, params, opts)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        _ = opts
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        await self._notify(message if params is None else {**message, "params": dict(params)})


async def result_of(runner: ServerRunner[Any], exchange: Exchange, request: Request) -> dict[str, Any]:
    """What the SDK answers to a request.

    Raises:
        ProtocolFailure: the answer is an error.
    """
    try:
        return await runner.on_request(exchange, request.method, request.params)
    except MCPError as why:
        raise ProtocolFailure(why.code, why.message, data=why.data, request_id=request.id) from why
    finally:
        exchange.closed = True
