"""The keys of an issuer: fetched when they are first needed, and again as it changes them."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from wand_proto import tomlfile
from wand_proto.errors import Invalid, Unavailable, WandError
from wand_server.auth import jwk
from wand_server.auth.discovery import Metadata, Source, discover
from wand_server.auth.tokens import PublicKey

log = logging.getLogger(__name__)

FRESH_SECONDS = 300.0  # then they are fetched again, with the next token
AGAIN_SECONDS = 15.0  # between two fetches, whatever is asked for
KEPT_SECONDS = 6 * 3600.0  # how long they count where the issuer cannot be reached

Clock = Callable[[], float]


class Discovered:
    """What an issuer says of itself, asked once it is needed and again after an hour."""

    _HOUR_SECONDS = 3600.0

    def __init__(self, issuer: str, source: Source, clock: Clock = time.monotonic) -> None:
        self.issuer = issuer
        self._source = source
        self._clock = clock
        self._found: Metadata | None = None
        self._until = 0.0

    async def metadata(self) -> Metadata:
        """The metadata.

        Raises:
            Unavailable: there is none that can be used.
        """
        if self._found is None or self._clock() >= self._until:
            try:
                self._found = await discover(self.issuer, self._source)
            except Invalid as why:
                raise Unavailable(f"{self.issuer} cannot be asked: {why}") from why
            self._until = self._clock() + self._HOUR_SECONDS
        return self._found


class FetchedKeys:
    """The keys of one issuer, by id; offers `TokenKeys`."""

    def __init__(
        self, issuer: str, fetch: Callable[[], Awaitable[Any]], permitted: Collection[str],
        clock: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self.issuer = issuer
        self._fetch = fetch
        self._permitted = permitted
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching = asyncio.Lock()

    async def key(self, kid: str) -> PublicKey | None:
        """The key of that id; where it is unknown, the issuer is asked, though not all the time.

        Raises:
            Unavailable: the keys that there are are too old, and no others can be had.
        """
        if self._age() >= FRESH_SECONDS or self._known(kid) is None:
            await self._refresh(self._tried)
        if self._age() >= KEPT_SECONDS:
            raise Unavailable(f"the keys of {self.issuer} cannot be had", hint="try again in a moment")
        return self._known(kid)

    def _known(self, kid: str) -> PublicKey | None:
        if kid or len(self._keys) != 1:
            return self._keys.get(kid) if kid else None
        return next(iter(self._keys.values()))

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    async def _refresh(self, tried: float | None) -> None:
        """Fetch them, unless somebody has just tried, or tries now."""
        async with self._fetching:
            now = self._clock()
            if self._tried != tried or (tried is not None and now - tried < AGAIN_SECONDS):
                return
            self._tried = now
            try:
                self._keys = jwk.keys_in(await self._fetch(), self._permitted)
            except WandError as why:
                log.warning("keys of the issuer not fetched", extra={"issuer": self.issuer, "why": str(why)})
                return
            self._fetched = self._clock()
            log.info("keys of the issuer fetched", extra={"issuer": self.issuer, "keys": len(self._keys)})


def fetched(discovered: Discovered, source: Source, permitted: Collection[str]) -> FetchedKeys:
    """The keys that an issuer publishes where its metadata says."""

    async def fetch() -> Any:
        return await source.get((await discovered.metadata()).jwks_uri)

    return FetchedKeys(discovered.issuer, fetch, permitted)


class StaticKeys:
    """Keys from a file, a JSON Web Key Set or one key in PEM; offers `TokenKeys`."""

    def __init__(self, issuer: str, keys: dict[str, PublicKey]) -> None:
        self.issuer = issuer
        self._keys = keys

    async def key(self, kid: str) -> PublicKey | None:
        """The key of that id, or the only one that there is and that has no id."""
        return self._keys.get(kid) or (self._keys.get(jwk.ONLY) if len(self._keys) == 1 else None)


def read_keys(path: Path, permitted: Collection[str], owners: Collection[int]) -> dict[str, PublicKey]:
    """The keys in a file that nobody else could have written.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written it.
        Invalid: it holds no key that can be used.
    """
    content = tomlfile.content(path, owners=owners)
    try:
        found = _keys_in(content, permitted)
    except Invalid as why:
        raise Invalid(f"{path} {why.message}", field="oauth.keys_file") from why
    if not found:
        raise Invalid(f"{path} holds no key for {', '.join(permitted)}", field="oauth.keys_file")
    return found


def _keys_in(content: bytes, permitted: Collection[str]) -> dict[str, PublicKey]:
    if content.lstrip().startswith(b"-----"):
        return {jwk.ONLY: jwk.key_in_pem(content, permitted)}
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as why:
        raise Invalid(f"is neither PEM nor JSON ({why})") from why
    return jwk.keys_in(read, permitted)
