"""From which address a request comes, and whom a proxy in front says that it has signed in."""

from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from wand_server import forwarded
from wand_server.forwarded import Network
from wand_server.issuer import people
from wand_server.issuer.model import Untrusted, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """The proxies that are believed, by their addresses; where `user_header` is set, they sign people in."""

    trusted: Collection[Network] = ()
    user_header: str = ""
    groups_header: str = ""

    def address(self, request: web.BaseRequest) -> str:
        """Where a request comes from: through trusted proxies, as far as they go."""
        lines = request.headers.getall(forwarded.HEADER, [])
        return forwarded.origin(request.remote or "", lines, self.trusted)

    def user(self, request: web.BaseRequest) -> User:
        """The person whom a proxy has signed in.

        Raises:
            Untrusted: the request comes from elsewhere, or nobody is named, or more than one.
        """
        if not forwarded.is_in(request.remote or "", self.trusted):
            raise Untrusted(
                "People sign in at the proxy in front of this server, and there alone.", status=403
            )
        names = request.headers.getall(self.user_header, [])
        if len(names) != 1 or not people.is_name(names[0]):
            raise Untrusted(
                f"The proxy in front of this server names nobody in {self.user_header}.", status=403
            )
        return User(name=names[0], groups=self._groups(request))

    def _groups(self, request: web.BaseRequest) -> tuple[str, ...]:
        told = request.headers.getall(self.groups_header, []) if self.groups_header else []
        groups = [word.strip() for line in told for word in line.split(",")]
        return tuple(group for group in groups if people.is_name(group))[: people.MOST_GROUPS]
