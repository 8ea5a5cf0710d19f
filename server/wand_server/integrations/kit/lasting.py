"""Work that a service goes on with after it has answered: it is asked until that is done, or time is up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

from wand_proto.errors import Broken, Unavailable
from wand_server.integrations.kit.answers import Resource
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.paging import found
from wand_server.integrations.kit.request import Request

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_GROWTH = 1.6

Send = Callable[[Request], Awaitable[Answered]]


class Lasting(Resource):
    """A thing that may still be in the making."""

    goes_on: str | None = None  # how to ask again, where it is not done yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """How to see whether it is done: `at` is a path with blanks that the answer fills, as `/jobs/{id}`.

    Without `at` the answer says where, in its member `link`, or else in the header `Location`. While the
    member `state` is one of `running` it goes on; without `state` it goes on while the answer is 202.
    """

    again: str  # the operation by which a caller asks again
    at: str = ""
    link: str = ""
    state: str = ""
    running: tuple[str, ...] = ()

    def is_on(self, answered: Answered) -> bool:
        """Whether it is not done yet."""
        if self.state:
            return found(answered.body, self.state) in self.running
        return answered.status == 202

    def asking(self, request: Request, answered: Answered, base_url: str) -> Request:
        """The request that asks how it stands.

        Raises:
            Broken: the answer does not say where.
        """
        if self.at:
            return Request(method="GET", path=_filled(self.at, answered.body))
        where = found(answered.body, self.link) if self.link else answered.headers.get("location")
        if not isinstance(where, str) or not where:
            raise Broken("the service does not say where to ask how it stands")
        return Request(method="GET", path=urljoin(f"{base_url.rstrip('/')}{request.path}", where))

    async def wait(
        self, first: tuple[Request, Answered], send: Send, base_url: str, deadline: float
    ) -> Answered:
        """The answer once it is done, or the last one there was in time."""
        request, answered = first
        asking = self.asking(request, answered, base_url) if self.is_on(answered) else request
        pause = _FIRST_PAUSE_SECONDS
        while self.is_on(answered) and time.monotonic() + pause < deadline:
            await asyncio.sleep(pause)
            try:
                answered = await send(asking)
            except Unavailable:  # it was begun, and whoever asked has to learn how to ask again
                break
            pause = _longer(pause)
        return answered

    def told(self, answered: Answered) -> str | None:
        """How to ask again, where it goes on."""
        return f"it is not done yet: ask by {self.again}" if self.is_on(answered) else None


def _filled(path: str, body: Any) -> str:
    names = body if isinstance(body, dict) else {}
    try:
        return path.format(**{name: quote(str(value), safe="") for name, value in names.items()})
    except KeyError as missing:
        raise Broken(f"the service's answer has no {missing} to ask by") from missing


def _longer(pause: float) -> float:
    return min(_LONGEST_PAUSE_SECONDS, pause * _GROWTH)
