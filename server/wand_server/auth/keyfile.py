"""The file of API keys: what stands in it, and the ways to change it. It holds hashes, and no key.

[[key]]
id = "8 to 64 characters"
name = "claude"
sha256 = "64 hexadecimal digits"
created = 2026-11-22T10:00:00Z
expires = 2027-02-20T10:00:00Z
scopes = ["wand:read"]
"""

import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from wand_proto import tomlfile
from wand_proto.errors import Conflict, Invalid, NotFound
from wand_server import privatefiles, scopes

PREFIX = "wand_"
_HEADING = "# API keys of wand-server, as hashes; change them with: wand-server keys\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MUST_NAME = "must be 1 to 64 letters, digits or . _ @ -"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Whose key has that hash, since when and until when, and what it opens."""

    name: str
    sha256: str
    created: datetime
    id: str = ""
    expires: datetime | None = None
    scopes: tuple[str, ...] | None = None  # None: made before there were scopes, which is all but admin
    groups: tuple[str, ...] = ()
    on_behalf_of: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {_MUST_NAME}")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 hexadecimal digits in lower case")
        if not _ID.fullmatch(self.credential):
            raise ValueError("id must be 8 to 64 letters, digits or _ -")
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("expires must say its offset from UTC, as 2027-02-20T10:00:00Z does")
        if wrong := [word for word in self.scopes or () if not scopes.is_known(word)]:
            raise ValueError(f"scopes: {wrong[0]!r} is none; there are {', '.join(scopes.MEANING)}")
        if wrong := [group for group in self.groups if not _NAME.fullmatch(group)]:
            raise ValueError(f"groups: {wrong[0]!r} {_MUST_NAME}")
        if self.on_behalf_of and not _NAME.fullmatch(self.on_behalf_of):
            raise ValueError(f"on_behalf_of {_MUST_NAME}")

    @property
    def credential(self) -> str:
        """The id of the key; one that is older than ids goes by the beginning of its hash."""
        return self.id or self.sha256[:12]

    @property
    def granted(self) -> frozenset[str]:
        """The scopes that it opens."""
        return scopes.EVERYDAY if self.scopes is None else frozenset(self.scopes)

    def is_over(self, now: float) -> bool:
        """Whether it lets nobody in any more, at that time of the Unix clock."""
        return self.expires is not None and self.expires.timestamp() <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What a keys file may say."""

    key: tuple[Key, ...] = ()

    def __post_init__(self) -> None:
        for what in ("sha256", "credential"):
            found = [getattr(key, what) for key in self.key]
            if twice := {one for one in found if found.count(one) > 1}:
                raise ValueError(f"the {what.replace('credential', 'id')} {min(twice)!r} stands twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a new key is to be like."""

    scopes: tuple[str, ...] | None = tuple(sorted(scopes.EVERYDAY))
    groups: tuple[str, ...] = ()
    on_behalf_of: str = ""
    lives_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is about to become of the file: in words, and its SHA-256 before and after, in hexadecimal."""

    told: str
    before: str
    after: str


Record = Callable[[Change], None]
"""Hears of a change before it is made; where it raises, nothing is changed."""


def new_key() -> tuple[str, str]:
    """A fresh key as its owner keeps it, and as the file does."""
    plaintext = PREFIX + secrets.token_urlsafe(32)
    return plaintext, hashlib.sha256(plaintext.encode()).hexdigest()


def read(path: Path) -> tuple[Key, ...]:
    """The keys in a file that nobody else could have written.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written it.
        Invalid: something in it is wrong.
    """
    return tomlfile.load(path, _File, owners={0, os.geteuid()}).key


def _change(path: Path, keys: Sequence[Key], told: str, record: Record) -> None:
    """Replace the file as a whole: readable by its owner, and by a group that could before."""
    text = _HEADING + "\n".join(map(_written, keys))
    before = path.read_bytes() if path.exists() else b""
    record(Change(told=told, before=_digest(before), after=_digest(text.encode())))
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            _open_as_before(path, file.fileno())
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _open_as_before(path: Path, descriptor: int) -> None:
    """Where root writes the file, the server must still be able to read it."""
    if not path.exists():
        return
    before = path.stat()
    if os.geteuid() == 0:
        os.fchown(descriptor, before.st_uid, before.st_gid)
    if os.fstat(descriptor).st_gid == before.st_gid:
        os.fchmod(descriptor, 0o600 | before.st_mode & stat.S_IRGRP)


def add(path: Path, name: str, wanted: Wanted | None = None, record: Record = lambda _: None) -> str:
    """Add a key of that name and return it; it is not kept, so nobody can tell it again.

    Raises:
        Conflict: the name has a key already.
        Invalid: the name cannot be one, or what is wanted cannot be.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(_MUST_NAME, field="name")
    with privatefiles.locked(path):
        keys = read(path) if path.exists() else ()
        if any(key.name == name for key in keys):
            ways = f"wand-server keys rotate {name} --file {path}, or remove it first"
            raise Conflict(f"{name} has a key already", hint=ways)
        plaintext, key = _fresh(name, wanted or Wanted())
        _change(path, [*keys, key], f"{_described(key)}: added, {_opens(key)}", record)
    return plaintext


