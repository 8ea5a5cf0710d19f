"""Members that stand twice in an object: JSON permits it, and readers take one or the other (RFC 8259, 4)."""

import json
from typing import Any


class Twice(Exception):
    """A member stands twice; its name is the stranger's."""


def check(body: Any, untrusted: bytes) -> None:
    """See that every member of every object in `body`, which was read from `untrusted`, stood there once.

    Where there are as many colons as members, none was lost. Where there are more, they stand in texts as a
    rule, and all is read again to know.

    Raises:
        Twice: one did not.
    """
    if untrusted.count(b":") != _count(body):
        json.loads(untrusted, object_pairs_hook=_once, parse_int=str, parse_float=str)


def _count(body: Any) -> int:
    """The members of all objects; without recursion, so that no stack grows with the input."""
    found, left = 0, [body]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            found += len(value)
            value = value.values()
        left += [inner for inner in value if isinstance(inner, dict | list)]
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Twice(name)
        seen.add(name)
