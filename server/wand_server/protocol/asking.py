"""Requests of ours to a client of the handshake era, which answers them by a message of its own."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError

from wand_server.protocol.failures import BUSY, CANCELLED, INVALID_REQUEST
from wand_server.protocol.messages import Response

Send = Callable[[dict[str, Any]], Awaitable[None]]
"""Send one message to the client."""

ANSWER_SECONDS = 600.0  # a person may have to think
UNANSWERED_CEILING = 32  # of one client, at once


class Asking:
    """What one client has been asked and has not answered yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    async def ask(
        self, send: Send, method: str, params: Mapping[str, Any] | None, options: CallOptions | None
    ) -> dict[str, Any]:
        """Ask, and wait for the result; a question that is given up is taken back.

        Raises:
            MCPError: the client answered with an error, or not in time, or left.
        """
        if len(self._waiting) >= UNANSWERED_CEILING:
            raise MCPError(BUSY, f"{UNANSWERED_CEILING} questions to this client are open, which is the most")
        number = f"wand-{next(self._numbers)}"
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        options = options or {}
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params or {})}
        try:
            async with asyncio.timeout(options.get("timeout", ANSWER_SECONDS)):
                await send(question)
                result: dict[str, Any] = await answer
                return result
        except TimeoutError as late:
            await self._take_back(send, number, options)
            raise MCPError(CANCELLED, f"the client did not answer {method} in time") from late
        except asyncio.CancelledError:
            await self._take_back(send, number, options)
            raise
        finally:
            del self._waiting[number]

    def answered(self, response: Response) -> None:
        """Give an answer to whoever waits for it; one that nobody waits for is dropped."""
        answer = self._waiting.get(response.id) if isinstance(response.id, str) else None
        if answer is None or answer.done():
            return
        if "error" in response.body:
            answer.set_exception(_error(response.body["error"]))
        elif isinstance(result := response.body.get("result"), dict):
            answer.set_result(result)
        else:
            answer.set_exception(MCPError(INVALID_REQUEST, "the client's result is no object"))

    def close(self) -> None:
        """Nobody will answer any more."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(MCPError(CANCELLED, "the client has left"))

    async def _take_back(self, send: Send, number: str, options: CallOptions) -> None:
        if not options.get("cancel_on_abandon", True):
            return
        told = {"requestId": number, "reason": "nobody waits for it any more"}
        with contextlib.suppress(ConnectionError):
            await send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": told})


def _error(untrusted: Any) -> MCPError:
    found = untrusted if isinstance(untrusted, dict) else {}
    code, message = found.get("code"), str(found.get("message", ""))[:1000]
    return MCPError(code if isinstance(code, int) else INVALID_REQUEST, message, found.get("data"))
