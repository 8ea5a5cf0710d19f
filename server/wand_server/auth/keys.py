"""Signing in by an API key: the keys of a file, read again when it changes."""

import hashlib
import logging
import time
from pathlib import Path

from wand_proto.errors import WandError
from wand_server.auth import keyfile
from wand_server.auth.asked import Asked, Presented, TooLate
from wand_server.auth.keyfile import Key
from wand_server.auth.lastused import LastUsed
from wand_server.model import Principal

log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 1.0
_HINT = "wand-server keys rotate NAME makes another"


class Keys:
    """The keys in a file; where it cannot be read, nobody gets in."""

    def __init__(self, path: Path, used: LastUsed | None = None) -> None:
        self._path = path
        self._used = used
        self._keys: dict[bytes, tuple[Key, Principal]] = {}  # by their hash: what time tells leads to none
        self._ids: dict[str, Key] = {}
        self._seen: tuple[int, ...] | None = None
        self._look_again = 0.0

    async def principal(self, presented: Presented, asked: Asked) -> Principal | None:
        """Who owns the key; None where nobody does.

        Raises:
            TooLate: it has expired.
        """
        _ = asked
        return self.known(*presented)

    def known(self, scheme: str, token: str) -> Principal | None:
        """The same, at once: nobody has to be asked."""
        if scheme != "bearer" or (found := self._find(token)) is None:
            return None
        key, principal = found
        now = time.time()
        if key.is_over(now):
            raise TooLate("the API key has expired", hint=_HINT)
        if self._used is not None:
            self._used.note(principal.credential, now)
        return principal

    async def is_over(self, principal: Principal) -> bool:
        """Whether its key counts no more: it was removed, has expired, or stands for less or others now."""
        if principal.means != "api_key":
            return False
        self._refresh()
        key = self._ids.get(principal.credential)
        if key is None or key.is_over(time.time()):
            return True
        before = principal.name, principal.groups, principal.on_behalf_of
        return before != (key.name, key.groups, key.on_behalf_of) or not principal.scopes <= key.granted

    def owner(self, untrusted: str) -> str | None:
        """The name under which that key was added."""
        found = self._find(untrusted)
        return found[1].name if found and not found[0].is_over(time.time()) else None

    def _find(self, untrusted: str) -> tuple[Key, Principal] | None:
        self._refresh()
        return self._keys.get(hashlib.sha256(untrusted.encode(errors="surrogateescape")).digest())

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._look_again:
            return
        self._look_again = now + _LOOK_AGAIN_SECONDS
        seen = _fingerprint(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        self._take(self._read())

    def _read(self) -> tuple[Key, ...]:
        try:
            found = keyfile.read(self._path)
        except WandError as why:
            log.error("keys unusable, nobody gets in", extra={"path": str(self._path), "why": str(why)})  # noqa: TRY400 - the message says it all
            return ()
        log.info("keys read", extra={"path": str(self._path), "keys": len(found)})
        return found

    def _take(self, found: tuple[Key, ...]) -> None:
        self._keys = {bytes.fromhex(key.sha256): (key, _principal(key)) for key in found}
        self._ids = {key.credential: key for key in found}


def _principal(key: Key) -> Principal:
    return Principal(
        name=key.name,
        means="api_key",
        scopes=key.granted,
        groups=key.groups,
        on_behalf_of=key.on_behalf_of,
        credential=key.credential,
        expires=key.expires.timestamp() if key.expires else None,
    )


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        about = path.stat()
    except OSError:
        return ()
    return (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
