"""Who has which file: a small file of JSON for each owner and digest, in a folder for each owner.

A folder is named by the digest of its owner, so that no name of a principal becomes a path.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wand_server.memory import atomic
from wand_server.ports import Artifact

DIGEST = re.compile(r"[0-9a-f]{64}")
_TICK_NANOSECONDS = 100_000_000  # of the clock by which a file system says when a folder changed, and more
_MOST_SEEN = 256  # owners


@dataclass(frozen=True, slots=True)
class Grant:
    """An artifact, and whose it is."""

    owner: str
    artifact: Artifact


class Grants:
    """All of them, below one folder. Whoever changes something holds the lock of the whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, dict[str, Grant]]] = {}

    def of(self, owner: str) -> dict[str, Grant]:
        """What an owner has, by digest; read again where another process has changed it."""
        return self._in(_name(owner))

    def put(self, grant: Grant) -> None:
        """Have it on disk, in place of one of the same digest."""
        folder = self._folder / _name(grant.owner)
        for one in (self._folder, folder):
            one.mkdir(mode=0o700, exist_ok=True)
        text = json.dumps({"owner": grant.owner, **asdict(grant.artifact)}, ensure_ascii=False)
        atomic.write(folder / grant.artifact.digest, text.encode("utf-8", "surrogatepass"))
        self._seen.pop(folder.name, None)

    def remove(self, grant: Grant) -> None:
        """Have it no more."""
        folder = self._folder / _name(grant.owner)
        (folder / grant.artifact.digest).unlink(missing_ok=True)
        self._seen.pop(folder.name, None)

    def all(self) -> Iterator[Grant]:
        """Those of every owner."""
        if self._folder.is_dir():
            for folder in sorted(self._folder.iterdir()):
                yield from self._in(folder.name).values()

    def _in(self, name: str) -> dict[str, Grant]:
        folder = self._folder / name
        try:
            changed = folder.stat().st_mtime_ns
        except OSError:
            return {}
        seen = self._seen.get(name)
        if seen is None or seen[0] != changed:
            found = {grant.artifact.digest: grant for grant in _read(folder)}
            seen = (changed, found)
            self._remember(name, seen)
        return dict(seen[1])

    def _remember(self, name: str, seen: tuple[int, dict[str, Grant]]) -> None:
        self._seen.pop(name, None)
        if time.time_ns() - seen[0] > _TICK_NANOSECONDS:  # else it may change and look the same
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[name] = seen


def _name(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _read(folder: Path) -> Iterator[Grant]:
    for path in folder.iterdir():
        if DIGEST.fullmatch(path.name):
            try:
                told: dict[str, Any] = json.loads(path.read_bytes())
                yield Grant(told.pop("owner"), Artifact(**told))
            except (OSError, ValueError, TypeError, KeyError):
                continue  # removed a moment ago, or of a later version: nobody's
