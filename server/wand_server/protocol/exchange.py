"""One request on its way through the SDK: who asks, and the way back for what comes before the answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import MessageMetadata, ServerMessageMetadata
from mcp.shared.transport_context import TransportContext

from wand_server.model import Principal
from wand_server.protocol.asking import Asking
from wand_server.protocol.messages import Notification, Request, meta

Notify = Callable[[dict[str, Any]], Awaitable[None]]
"""Send one JSON-RPC notification to the client, on the stream that belongs to the request."""

_ONE_WAY = TransportContext(kind="streamable-http", can_send_request=False)
_BOTH_WAYS = TransportContext(kind="streamable-http", can_send_request=True)


def progress_token(params: dict[str, Any] | None) -> str | int | None:
    """The token under which a client wants to hear of progress."""
    token = meta(params).get("progressToken")
    return token if type(token) is int or type(token) is str else None


class Exchange:
    """The SDK's `DispatchContext` for a message that came by HTTP; silent once `closed`.

    Where the client can be asked something in return, `asking` does it, on the stream of the message.
    """

    __slots__ = (
        "_asking",
        "_cancel_requested",
        "_message",
        "_notify",
        "closed",
        "principal",
    )

    def __init__(
        self,
        principal: Principal,
        message: Request | Notification,
        notify: Notify,
        asking: Asking | None = None,
    ) -> None:
        self._asking = asking
        self._message = message
        self.principal = principal
        self.closed = False
        self._notify = notify
        self._cancel_requested: anyio.Event | None = None

    @property
    def request_id(self) -> str | int | None:
        return self._message.id if isinstance(self._message, Request) else None

    @property
    def message_metadata(self) -> MessageMetadata:
        return ServerMessageMetadata(request_context=self.principal)

    @property
    def can_send_request(self) -> bool:
        return self._asking is not None and not self.closed

    @property
    def transport(self) -> TransportContext:
        return _BOTH_WAYS if self.can_send_request else _ONE_WAY

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: a cancelled call is a cancelled task."""
        if self._cancel_requested is None:
            self._cancel_requested = anyio.Event()
        return self._cancel_requested

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        if self._asking is None or self.closed:
            raise NoBackChannelError(method)
        return await self._asking.ask(self._notify, method, params, opts)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        _ = opts
        if self.closed:
            return
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = dict(params)
        await self._notify(message)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        token = progress_token(self._message.params)
        if token is None:
            return
        parts = {"progressToken": token, "progress": progress, "total": total, "message": message}
        told = {name: value for name, value in parts.items() if value is not None}
        await self.notify("notifications/progress", told)
