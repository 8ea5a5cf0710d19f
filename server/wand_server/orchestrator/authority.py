"""Under whose authority a task runs: the sign-in of who handed it out, narrowed, and looked at again."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from wand_proto.errors import Denied, Invalid
from wand_server import scopes
from wand_server.model import Principal

IsOver = Callable[[Principal], Awaitable[bool]]
"""Whether what a principal signed in by counts no more, or nobody can say whether it does."""

_HINT = "hand the task out again under a sign-in that counts"


def narrowed(principal: Principal, untrusted: Any) -> Principal:
    """The same principal with fewer scopes; without a wish, with all that it has.

    Raises:
        Invalid: it is no list of scopes.
        InsufficientScope: the principal lacks one of them.
    """
    if untrusted is None:
        return principal
    if not isinstance(untrusted, list | tuple) or not all(isinstance(one, str) for one in untrusted):
        raise Invalid('must be a list of scopes, as ["wand:read"]', field="scopes")
    wished = scopes.read(untrusted)
    if lacking := sorted(wished - principal.scopes):
        raise scopes.InsufficientScope("a task with these scopes", lacking[0], principal.scopes)
    return replace(principal, scopes=wished)


async def check(principal: Principal, is_over: IsOver) -> None:
    """Go on where that sign-in still counts.

    Raises:
        Denied: it has expired, was taken back, or nobody can say.
    """
    if principal.expires is not None and principal.expires <= time.time():
        raise Denied(f"the sign-in of {principal.name} has expired", hint=_HINT)
    if await is_over(principal):
        raise Denied(f"the sign-in of {principal.name} was taken back", hint=_HINT)
