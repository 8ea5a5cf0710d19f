"""What signing in may see of a request, and what a way of signing in is."""

from typing import NamedTuple, Protocol

from wand_proto.errors import Unauthenticated
from wand_server.model import Principal


class Headers(Protocol):
    """The headers of a request, every line of each."""

    def getall(self, name: str, default: list[str]) -> list[str]: ...


class Asked(NamedTuple):
    """A request that wants in; a tuple with names, for every call makes one."""

    headers: Headers
    peer: str = ""  # the address at the other end of the connection
    method: str = "POST"
    path: str = "/mcp"
    is_secure: bool = False  # whether TLS ends here
    certificate: bytes | None = None  # that the client has proven to be its own, as DER

    @property
    def url(self) -> str:
        """Where the client wanted to go, by the connection and its Host header."""
        host = next(iter(self.headers.getall("Host", [])), "")
        return f"{'https' if self.is_secure else 'http'}://{host}{self.path.partition('?')[0]}"


class Presented(NamedTuple):
    """What stood in Authorization: its scheme in lower case, and the token after it."""

    scheme: str
    token: str


class SignIn(Protocol):
    """One way of signing in by a token."""

    async def principal(self, presented: Presented, asked: Asked) -> Principal | None:
        """Who brings that token; None where it is of another kind.

        Raises:
            Unauthenticated: it is of this kind, and no good.
            Unavailable: nobody can say now.
        """
        ...

    async def is_over(self, principal: Principal) -> bool:
        """Whether what this principal signed in by, in this way, counts no more."""
        ...


class BadToken(Unauthenticated):
    """A token that does not let anybody in; `reason` is the challenge's word for it (RFC 6750, 3.1)."""

    reason = "invalid_token"


class TooLate(BadToken):
    """A token that was good: it has expired, or was taken back. Whoever brings it has guessed nothing."""
