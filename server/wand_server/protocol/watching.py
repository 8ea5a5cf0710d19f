"""Resources that are looked at again and again, for clients that want to hear when they change."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any

from wand_proto.errors import Exhausted, Invalid, NotFound, WandError
from wand_server.model import Principal, ResourceState
from wand_server.offers import Resources
from wand_server.protocol.methods import Visit, call_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two looks at a resource
CEILING = 512  # resources that are watched at once
OF_ONE_CEILING = 64
Changed = Callable[[], Awaitable[None]]


class Watcher:
    """Looks at resources: so many at once, and as the principal who wants to hear of them."""

    def __init__(self, resources: Resources, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._resources = resources
        self._look_seconds = look_seconds
        self._watched: Counter[tuple[str, str, str]] = Counter()

    async def look(self, uri: str, visit: Visit) -> ResourceState:
        """How it is now.

        Raises:
            WandError: there is no such resource, it cannot be read or watched, or too many are.
        """
        if not self._has_room(visit.principal):
            message = f"{OF_ONE_CEILING} resources are watched for this principal, which is the most"
            raise Exhausted(message, hint="watch fewer at once")
        return await self._state(uri, visit)

    async def watch(self, uri: str, visit: Visit, seen: ResourceState, changed: Changed) -> None:
        """Tell of each change until there can be none any more; what is gone has changed a last time."""
        with self._counted(visit.principal):
            try:
                await self._watch(uri, visit, seen, changed)
            except Exception:  # the top of this task: its client has left, or there is a defect
                log.warning("watched no longer", extra={"principal": visit.principal.name}, exc_info=True)

    async def _watch(self, uri: str, visit: Visit, seen: ResourceState, changed: Changed) -> None:
        while not seen.final:
            await asyncio.sleep(self._look_seconds)
            now = await self._look_again(uri, visit, seen)
            if now.mark != seen.mark:
                await changed()
            seen = now

    async def _look_again(self, uri: str, visit: Visit, seen: ResourceState) -> ResourceState:
        try:
            return await self._state(uri, visit)
        except (NotFound, Invalid):  # Invalid, where there is now a folder, say
            return ResourceState(mark="gone", final=True)
        except WandError:
            return seen  # the host agent may be back soon

    async def _state(self, uri: str, visit: Visit) -> ResourceState:
        return await self._resources.state(uri, call_of(visit._replace(progress=None)))

    def _has_room(self, principal: Principal) -> bool:
        return self._watched[principal.identity] < OF_ONE_CEILING and self._watched.total() < CEILING

    @contextlib.contextmanager
    def _counted(self, principal: Principal) -> Iterator[None]:
        self._watched[principal.identity] += 1
        try:
            yield
        finally:
            self._watched[principal.identity] -= 1
            self._watched += Counter()  # without those that watch nothing any more


class Watches:
    """What one client of the handshake era watches, until it says otherwise or leaves."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, uri: str, watch: Coroutine[Any, Any, None]) -> None:
        """Watch it; anew where it is watched already."""
        self.end(uri)
        task = self._tasks[uri] = asyncio.create_task(watch)
        task.add_done_callback(lambda done: self._ended(uri, done))

    def end(self, uri: str) -> None:
        """Watch it no more."""
        if task := self._tasks.pop(uri, None):
            task.cancel()

    def end_all(self) -> None:
        """Watch nothing any more."""
        for uri in list(self._tasks):
            self.end(uri)

    async def close(self) -> None:
        """The same; nothing looks any more when this returns."""
        tasks = list(self._tasks.values())
        self.end_all()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, uri: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(uri) is done:
            del self._tasks[uri]


WATCHES: ContextVar[Watches] = ContextVar("WATCHES")
"""Those of the client whose request is being answered, in the handshake era."""
