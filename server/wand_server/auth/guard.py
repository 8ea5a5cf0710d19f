"""A request in, a Principal or a refusal out."""

import logging
from collections.abc import Sequence

from multidict import istr

from wand_proto.errors import Unauthenticated, Unavailable
from wand_server.auth.asked import Asked, BadToken, Headers, Presented, SignIn
from wand_server.auth.certificates import Certificates
from wand_server.auth.challenge import Challenge
from wand_server.auth.keys import Keys
from wand_server.auth.origins import Origins
from wand_server.model import Principal

log = logging.getLogger(__name__)

_HINT = "send the header Authorization: Bearer wand_..., with a key from wand-server keys add"
_OR_TOKEN = ", or with a token of the issuer to which resource_metadata in WWW-Authenticate leads"  # noqa: S105 - words for a hint
_KEY_HINT = "bring a key from wand-server keys add"
_MOST_NAMES, _MOST_CHARACTERS = 64, 256
_SCHEMES = frozenset({"bearer", "dpop"})
_HOST, _ORIGIN, _AUTHORIZATION = istr("Host"), istr("Origin"), istr("Authorization")
_NONE: list[str] = []


class Guard:
    """Decides who asks: by a key, or by another way of signing in."""

    def __init__(
        self,
        keys: Keys,
        origins: Origins,
        others: Sequence[SignIn] = (),
        challenge: Challenge | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._keys = keys
        self._ways: tuple[SignIn, ...] = (keys, *others)
        self._origins = origins
        self._ours: set[str] = set()  # values of Host that were good
        self._certificates = certificates
        self.challenge = challenge or Challenge()
        self._hint = _HINT + (_OR_TOKEN if self.challenge.resource_metadata else "")

    def known(self, headers: Headers) -> Principal | None:
        """Who asks, where a key alone says so; otherwise nobody, and `principal` has to find out.

        Raises:
            Misdirected, Denied, Unauthenticated: as there.
        """
        if self._certificates is not None:
            return None
        every = headers.getall
        self._check_place(every(_HOST, _NONE), every(_ORIGIN, _NONE))
        return self._keys.known(*_presented(every(_AUTHORIZATION, _NONE), self._hint))

    async def principal(self, asked: Asked) -> Principal:
        """Who asks.

        Raises:
            Misdirected: the request was meant for another server.
            Denied: it comes from a page that is not permitted.
            Unauthenticated: it brings no key or token, or one that is not ours.
            Unavailable: nobody can say now.
        """
        every = asked.headers.getall
        self._check_place(every(_HOST, _NONE), every(_ORIGIN, _NONE))
        if asked.certificate is not None and self._certificates is not None:
            self._certificates.check(asked.certificate)  # whatever else it brings
        authorization = every(_AUTHORIZATION, _NONE)
        if not authorization and asked.certificate is not None and self._certificates is not None:
            self._origins.check_named(every(_ORIGIN, _NONE))
            return self._certificates.principal(asked.certificate)
        return await self._admitted(_presented(authorization, self._hint), asked, self._hint)

    def _check_place(self, hosts: list[str], origins: list[str]) -> None:
        """As `Origins.check`, which is asked once for each way of writing our name."""
        if not origins and len(hosts) == 1 and hosts[0] in self._ours:
            return
        self._origins.check(hosts, origins)
        if len(self._ours) < _MOST_NAMES and len(hosts[0]) <= _MOST_CHARACTERS:
            self._ours.add(hosts[0])

    async def principal_of(self, token: str, peer: str) -> Principal:
        """Who brings that token by something that is not HTTP; one that needs a proof in a header is no good.

        Raises:
            Unauthenticated: it is empty, or not ours.
            Unavailable: nobody can say now.
        """
        if not token:
            raise Unauthenticated("nobody has signed in", hint=_KEY_HINT)
        asked = Asked(headers=_NoHeaders(), peer=peer, method="", path="")
        return await self._admitted(Presented(scheme="bearer", token=token), asked, _KEY_HINT)

    async def _admitted(self, presented: Presented, asked: Asked, hint: str) -> Principal:
        for way in self._ways:
            if (principal := await way.principal(presented, asked)) is not None:
                return principal
        log.warning("key refused", extra={"peer": asked.peer})
        raise BadToken("the API key is not known here", hint=hint)

    def permits(self, origin: str) -> bool:
        """Whether a page of that origin may ask."""
        return self._origins.permits(origin)

    def admit(self, origins: Origins) -> None:
        """Take requests by those names and from those pages, from now on."""
        self._origins = origins
        self._ours.clear()

    async def is_over(self, principal: Principal) -> bool:
        """Whether what a principal has signed in by counts no more, or nobody can say whether it does."""
        try:
            if self._certificates is not None and self._certificates.is_over(principal):
                return True
            for way in self._ways:
                if await way.is_over(principal):
                    return True
        except Unavailable as why:
            log.warning("sign-in taken for over", extra={"principal": principal.name, "why": why.message})
            return True
        return False


class _NoHeaders:
    """Of what has none."""

    def getall(self, name: str, default: list[str]) -> list[str]:
        _ = name
        return default


def _presented(untrusted: list[str], hint: str) -> Presented:
    if not untrusted:
        raise Unauthenticated("nobody has signed in", hint=hint)
    scheme, _, token = untrusted[0].partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if len(untrusted) > 1 or scheme not in _SCHEMES or not token:
        raise Unauthenticated("must be one Bearer token", hint=hint, field="Authorization")
    return Presented(scheme, token)
