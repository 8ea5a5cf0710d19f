"""One configured service: which it is, how it is set, and which of its operations are permitted."""

import asyncio
import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wand_proto.errors import Invalid
from wand_server import arguments
from wand_server.integrations.index import Entry, Known
from wand_server.integrations.kit.base import BaseIntegration

Table = Mapping[str, Any]
ID = re.compile(r"([a-z][a-z0-9_]{1,31})(?::([a-z0-9_-]{1,32}))?")


@dataclass(slots=True, kw_only=True)
class Instance:
    """One configured service."""

    id: str  # "slack", "github:work"
    service: str
    table: Table
    known: Known
    opened: BaseIntegration | None = None
    is_closed: bool = False  # and is opened no more
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def offers(self, name: str) -> bool:
        """Whether an operation is permitted here."""
        entry = self.known.operations.get(name)
        allow, deny = self.table.get("allow", ()), self.table.get("deny", ())
        return (
            entry is not None
            and (entry.read_only or not self.table.get("read_only", False))
            and (not allow or _is_one_of(name, allow))
            and not _is_one_of(name, deny)
        )

    def offered(self) -> Iterator[tuple[str, Entry]]:
        """The operations that are permitted, by their full names."""
        for name, entry in self.known.operations.items():
            if self.offers(name):
                yield f"{self.id}.{name}", entry


def check_table(instance: Instance) -> None:
    """Let the settings of an instance pass that it can be used with, as far as shows without its secrets.

    Raises:
        Invalid: names the setting that is wrong, and what would be right.
    """
    known = instance.known.settings
    for name in instance.table:
        if name not in known:
            near = arguments.nearest(name, known) or f"there are: {', '.join(known)}"
            raise Invalid(
                f"is not a setting of {instance.service}",
                hint=near,
                field=f"integrations.{instance.id}.{name}",
            )
    missing = [name for name, one in known.items() if one.required and name not in instance.table]
    if missing:
        about = known[missing[0]]
        hint = (
            "say where the secret is: env:NAME, file:/PATH or cred:NAME"
            if about.secret
            else about.description
        )
        raise Invalid("is missing", hint=hint, field=f"integrations.{instance.id}.{missing[0]}")


def _is_one_of(name: str, patterns: Any) -> bool:
    return any(fnmatch.fnmatchcase(name, str(pattern)) for pattern in patterns)
