"""Files in the folder of profiles: torn, of wrong types, too deep, somebody else's, and no files at all.

Each is read, or denied in words that name the key and the file; whatever stands there, the others are read.
"""

import json
import os
import random
import stat
import tempfile
from pathlib import Path
from typing import Any

from fuzz import words
from fuzz.indoors import Wrong
from support.tree import ROOT
from wand_hostagent.launcher import profile
from wand_hostagent.launcher.keys import KEYS
from wand_hostagent.launcher.refusal import Refused

_SHIPPED = [path.read_text() for path in sorted((ROOT / "packaging" / "etc" / "profiles.d").glob("*.toml"))]
_WHOLE: dict[str, Any] = {
    "workspace": "/srv/work", "directories": ["/srv/a/{principal}"], "read_only": ["/srv/b"],
    "path": "/usr/bin:/bin", "environment": {"LANG": "C.UTF-8"}, "environment_allowed": ["CI", "LC_*"],
    "umask": "022", "network": "none",
    "visible": ["/srv/c"], "hidden": ["/srv/work/x"], "programs": [], "execute_in_workspace": True,
    "minimum": ["file system"], "landlock_abi_minimum": 0, "principals": ["ann", "ci-*"],
    "limits": {"wall_seconds": 1.5, "open_files": 64},
}  # fmt: skip
_SAID = (
    "is not TOML",
    "cannot be opened",
    "must be a plain file",
    "the file must belong to root",
    "the launcher is root",
)


def batch(seed: int, count: int) -> int:
    """So many folders from that seed; how many of their files were good.

    Raises:
        Wrong: a file was neither read nor denied in words.
    """
    chance = random.Random(seed)
    good = 0
    with tempfile.TemporaryDirectory(prefix="wf") as name:
        folder = Path(name)
        _write(folder / "z.toml", b'name = "z"\nworkspace = "/srv/work"\n')
        for _ in range(count):
            path = folder / "p.toml"
            content = _content(chance)
            _put(chance, path, content)
            try:
                good += _look(folder)
            except Wrong as wrong:
                raise Wrong(f"{wrong}: {content[:2000]!r}") from wrong
            _remove(path)
    return good


def _look(folder: Path) -> bool:
    """Load the folder and see that what cannot be read is denied in words."""
    try:
        shelf = profile.load(str(folder), development=True)
    except Refused as error:
        raise Wrong(f"one file hides all: {error}") from error
    if "z" not in shelf.profiles:
        raise Wrong("a good file is not read beside it")
    if "p" in shelf.profiles:
        _try(shelf)
        return True
    why = shelf.broken["p"].removeprefix(f"{folder}/p.toml: ")
    if not (why.startswith(_SAID) or why.partition(":")[0] in KEYS or ": unknown; the keys are " in why):
        raise Wrong(f"it is denied with {why!r}")
    return False


def _try(shelf: profile.Shelf) -> None:
    """What has been read can be used: every name of a principal gets an answer."""
    for who in ("", "ann", "a\nb", "\ud800"):
        try:
            shelf.take("p", who)
        except Refused:
            continue


def _content(chance: random.Random) -> bytes:
    how = chance.random()
    if how < 0.02:
        return f"name = {chance.choice(('[', '{a=', '[{b=')) * chance.choice((100, 1000, 60_000))}".encode()
    if how < 0.25:
        text = chance.choice(_SHIPPED).replace("\nname = ", '\nname = "p" #')
        return words.torn(chance, text.encode())
    told: Any = {"name": "p", **_WHOLE}
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        told = words.bent(chance, told)
    if not isinstance(told, dict):
        told = {"name": told}
    raw = "\n".join(f"{_key(name)} = {_toml(value)}" for name, value in told.items()).encode(
        "utf-8", "surrogatepass"
    )
    return words.torn(chance, raw) if how > 0.8 else raw


def _key(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else json.dumps(name)


def _toml(value: Any) -> str:
    """The value as TOML writes it; what TOML has no word for is written anyhow."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(str(name))} = {_toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)


def _put(chance: random.Random, path: Path, content: bytes) -> None:
    """The content as a file, or something else of that name."""
    how = chance.randrange(60)
    if how == 0:
        path.symlink_to("z.toml")
    elif how == 1:
        os.mkfifo(path, 0o644)
    elif how == 2:
        path.mkdir()
    elif how == 3:
        path.symlink_to(path.name)
    elif how == 4 and os.geteuid() == 0:
        os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))
    else:
        _write(path, content + (b"#" * 300_000 if how == 5 else b""))
        if how == 6:
            path.chmod(0o666)
        if how == 7 and os.geteuid() == 0:
            os.chown(path, 65534, 65534)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
