"""On which line of a TOML file a key stands, as far as its lines tell: for errors that a person reads."""

import re
from collections.abc import Iterator, Sequence

_TABLE = re.compile(r"\s*\[([\w.-]+)\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*([\w.-]+)\s*=")


def line_of(text: str, place: Sequence[str]) -> int | None:
    """The line of a key, of the table that it would stand in, or None where neither is written so."""
    wanted = tuple(place)
    found = [(len(name), -number) for number, name in _named(text) if wanted[: len(name)] == name]
    return -max(found)[1] if found else None


def _named(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every line that names a table or a key, and the whole name."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if opened := _TABLE.fullmatch(line):
            table = tuple(opened[1].split("."))
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *key[1].split("."))
