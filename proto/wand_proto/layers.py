"""A settings file and the files of the folder beside it, read as one: `server.toml`, then `server.d/*.toml`.

The files of the folder come in order of their names. What a later one says stands over what came before:
tables are put together key by key, everything else is replaced. The folder need not be there.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_proto import tomlfile
from wand_proto.errors import NotFound
from wand_proto.lines import line_of


@dataclass(frozen=True, slots=True)
class _Layer:
    path: Path
    text: str
    table: Mapping[str, Any]

    def depth(self, place: Sequence[str]) -> int:
        """How much of a dotted name stands in this file."""
        here: Any = self.table
        for depth, key in enumerate(place):
            if not isinstance(here, Mapping) or key not in here:
                return depth
            here = here[key]
        return len(place)


@dataclass(frozen=True, slots=True)
class Layers:
    """The files, each of which stands over those before it."""

    files: tuple[_Layer, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(each.path for each in self.files)

    def table(self) -> dict[str, Any]:
        """What all of them say together."""
        found: dict[str, Any] = {}
        for each in self.files:
            found = _over(found, each.table)
        return found

    def where(self, place: Sequence[str]) -> str:
        """The file that has the last word on a dotted name, and the line, as far as lines tell."""
        depth = max(each.depth(place) for each in self.files)
        said = [each for each in self.files if each.depth(place) == depth] if depth else [self.files[0]]
        line = line_of(said[-1].text, place)
        return f"{said[-1].path}, line {line}" if line else str(said[-1].path)

    def told(self, key: str) -> str:
        """The same of a dotted key as it is written."""
        return self.where(key.split("."))


def folder_of(path: Path) -> Path:
    """The folder whose files stand over that settings file."""
    return path.with_suffix(".d")


def told(path: Path, *, owners: Collection[int]) -> str:
    """The names of the files in which settings stand.

    Raises:
        WandError: as `read` does.
    """
    return ", ".join(str(each) for each in read(path, owners=owners).paths)


def read(path: Path, *, owners: Collection[int]) -> Layers:
    """The file, and those of the folder beside it.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written one of them.
        Invalid: one is not TOML; the message has line and column.
    """
    over: list[Path] = []
    with suppress(NotFound):
        over = tomlfile.names(folder_of(path), owners=owners)
    return Layers(tuple(_layer(each, owners) for each in (path, *over)))


def _layer(path: Path, owners: Collection[int]) -> _Layer:
    content = tomlfile.content(path, owners=owners)
    table = tomlfile.parsed(path, content)
    return _Layer(path, content.decode(), table)


def _over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables together, the second one having the last word."""
    found = dict(under)
    for key, value in over.items():
        before = found.get(key)
        under_it = before if isinstance(before, Mapping) else {}
        found[key] = _over(under_it, value) if isinstance(value, Mapping) else value
    return found
