"""One request on its way through the SDK: who asks, and the way back for what comes before the answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import MessageMetadata, ServerMessageMetadata
from mcp.shared.transport_context import TransportContext

from wand_server.model import Principal
from wand_server.protocol.messages import Notification, Request, meta

Notify = Callable[[dict[str, Any]], Awaitable[None]]
"""Send one JSON-RPC notification to the client, on the stream that belongs to the request."""

_TRANSPORT = TransportContext(kind="streamable-http", can_send_request=False)


def progress_token(params: dict[str, Any] | None) -> str | int | None:
    """The token under which a client wants to hear of progress."""
    token = meta(params).get("progressToken")
    return token if isinstance(token, str | int) and not isinstance(token, bool) else None


class Exchange:
    """The SDK's `DispatchContext` for a message that came by HTTP; silent once `closed`."""

    __slots__ = ("_cancel_requested", "_notify", "_token", "closed", "message_metadata", "request_id")

    can_send_request = False
    transport = _TRANSPORT

    def __init__(self, principal: Principal, message: Request | Notification, notify: Notify) -> None:
        self.request_id = message.id if isinstance(message, Request) else None
        self.message_metadata: MessageMetadata = ServerMessageMetadata(request_context=principal)
        self.closed = False
        self._notify = notify
        self._token = progress_token(message.params)
        self._cancel_requested: anyio.Event | None = None

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: a cancelled call is a cancelled task."""
        if self._cancel_requested is None:
            self._cancel_requested = anyio.Event()
        return self._cancel_requested

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        _ = params, opts
        raise NoBackChannelError(method)

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
        if self._token is None:
            return
        parts = {"progressToken": self._token, "progress": progress, "total": total, "message": message}
        told = {name: value for name, value in parts.items() if value is not None}
        await self.notify("notifications/progress", told)
