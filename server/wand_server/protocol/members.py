"""Members that stand twice in an object: JSON permits it, and readers take one or the other (RFC 8259, 4)."""

import json
from collections.abc import Iterable
from typing import Any


class Twice(Exception):
    """A member stands twice; its name is the stranger's."""


class Deep(Exception):
    """There are more arrays and objects inside one another than may be."""


def check(body: Any, untrusted: bytes, levels: int) -> None:
    """See that every member of every object in `body`, which was read from `untrusted`, stood there once.

    Where there are as many colons as members, none was lost. Where there are more, they stand in texts as a
    rule, and all is read again to know.

    Raises:
        Deep: there are more than so many levels of arrays and objects.
        Twice: one did not.
    """
    if untrusted.count(b":") != _in((body,), levels):
        json.loads(untrusted, object_pairs_hook=_once, parse_int=str, parse_float=str)


def _in(values: Iterable[Any], levels: int) -> int:
    """The members of all objects among these and in them."""
    found = 0
    for value in values:
        if type(value) is dict:
            if not levels:
                raise Deep
            found += len(value) + _in(value.values(), levels - 1)
        elif type(value) is list:
            if not levels:
                raise Deep
            found += _in(value, levels - 1)
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Twice(name)
        seen.add(name)
