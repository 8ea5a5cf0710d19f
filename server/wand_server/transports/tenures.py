"""How long what a sign-in has opened may go on: calls until it is taken back, streams until it expires."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wand_server.model import Principal

log = logging.getLogger(__name__)

IsOver = Callable[[Principal], Awaitable[bool]]
"""Whether what a principal signed in by was taken back."""


@dataclass(frozen=True, slots=True, eq=False)
class Tenure:
    """Something that is open under a sign-in; `end` closes it, and may be called more than once."""

    principal: Principal
    end: Callable[[], object]
    is_stream: bool


class Tenures:
    """Everything that is open."""

    def __init__(self, is_over: IsOver) -> None:
        self._is_over = is_over
        self._open: set[Tenure] = set()

    @contextmanager
    def call(self, principal: Principal, end: Callable[[], object]) -> Iterator[None]:
        """While entered, have it ended when the key is removed; a call may outlive its token."""
        yield from self._while(Tenure(principal, end, is_stream=False))

    @contextmanager
    def stream(self, principal: Principal, end: Callable[[], object]) -> Iterator[None]:
        """While entered, have it ended when the key or the token counts no more; its client can come back."""
        yield from self._while(Tenure(principal, end, is_stream=True))

    async def stands(self, principal: Principal) -> bool:
        """Whether a stream of that sign-in may go on."""
        has_expired = principal.expires is not None and principal.expires <= time.time()
        return not has_expired and not await self._is_over(principal)

    async def look(self) -> None:
        """End what must not go on."""
        for tenure in [one for one in list(self._open) if await self._must_end(one)]:
            log.warning("ended with its sign-in", extra={"principal": tenure.principal.name})
            tenure.end()

    async def _must_end(self, tenure: Tenure) -> bool:
        if tenure.is_stream:
            return not await self.stands(tenure.principal)
        return await self._is_over(tenure.principal)

    def _while(self, tenure: Tenure) -> Iterator[None]:
        self._open.add(tenure)
        try:
            yield
        finally:
            self._open.discard(tenure)
