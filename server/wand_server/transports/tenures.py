"""How long what a sign-in has opened may go on: calls until it is taken back, streams until it expires."""

import logging
import time
from collections.abc import Awaitable, Callable

from wand_server.model import Principal

log = logging.getLogger(__name__)

IsOver = Callable[[Principal], Awaitable[bool]]
"""Whether what a principal signed in by was taken back."""


class Tenure:
    """Something that is open under a sign-in while entered; `end` closes it, more than once if need be.

    Plain, for every call makes one: a generator's context manager costs ten times as much.
    """

    __slots__ = ("_all", "end", "is_stream", "principal")

    def __init__(
        self, every: set["Tenure"], principal: Principal, end: Callable[[], object], *, is_stream: bool
    ) -> None:
        self._all = every
        self.principal = principal
        self.end = end
        self.is_stream = is_stream

    def __enter__(self) -> None:
        self._all.add(self)

    def __exit__(self, *_: object) -> None:
        self._all.discard(self)


class Tenures:
    """Everything that is open."""

    def __init__(self, is_over: IsOver) -> None:
        self._is_over = is_over
        self._open: set[Tenure] = set()

    def call(self, principal: Principal, end: Callable[[], object]) -> Tenure:
        """While entered, have it ended when the key is removed; a call may outlive its token."""
        return Tenure(self._open, principal, end, is_stream=False)

    def stream(self, principal: Principal, end: Callable[[], object]) -> Tenure:
        """While entered, have it ended when the key or the token counts no more; its client can come back."""
        return Tenure(self._open, principal, end, is_stream=True)

    async def stands(self, principal: Principal) -> bool:
        """Whether a stream of that sign-in may go on."""
        has_expired = principal.expires is not None and principal.expires <= time.time()
        return not has_expired and not await self._is_over(principal)

    async def look(self) -> None:
        """End what must not go on."""
        for tenure in [one for one in list(self._open) if await self._must_end(one)]:
            if tenure not in self._open:
                continue  # it was over before all had been looked at; its connection may serve another
            log.warning("ended with its sign-in", extra={"principal": tenure.principal.name})
            tenure.end()

    async def _must_end(self, tenure: Tenure) -> bool:
        if tenure.is_stream:
            return not await self.stands(tenure.principal)
        return await self._is_over(tenure.principal)
