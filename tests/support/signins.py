"""Ways of signing in that exist only in a test."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from wand_server.auth.asked import Asked, Presented
from wand_server.model import Principal


@dataclass
class Passwords:
    """Lets in whoever says the name that they want to have, with those scopes; `over` ends them.

    "ann/2" is another sign-in of ann.
    """

    granted: dict[str, Iterable[str]]
    over: set[str] = field(default_factory=set)

    async def principal(self, presented: Presented, asked: Asked) -> Principal | None:
        _ = asked
        if presented.token not in self.granted or presented.token in self.over:
            return None
        scopes = frozenset(self.granted[presented.token])
        name = presented.token.partition("/")[0]
        return Principal(name=name, means="token", scopes=scopes, credential=presented.token)

    async def is_over(self, principal: Principal) -> bool:
        return not self.over.isdisjoint({principal.name, principal.credential})
