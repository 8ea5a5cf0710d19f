"""API keys: a file that holds their hashes, and `wand-server keys` to change it.

[[key]]
name = "claude"
sha256 = "64 hexadecimal digits"
created = 2026-11-22T10:00:00Z
"""

import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wand_proto import tomlfile
from wand_proto.errors import Conflict, Invalid, NotFound, WandError
from wand_server import scopes
from wand_server.auth.asked import Asked, Presented
from wand_server.model import Principal

log = logging.getLogger(__name__)

_PREFIX = "wand_"
_LOOK_AGAIN_SECONDS = 1.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_USAGE = """\
usage: wand-server keys add NAME --file FILE      make a key and print it, once
       wand-server keys list --file FILE          whose keys there are, and since when
       wand-server keys remove NAME --file FILE   let that key in no more
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Whose key has that hash, and since when."""

    name: str
    sha256: str
    created: datetime

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("name must be 1 to 64 letters, digits or . _ @ -")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 hexadecimal digits in lower case")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What a keys file may say."""

    key: tuple[Key, ...] = ()

    def __post_init__(self) -> None:
        names = [key.name for key in self.key]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the name {min(twice)!r} stands twice")


class Keys:
    """The keys in a file, read again when it changes; where it cannot be read, nobody gets in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: tuple[Key, ...] = ()
        self._seen: tuple[int, ...] | None = None
        self._look_again = 0.0

    async def principal(self, presented: Presented, asked: Asked) -> Principal | None:
        """Who owns the key; None where nobody does."""
        _ = asked
        if presented.scheme != "bearer" or (name := self.owner(presented.token)) is None:
            return None
        return Principal(name=name, means="api_key", scopes=scopes.EVERYDAY)

    def is_over(self, principal: Principal) -> bool:
        """Whether its key counts no more."""
        self._refresh()
        return principal.means == "api_key" and all(key.name != principal.name for key in self._keys)

    def owner(self, untrusted: str) -> str | None:
        """The name under which that key was added."""
        self._refresh()
        presented = hashlib.sha256(untrusted.encode(errors="surrogateescape")).hexdigest()
        found = None
        for key in self._keys:  # all of them, whichever matches: time tells nothing
            if hmac.compare_digest(key.sha256, presented):
                found = key.name
        return found

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._look_again:
            return
        self._look_again = now + _LOOK_AGAIN_SECONDS
        seen = _fingerprint(self._path)
        if seen == self._seen:
            return
        try:
            self._keys = read(self._path)
            log.info("keys read", extra={"path": str(self._path), "keys": len(self._keys)})
        except WandError as why:
            self._keys = ()
            log.error("keys unusable, nobody gets in", extra={"path": str(self._path), "why": str(why)})  # noqa: TRY400 - the message says it all
        self._seen = seen


def new_key() -> tuple[str, str]:
    """A fresh key as its owner keeps it, and as the file does."""
    plaintext = _PREFIX + secrets.token_urlsafe(32)
    return plaintext, hashlib.sha256(plaintext.encode()).hexdigest()


def read(path: Path) -> tuple[Key, ...]:
    """The keys in a file that nobody else could have written.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written it.
        Invalid: something in it is wrong.
    """
    return tomlfile.load(path, _File, owners={0, os.geteuid()}).key


def write(path: Path, keys: Sequence[Key]) -> None:
    """Replace the file as a whole, readable by its owner alone."""
    lines = [
        f'[[key]]\nname = "{key.name}"\nsha256 = "{key.sha256}"\ncreated = {key.created.isoformat()}\n'
        for key in keys
    ]
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write("# API keys of wand-server, as hashes; change them with: wand-server keys\n")
            file.write("\n".join(lines))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def add(path: Path, name: str) -> str:
    """Add a key of that name and return it; it is not kept, so nobody can tell it again.

    Raises:
        Conflict: the name has a key already.
        Invalid: the name cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise Invalid("must be 1 to 64 letters, digits or . _ @ -", field="name")
    with _locked(path):
        keys = read(path) if path.exists() else ()
        if any(key.name == name for key in keys):
            raise Conflict(f"{name} has a key already", hint=f"wand-server keys remove {name} --file {path}")
        plaintext, sha256 = new_key()
        created = datetime.now(UTC).replace(microsecond=0)
        write(path, [*keys, Key(name=name, sha256=sha256, created=created)])
    return plaintext


def remove(path: Path, name: str) -> None:
    """Remove the key of that name; a running server lets it in no more within a second.

    Raises:
        NotFound: nobody of that name has a key.
    """
    with _locked(path):
        keys = read(path)
        left = [key for key in keys if key.name != name]
        if len(left) == len(keys):
            raise NotFound(f"there is no key named {name!r}", hint=f"wand-server keys list --file {path}")
        write(path, left)


def main(argv: Sequence[str]) -> int:
    """Run `wand-server keys`."""
    words = list(argv)
    if not {"-h", "--help"}.isdisjoint(words):
        sys.stdout.write(_USAGE)
        return 0
    if "--file" in words[:-1]:
        at = words.index("--file")
        path = Path(words[at + 1])
        del words[at : at + 2]
        try:
            return _run(words, path)
        except (WandError, OSError) as why:
            sys.stderr.write(f"wand-server keys: {why}\n")
            return 1
    sys.stderr.write(_USAGE)
    return 2


def _run(words: list[str], path: Path) -> int:
    match words:
        case ["add", name]:
            sys.stdout.write(add(path, name) + "\n")
            sys.stderr.write(f"This key of {name} is shown once and kept by nobody.\n")
        case ["list"]:
            sys.stdout.writelines(f"{key.name}\t{key.created.isoformat()}\n" for key in read(path))
        case ["remove", name]:
            remove(path, name)
        case _:
            sys.stderr.write(_USAGE)
            return 2
    return 0


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        about = path.stat()
    except OSError:
        return ()
    return (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other changes out; the folder is locked, because the file is replaced."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
