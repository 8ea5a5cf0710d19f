"""A pipe's messages in the shape that the SDK's loop reads and writes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import (
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)

from wand_server.model import Principal
from wand_server.protocol import messages
from wand_server.protocol.failures import MessageId
from wand_server.protocol.messages import Message, Notification, Request, Response

Send = Callable[[bytes, MessageId], Awaitable[None]]
"""Send one message, a line without its end; with it the id of the request that it answers, if it does."""


class _Closing:
    """What both directions share: entering and leaving does nothing, the transport owns the socket."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Nothing: the transport closes what it opened."""


class MessagesIn(_Closing):
    """Messages from a client, each with who sent it."""

    def __init__(self, incoming: AsyncIterator[Message], principal: Principal) -> None:
        self._messages = incoming
        self._metadata = ServerMessageMetadata(request_context=principal)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return SessionMessage(_for_sdk(await anext(self._messages)), metadata=self._metadata)

    async def receive(self) -> SessionMessage | Exception:
        return await anext(self)


class MessagesOut(_Closing):
    """Messages to a client."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_greeted = False

    def greet(self) -> None:
        """Note that the client has shaken hands: notifications may be sent to it."""
        self._is_greeted = True

    async def notify(self, message: dict[str, Any]) -> None:
        """Send a notification, to a client that has shaken hands.

        Raises:
            ConnectionError: the client is gone, or was.
        """
        if self._is_greeted:
            await self._send(messages.write(message), None)

    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        answered = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
        line = message.model_dump_json(by_alias=True, exclude_unset=True).encode()
        try:
            await self._send(line, answered)
        except ConnectionError as gone:
            raise anyio.BrokenResourceError from gone  # what the SDK's loop takes for a client that left


def _for_sdk(
    message: Message,
) -> JSONRPCRequest | JSONRPCNotification | JSONRPCResponse | JSONRPCError:
    # Params are left unset where there are none: an explicit null would go out as "params": null.
    params = {} if isinstance(message, Response) or message.params is None else {"params": message.params}
    match message:
        case Request():
            return JSONRPCRequest(jsonrpc="2.0", id=message.id, method=message.method, **params)
        case Notification():
            return JSONRPCNotification(jsonrpc="2.0", method=message.method, **params)
        case Response():
            return jsonrpc_message_adapter.validate_python(message.body, by_name=False)
