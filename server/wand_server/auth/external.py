"""An issuer that is not ours, as an administrator describes it: which of its tokens let in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Unavailable
from wand_server.auth import jwk
from wand_server.auth.asked import SignIn
from wand_server.auth.bearer import ANY_TOKENS, Trusted
from wand_server.auth.claims import ClaimNames
from wand_server.auth.fetching import Fetcher
from wand_server.auth.introspection import Introspected, Meant
from wand_server.auth.issuerkeys import Discovered, StaticKeys, fetched
from wand_server.auth.possession import Possession
from wand_server.auth.tokens import PublicKey, TokenKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An issuer, and what its tokens are like."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    names: ClaimNames
    types: tuple[str, ...] = ANY_TOKENS
    keys: Mapping[str, PublicKey] | None = None  # None: those that it publishes
    client: tuple[str, str] | None = None  # by which we ask it about tokens; None: we do not


class Asking:
    """What there is to know of the issuer's tokens, and how to come to it."""

    def __init__(self, external: External, fetcher: Fetcher) -> None:
        self._external = external
        self._fetcher = fetcher
        self._discovered = Discovered(external.issuer, fetcher)

    def trusted(self) -> Trusted:
        """Its signed tokens, for `bearer.Tokens`."""
        about = self._external
        return Trusted(keys=self._keys(), audiences=about.audiences, names=about.names, types=about.types)

    def introspected(self, possession: Possession) -> tuple[SignIn, ...]:
        """Its other tokens, where we may ask about them."""
        about = self._external
        if about.client is None:
            return ()
        meant = Meant(issuer=about.issuer, audiences=about.audiences, names=about.names)
        return (Introspected(self._ask, meant, possession),)

    async def told(self) -> str:
        """In one line, what the issuer's keys come to.

        Raises:
            WandError: they cannot be had, or none can be used.
        """
        about = self._external
        if about.keys is not None:
            return f"{about.issuer}: {len(about.keys)} keys, from a file"
        place = (await self._discovered.metadata()).jwks_uri
        found = jwk.keys_in(await self._fetcher.get(place), about.algorithms)
        if not found:
            raise Unavailable(f"{place} holds no key for {', '.join(about.algorithms)}")
        return f"{about.issuer}: {len(found)} keys, from {place}"

    def _keys(self) -> TokenKeys:
        about = self._external
        if about.keys is not None:
            return StaticKeys(about.issuer, dict(about.keys))
        return fetched(self._discovered, self._fetcher, about.algorithms)

    async def _ask(self, token: str) -> Mapping[str, Any]:
        place = (await self._discovered.metadata()).introspection_endpoint
        if not place:
            raise Unavailable(f"{self._external.issuer} answers no questions about tokens")
        form = {"token": token, "token_type_hint": "access_token"}
        return await self._fetcher.post(place, form, self._external.client)
