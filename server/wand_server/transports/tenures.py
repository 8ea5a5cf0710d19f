"""How long what a sign-in has opened may go on: calls until it is taken back, streams until it expires."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wand_server.model import Principal

log = logging.getLogger(__name__)

IsOver = Callable[[Principal], bool]
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

    def look(self) -> None:
        """End what must not go on."""
        now = time.time()
        for tenure in [one for one in self._open if self._must_end(one, now)]:
            log.warning("ended with its sign-in", extra={"principal": tenure.principal.name})
            tenure.end()

    def _must_end(self, tenure: Tenure, now: float) -> bool:
        expires = tenure.principal.expires
        has_expired = tenure.is_stream and expires is not None and expires <= now
        return has_expired or self._is_over(tenure.principal)

    def _while(self, tenure: Tenure) -> Iterator[None]:
        self._open.add(tenure)
        try:
            yield
        finally:
            self._open.discard(tenure)
