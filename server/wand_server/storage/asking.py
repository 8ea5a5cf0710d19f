"""How work on a database is written once for every kind of it: as an *act* that asks and is answered.

An act is a generator: it yields statements, is sent their rows, and returns its result. Its statements are
SQL that SQLite and PostgreSQL both read, but for the words in `Dialect`. An engine runs acts, each as one
transaction or with others in one. An act may be run again from its beginning, so it has no effect but by its
statements and its `Moment`.
"""

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVar

from wand_server.ports import Wake

T = TypeVar("T")
Row = Any  # a row that gives its columns by name


class Ask(NamedTuple):
    """One statement and its values, `$1` the first of them."""

    sql: str
    values: tuple[Any, ...]

    @property
    def is_change(self) -> bool:
        """Whether it may change anything."""
        return not self.sql.startswith("SELECT")

    @property
    def gives_rows(self) -> bool:
        """Whether there is anything to fetch."""
        return not self.is_change or "RETURNING" in self.sql


Act = Generator[Ask, Sequence[Row], T]


@dataclass(slots=True)
class Moment:
    """What an act may know of the world, and whom it wants to wake once it is durable."""

    now: float
    roll: Callable[[], float]  # from 0 to below 1
    again: bool = False  # it may have been done before, and its answer been lost
    wakes: list[Wake] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Doing:
    """An act to be done. Of two with one subject, the second is begun when the first has ended."""

    act: Callable[[Moment], Act[Any]]
    subject: str = ""  # a task's id; "": it stands in nobody's way
    alone: bool = False  # in a transaction of its own
    parts: bool = False  # what its first statement does may be durable before the rest begins


class Engine(Protocol):
    """A database that runs acts."""

    def now(self) -> float:
        """The time, the same for all that use the database."""
        ...

    async def write(self, doing: Doing) -> Any:
        """What the act returns, when all it did is durable.

        Raises:
            WandError: the act's own, and nothing of it was done.
            Unavailable: the database cannot be reached; nothing was done.
            Ambiguous: it was lost while it made the changes durable, and did not come back.
        """
        ...

    async def read(self, act: Callable[[Moment], Act[T]]) -> T:
        """What an act returns that changes nothing."""
        ...

    async def close(self) -> None:
        """End every use of it."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words in which the databases differ: `@name` or `@name($1)` in a statement."""

    name: str
    words: tuple[tuple[str, str], ...]  # a pattern, and what stands for it

    def text(self, sql: str) -> str:
        """The statement in this dialect."""
        return _text(self, sql)


@cache
def _text(dialect: Dialect, sql: str) -> str:
    for pattern, word in dialect.words:
        sql = re.sub(pattern, word, sql)
    return sql


def changed(sql: str, *values: Any) -> Act[None]:
    """Ask for a change of which nothing is to be told."""
    yield Ask(sql, values)


def rows(sql: str, *values: Any) -> Act[Sequence[Row]]:
    """Ask for rows."""
    return (yield Ask(sql, values))


def row(sql: str, *values: Any) -> Act[Row | None]:
    """Ask for the first row; None where there is none."""
    found = yield Ask(sql, values)
    return found[0] if found else None
