"""One configured service: which it is, how it is set, and which of its operations are permitted."""

import asyncio
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from wand_proto.errors import Invalid
from wand_server import arguments
from wand_server.integrations.index import Entry, Known
from wand_server.integrations.kit.base import BaseIntegration, Settings
from wand_server.integrations.kit.personal import OF_PEOPLE
from wand_server.settings.problems import words

Table = Mapping[str, Any]
AnySettings = TypeVar("AnySettings", bound=BaseModel)
_ANOTHERS = frozenset({"token", "access_token", "refresh_token", "service_account", "app_id"})  # sign-ins
ID = re.compile(r"([a-z][a-z0-9_]{1,31})(?::([a-z0-9_-]{1,32}))?")


@dataclass(slots=True, kw_only=True)
class Instance:
    """One configured service."""

    id: str  # "slack", "github:work"
    service: str
    table: Table
    known: Known
    permits: Settings
    opened: BaseIntegration | None = None
    is_closed: bool = False  # and is opened no more
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def offers(self, name: str) -> bool:
        """Whether an operation is permitted here."""
        entry, permits = self.known.operations.get(name), self.permits
        return (
            entry is not None
            and (name not in OF_PEOPLE or self._signs_people_in())
            and (entry.read_only or not permits.read_only)
            and (not permits.allow or _is_one_of(name, permits.allow))
            and not _is_one_of(name, permits.deny)
        )

    def _signs_people_in(self) -> bool:
        """Whether each person signs in for themselves, as far as the settings tell without secrets."""
        table, known = self.table, self.known.settings
        if "auth" in known or "people" in known:
            return table.get("auth") == "people" or table.get("people") is True
        return "client_id" in table and _ANOTHERS.isdisjoint(table)

    def offered(self) -> Iterator[tuple[str, Entry]]:
        """The operations that are permitted, by their full names."""
        for name, entry in self.known.operations.items():
            if self.offers(name):
                yield f"{self.id}.{name}", entry


def read(model: type[AnySettings], table: Table, place: str) -> AnySettings:
    """The settings in a table as that model, which may be about some of them only.

    Raises:
        Invalid: names the setting that is wrong, and what would be right, not its value: it may be secret.
    """
    try:
        return model.model_validate({name: table[name] for name in model.model_fields if name in table})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Invalid(words(first), field=".".join(map(str, (place, *first["loc"])))) from error


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
            "say where the secret is: env:NAME, file:/PATH, cred:NAME or vault:MOUNT/PATH#FIELD"
            if about.secret
            else about.description
        )
        raise Invalid("is missing", hint=hint, field=f"integrations.{instance.id}.{missing[0]}")


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