def rotate(
    path: Path,
    name: str,
    *,
    keep_seconds: float,
    lives_seconds: float | None = None,
    record: Record = lambda _: None,
) -> str:
    """Add another key of that name, like its newest, and return it; the others end after `keep_seconds`.

    Raises:
        NotFound: nobody of that name has a key.
    """
    with privatefiles.locked(path):
        keys = read(path)
        newest = _newest(keys, name, path)
        plaintext, key = _fresh(name, _like(newest, lives_seconds))
        until = datetime.fromtimestamp(key.created.timestamp() + keep_seconds, UTC)
        kept = [_ending(one, until) if one.name == name else one for one in keys]
        others = f"its others end at {until.isoformat()}"
        _change(path, [*kept, key], f"{_described(key)}: added, {_opens(key)}; {others}", record)
    return plaintext


def remove(path: Path, name: str, credential: str = "", record: Record = lambda _: None) -> int:
    """Remove the keys of that name, or the one of that id, and tell how many: a server sees it in a second.

    Raises:
        NotFound: there is no such key.
    """
    with privatefiles.locked(path):
        keys = read(path)
        left = [key for key in keys if key.name != name or credential not in {"", key.credential}]
        if len(left) == len(keys):
            which = f" with the id {credential!r}" if credential else ""
            hint = f"wand-server keys list --file {path}"
            raise NotFound(f"there is no key named {name!r}{which}", hint=hint)
        gone = ", ".join(key.credential for key in keys if key not in left)
        _change(path, left, f"key {name} {gone}: removed", record)
    return len(keys) - len(left)


def _described(key: Key) -> str:
    return f"key {key.name} {key.credential}"


def _opens(key: Key) -> str:
    """What a key opens, for whom and until when, in words."""
    until = f", until {key.expires.isoformat()}" if key.expires else ""
    groups = f", in {' '.join(key.groups)}" if key.groups else ""
    acts_for = f", for {key.on_behalf_of}" if key.on_behalf_of else ""
    return f"{' '.join(sorted(key.granted))}{acts_for}{groups}{until}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fresh(name: str, wanted: Wanted) -> tuple[str, Key]:
    plaintext, sha256 = new_key()
    created = datetime.now(UTC).replace(microsecond=0)
    ends = None if wanted.lives_seconds is None else created.timestamp() + wanted.lives_seconds
    try:
        key = Key(
            name=name, sha256=sha256, created=created, id=f"k{secrets.token_hex(6)}", scopes=wanted.scopes,
            groups=wanted.groups, on_behalf_of=wanted.on_behalf_of,
            expires=None if ends is None else datetime.fromtimestamp(ends, UTC),
        )  # fmt: skip
    except ValueError as why:
        raise Invalid(str(why)) from why
    return plaintext, key


def _newest(keys: Sequence[Key], name: str, path: Path) -> Key:
    named = [key for key in keys if key.name == name]
    if not named:
        raise NotFound(f"there is no key named {name!r}", hint=f"wand-server keys add {name} --file {path}")
    return max(named, key=lambda key: key.created)


def _like(key: Key, lives_seconds: float | None) -> Wanted:
    if lives_seconds is None and key.expires is not None:
        lives_seconds = key.expires.timestamp() - key.created.timestamp()
    return Wanted(
        scopes=key.scopes, groups=key.groups, on_behalf_of=key.on_behalf_of, lives_seconds=lives_seconds
    )


def _ending(key: Key, until: datetime) -> Key:
    return key if key.expires is not None and key.expires <= until else replace(key, expires=until)


def _written(key: Key) -> str:
    """One key in TOML, whose strings and lists of plain words are JSON's."""
    lines = {
        "id": json.dumps(key.id) if key.id else "",
        "name": json.dumps(key.name),
        "sha256": json.dumps(key.sha256),
        "created": key.created.isoformat(),
        "expires": key.expires.isoformat() if key.expires else "",
        "scopes": "" if key.scopes is None else json.dumps(key.scopes),
        "groups": json.dumps(key.groups) if key.groups else "",
        "on_behalf_of": json.dumps(key.on_behalf_of) if key.on_behalf_of else "",
    }
    return "[[key]]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items() if value)
