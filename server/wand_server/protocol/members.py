"""Members that stand twice in an object: JSON permits it, and readers take one or the other (RFC 8259, 4)."""

import json
from typing import Any


class Twice(Exception):
    """A member stands twice; its name is the stranger's."""


def check(body: Any, untrusted: bytes) -> None:
    """See that every member of every object in `body`, which was read from `untrusted`, stood there once.

    Where there are as many colons as members, none was lost. Where there are more, they stand in texts as a
    rule, and all is read again to know. How deep it may be, whoever asks has seen to.

    Raises:
        Twice: one did not.
    """
    if untrusted.count(b":") != (_in_object(body) if type(body) is dict else _in_array(body)):
        json.loads(untrusted, object_pairs_hook=_once, parse_int=str, parse_float=str)


def _in_object(value: dict[str, Any]) -> int:
    """The members of this object and of all in it."""
    found = len(value)
    for inner in value.values():
        if type(inner) is dict:
            found += _in_object(inner)
        elif type(inner) is list:
            found += _in_array(inner)
    return found


def _in_array(value: list[Any]) -> int:
    found = 0
    for inner in value:
        if type(inner) is dict:
            found += _in_object(inner)
        elif type(inner) is list:
            found += _in_array(inner)
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Twice(name)
        seen.add(name)
