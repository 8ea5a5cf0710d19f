"""How acts walk on PostgreSQL: one alone, or several in step, their same statements sent together."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from wand_proto.errors import WandError
from wand_server.storage.asking import Act, Ask, Dialect, Moment, Row
from wand_server.storage.gathering import Waiting
from wand_server.storage.together import TOGETHER

T = TypeVar("T")
DIALECT = Dialect(
    "postgres",
    (
        (r"@lock", "FOR UPDATE"),
        (r"@skip", "FOR UPDATE SKIP LOCKED"),
        (r"@serialized", "pg_advisory_xact_lock(7316524)"),
        (r"@tables", "(SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema())"),
        (r"@able\((\$\d+)\)", r"needs <@ CAST(\1 AS JSONB)"),
        (r"@label\((\$\d+), (\$\d+)\)", r"labels ->> \1 = \2"),
    ),
)


class ApartError(Exception):
    """An act failed after it had changed something; those beside it have to be done again without it."""


class Walker:
    """An act on its way, among others."""

    def __init__(self, one: Waiting, at: Moment) -> None:
        self.one = one
        self._at = at
        self._act = one.doing.act(at)
        self._changed = False
        self.ask: Ask | None = None
        one.result, one.failure, one.wakes = None, None, ()
        self._step(lambda: next(self._act))

    def goes_on(self, answer: Sequence[Row]) -> None:
        """Give it its answer, and see what it asks next."""
        self._changed = self._changed or bool(self.ask and self.ask.is_change)
        self._step(lambda: self._act.send(answer))

    def begins_anew(self) -> None:
        """What it has done is durable, whatever becomes of the rest."""
        self._changed = False

    @property
    def may_part(self) -> bool:
        """Whether its first statement may be a transaction of its own."""
        return self.one.doing.parts

    def _step(self, walk: Callable[[], Ask]) -> None:
        self.ask = None
        try:
            self.ask = walk()
        except StopIteration as end:
            self.one.result, self.one.wakes = end.value, self._at.wakes
        except Exception as why:
            if self._changed or not isinstance(why, WandError):
                raise ApartError from why
            self.one.failure = why


def can_part(walking: Sequence[Walker]) -> bool:
    """Whether all ask the same first, so that one round trip is all that it takes."""
    return len({one.ask.sql for one in walking if one.ask}) == 1 and all(one.may_part for one in walking)


async def step(connection: Any, walking: Sequence[Walker]) -> None:
    """One statement of each; those that ask the same are asked together."""
    asking = [(one, one.ask) for one in walking if one.ask]
    for sql in dict.fromkeys(ask.sql for _, ask in asking):
        same = [(one, ask) for one, ask in asking if ask.sql == sql]
        answers = await _answers(connection, [ask for _, ask in same])
        for (one, _), answer in zip(same, answers, strict=True):
            one.goes_on(answer)


async def walk_together(connection: Any, walking: Sequence[Walker]) -> None:
    """All of them, to their ends."""
    while any(one.ask for one in walking):
        await step(connection, walking)


def of_different_subjects(batch: Sequence[Waiting]) -> list[list[Waiting]]:
    """The batch in groups within which no two have one subject, in the order in which they came."""
    groups: list[list[Waiting]] = [[]]
    last: dict[str, int] = {}  # of each subject: in which group it stands last
    for one in batch:
        subject = one.doing.subject
        number = last.get(subject, -1) + 1 if subject else 0
        if number == len(groups):
            groups.append([])
        groups[number].append(one)
        last[subject] = number
    return [sorted(group, key=lambda one: one.doing.subject) for group in groups]


async def walk(connection: Any, act: Act[T]) -> T:
    """What an act returns that walks alone."""
    try:
        ask = next(act)
        while True:
            ask = act.send(await _answer(connection, ask))
    except StopIteration as end:
        result: T = end.value
        return result


async def _answer(connection: Any, ask: Ask) -> Sequence[Row]:
    text = DIALECT.text(ask.sql)
    if ask.gives_rows:
        found: Sequence[Row] = await connection.fetch(text, *ask.values)
        return found
    await connection.execute(text, *ask.values)
    return ()


async def _answers(connection: Any, asks: Sequence[Ask]) -> list[Sequence[Row]]:
    """The answers to one statement with many values, in one go."""
    if len(asks) == 1:
        return [await _answer(connection, asks[0])]
    one = TOGETHER.get(asks[0].sql)
    if one is not None and (shared := one.values(asks)) is not None:
        return one.answers(asks, await connection.fetch(DIALECT.text(one.sql), *shared))
    first, text = asks[0], DIALECT.text(asks[0].sql)
    if not first.gives_rows:
        await connection.executemany(text, [ask.values for ask in asks])
        return [()] * len(asks)
    asked = f"CAST(${len(first.values) + 1} AS INTEGER) AS asked"
    told = f"{text}, {asked}" if first.is_change else f"WITH a AS ({text}) SELECT a.*, {asked} FROM a"
    values = [(*ask.values, number) for number, ask in enumerate(asks)]
    answers: list[list[Row]] = [[] for _ in asks]
    for found in await connection.fetchmany(told, values):
        answers[found["asked"]].append(found)
    return list(answers)
