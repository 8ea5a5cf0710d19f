"""A settings file in TOML: its owner and mode are checked on the open file, and every error is named."""

import difflib
import enum
import os
import stat
import tomllib
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from wand_proto.errors import Denied, Invalid, NotFound

_MOST_BYTES = 1024 * 1024
_MOST_DOTS = 1000
_T = TypeVar("_T")
Where = str | Callable[[str], str]  # the name of a file, or what tells where a dotted key stands
_WORDS: dict[Any, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path, as text",
    tuple: "a list", dict: "a table",
}  # fmt: skip


def load(path: Path, kind: type[_T], *, owners: Collection[int]) -> _T:
    """The file as a `kind`, a frozen dataclass; `owners` are the user ids that may have written it."""
    return fill(kind, read(path, owners=owners), where=str(path))


def read(path: Path, *, owners: Collection[int]) -> dict[str, Any]:
    """What a file says.

    Raises:
        NotFound, Denied: as `content` does.
        Invalid: it is not TOML, or too large; the message has line and column.
    """
    return parsed(path, content(path, owners=owners))


def parsed(path: Path, found: bytes) -> dict[str, Any]:
    """The same of what stands in a file of that name."""
    for number, one in enumerate(found.splitlines(), start=1):
        if one.count(b".") > _MOST_DOTS:  # a key of as many parts takes the square of that in memory
            raise Invalid(f"{path} has more than {_MOST_DOTS} dots in line {number}")
    try:
        return tomllib.loads(found.decode())
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise Invalid(f"{path} is not UTF-8 (at line {line})") from error
    except (ValueError, RecursionError) as error:  # a number may be too long for Python, too
        raise Invalid(f"{path} is not TOML: {error}") from error


def content(path: Path, *, owners: Collection[int], secret: bool = False) -> bytes:
    """What stands in a file, TOML or not; one that is `secret` must not be open to everybody.

    Raises:
        NotFound: there is no such file.
        Denied: it is a link, no plain file, somebody else could have written it, or read what is secret.
        Invalid: it is too large.
    """
    with _trusted(path, os.O_NONBLOCK, stat.S_ISREG, owners) as file, open(file, "rb", closefd=False) as text:
        mode = stat.S_IMODE(os.fstat(file).st_mode)
        if secret and mode & stat.S_IROTH:
            hint = f"chmod o-rwx {path}"
            raise Denied(
                f"{path} is a secret, and can be read by everybody: its mode is {mode:04o}", hint=hint
            )
        found = text.read(_MOST_BYTES + 1)
    if len(found) > _MOST_BYTES:
        raise Invalid(f"{path} has more than {_MOST_BYTES} bytes")
    return found


def read_folder(folder: Path, *, owners: Collection[int]) -> dict[Path, dict[str, Any]]:
    """Every *.toml of a folder, in order of name; the folder itself must be trusted as its files are."""
    return {path: read(path, owners=owners) for path in names(folder, owners=owners)}


def names(folder: Path, *, owners: Collection[int]) -> list[Path]:
    """Every *.toml of a folder, in order of name.

    Raises:
        NotFound, Denied: there is no such folder, or somebody else could have written it.
    """
    with _trusted(folder, os.O_DIRECTORY, stat.S_ISDIR, owners) as descriptor:
        found = sorted(entry.name for entry in os.scandir(descriptor) if entry.name.endswith(".toml"))
    return [folder / name for name in found]


@contextmanager
def _trusted(path: Path, flags: int, is_kind: Any, owners: Collection[int]) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags)
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist") from error
    except OSError as error:
        why = (
            "is a link; give the file itself" if path.is_symlink() else f"cannot be opened: {error.strerror}"
        )
        raise Denied(f"{path} {why}") from error
    try:
        about = os.fstat(descriptor)  # the open file: a name can be swapped
        if not is_kind(about.st_mode):
            raise Denied(f"{path} is not a plain file or folder")
        if about.st_uid not in owners:
            may = " or ".join(str(uid) for uid in sorted(owners))
            raise Denied(f"{path} belongs to user {about.st_uid}", hint=f"it must belong to user {may}")
        if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Denied(f"{path} can be written by others", hint=f"chmod go-w {path}")
        yield descriptor
    finally:
        os.close(descriptor)


def fill(kind: type[_T], table: Mapping[str, Any], *, where: Where, at: str = "") -> _T:
    """The table as a `kind`, a frozen dataclass; `where` names the file, `at` the table within it.

    Raises:
        Invalid: a key is unknown, missing or of a wrong type; `field` is its dotted name.
    """
    known = {each.name: each for each in fields(kind) if each.init}  # type: ignore[arg-type]
    for key in table.keys() - known.keys():
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
        raise _wrong("is not a setting", where, at + key, hint)
    for name, each in known.items():
        if name not in table and each.default is MISSING and each.default_factory is MISSING:
            raise _wrong("is missing", where, at + name)
    kinds = get_type_hints(kind)
    values = {key: _value(kinds[key], value, where, at + key) for key, value in table.items()}
    try:
        return kind(**values)
    except ValueError as error:
        begins = str(error).partition(" ")[0]  # most often the name of the key
        place = at + begins if begins in known else at.removesuffix(".")
        raise Invalid(f"{error}, in {_told(where, place)}", field=at.removesuffix(".")) from error


def _wrong(why: str, where: Where, at: str, hint: str = "") -> Invalid:
    return Invalid(f"{why}, in {_told(where, at)}", field=at, hint=hint)


def _told(where: Where, at: str) -> str:
    return where if isinstance(where, str) else where(at)


def _value(kind: Any, value: Any, where: Where, at: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):  # only `X | None` is meant: TOML cannot say None
        return _value(next(part for part in parts if part is not types.NoneType), value, where, at)
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        return _choice(kind, parts, value, where, at)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return fill(kind, value, where=where, at=f"{at}.")
    if origin is tuple and isinstance(value, list):
        return tuple(_value(parts[0], each, where, f"{at}[{index}]") for index, each in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _value(parts[1], each, where, f"{at}.{key}") for key, each in value.items()}
    return _plain(kind, origin, value, where, at)


def _choice(kind: Any, parts: tuple[Any, ...], value: Any, where: Where, at: str) -> Any:
    known = {each: each for each in parts} or {each.value: each for each in kind}
    if isinstance(value, str | int) and value in known and not isinstance(value, bool):
        return known[value]
    raise _wrong(f"must be one of {', '.join(map(repr, known))}, not {value!r:.80}", where, at)


def _plain(kind: Any, origin: Any, value: Any, where: Where, at: str) -> Any:
    if (type(value) is kind and origin is None) or kind is Any:  # Any: whoever knows what it means reads it
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is Path and isinstance(value, str) and "\0" not in value:
        return Path(value)
    wanted = _WORDS.get(origin or kind, "a table")
    raise _wrong(f"must be {wanted}, not {value!r:.80}", where, at)
