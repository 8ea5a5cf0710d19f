"""What the ledger says has begun and does not say has ended."""

from collections.abc import Iterable, Mapping
from typing import Any

_BEGINS = {"run": "job", "worker": "job", "file": "act"}
_ENDS = {"end": "job", "file_end": "act", "ambiguous": ""}


class Unfinished:
    """Jobs and changes of files that have no end yet, each written as `job NAME` or `act NAME`."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def replace(self, names: Iterable[str]) -> None:
        """Take over a list that a record holds."""
        self._names = dict.fromkeys(names)

    def note(self, event: str, fields: Mapping[str, Any]) -> None:
        """Take a record into account."""
        if event in _BEGINS:
            kind = _BEGINS[event]
            self._names[f"{kind} {fields.get(kind, '')}"] = None
        elif event in _ENDS:
            for kind in (_ENDS[event],) if _ENDS[event] else ("job", "act"):
                self._names.pop(f"{kind} {fields.get(kind, '')}", None)

    def names(self) -> list[str]:
        return list(self._names)

    def as_fields(self) -> list[dict[str, str]]:
        """Each as a record names it: {"job": NAME}."""
        return [dict([name.split(" ", 1)]) for name in self._names]
