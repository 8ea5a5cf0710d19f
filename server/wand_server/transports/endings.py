"""How a request ends whose sign-in was taken back: refused while nothing is answered yet, else hung up on."""

import asyncio

from aiohttp import web


def hang_up(request: web.BaseRequest) -> None:
    """Close the connection: what it asked for is cancelled with it."""
    if request.transport is not None:
        request.transport.close()


class Ending:
    """Called, it ends the request whose handler made it; called again, it closes the connection."""

    __slots__ = ("_request", "_task", "_was_called")

    def __init__(self, request: web.BaseRequest, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._task = asyncio.current_task(loop)  # to ask for the loop first costs twice as much
        self._was_called = False

    def __call__(self) -> None:
        if self._was_called or self._task is None or self._has_begun():
            hang_up(self._request)
            return
        self._was_called = True
        self._task.cancel()

    def can_be_told(self) -> bool:
        """Whether it was this alone that cancelled the handler, which then may still answer."""
        if not self._was_called or self._task is None or self._task.uncancel():
            return False
        if self._has_begun():
            hang_up(self._request)
            return False
        return True

    def _has_begun(self) -> bool:
        return self._request.writer.output_size > 0
