"""Looking at tasks: lists, counts, steps, transcripts."""

from collections.abc import Iterator

from wand_proto.errors import Invalid
from wand_server.lifecycle import OPEN, TaskState
from wand_server.ports import Step, TaskFilter, TaskPage, TranscriptEntry
from wand_server.storage.acts.taking_turns import RESTS
from wand_server.storage.asking import Act, Moment, rows
from wand_server.storage.rows import COLUMNS, brief, entry_in, step_in, task_in

_MOST = 500
_COUNTS = "SELECT state, COUNT(*) AS n FROM task WHERE gone_at IS NOT NULL GROUP BY state UNION ALL " + (
    " UNION ALL ".join(  # each by an index of its own
        f"SELECT '{state}' AS state, COUNT(*) AS n FROM task WHERE state = '{state}'"
        + (f" AND {RESTS}" if state is TaskState.WAITING else "")
        for state in sorted(OPEN)
    )
)


def listed(_at: Moment, wanted: TaskFilter, limit: int, cursor: str) -> Act[TaskPage]:
    """The newest first, from that cursor on."""
    where = _Where(wanted)
    if cursor:
        where.add("seq < ", _seq(cursor))
    most = max(1, min(limit, _MOST))
    sql = f"SELECT seq, {COLUMNS} FROM task{where} ORDER BY seq DESC LIMIT {most + 1}"
    found = yield from rows(sql, *where.values)
    more = str(found[most - 1]["seq"]) if len(found) > most else ""
    return TaskPage(tasks=tuple(map(task_in, found[:most])), cursor=more)


def counts(_at: Moment, wanted: TaskFilter) -> Act[dict[TaskState, int]]:
    """How many are in each state."""
    where = _Where(wanted)
    sql = f"SELECT state, COUNT(*) AS n FROM task{where} GROUP BY state" if str(where) else _COUNTS
    found = yield from rows(sql, *where.values)
    many = {one["state"]: int(one["n"]) for one in found}
    return {state: many.get(state.value, 0) for state in TaskState}


def steps(_at: Moment, task: str) -> Act[tuple[Step, ...]]:
    """In the order in which they first began."""
    found = yield from rows("SELECT * FROM step WHERE task = $1 ORDER BY number", task)
    return tuple(map(step_in, found))


def transcript(_at: Moment, task: str, after: int, limit: int) -> Act[tuple[TranscriptEntry, ...]]:
    """The entries that follow, the oldest first."""
    most = max(1, min(limit, _MOST))
    sql = f"SELECT * FROM transcript WHERE task = $1 AND number > $2 ORDER BY number LIMIT {most}"
    return tuple(map(entry_in, (yield from rows(sql, task, after))))


def _seq(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise Invalid("is no cursor of ours", field="cursor", hint="begin again without one")
    return int(cursor)


class _Where:
    """A condition, put together; values are never part of the text."""

    def __init__(self, wanted: TaskFilter) -> None:
        self.values: list[object] = []
        self._parts: list[str] = []
        for before, value, after in _conditions(wanted):
            self.add(before, value, after)
        if wanted.states:
            names = [f"'{TaskState(state)}'" for state in sorted(wanted.states)]  # ours, and read as such
            one = len(names) == 1  # as an index of some tasks has it
            self._parts.append(f"state = {names[0]}" if one else f"state IN ({', '.join(names)})")
        if wanted.keys:
            self._parts.append(f"idem <> '' AND idem IN ({', '.join(map(self._mark, sorted(wanted.keys)))})")
        if wanted.label:
            name, value = map(self._mark, wanted.label)
            self._parts.append(f"@label({name}, {value})")

    def add(self, before: str, value: object, after: str = "") -> None:
        """One more that must hold."""
        self._parts.append(f"{before}{self._mark(value)}{after}")

    def _mark(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def __str__(self) -> str:
        return f" WHERE {' AND '.join(self._parts)}" if self._parts else ""


def _conditions(wanted: TaskFilter) -> Iterator[tuple[str, object, str]]:
    if wanted.identity:
        yield "identity = ", brief(wanted.identity), ""
    if wanted.project:
        yield "project <> '' AND project = ", wanted.project, ""
    if wanted.parent:
        yield "parent <> '' AND parent = ", wanted.parent, ""
    if wanted.depends_on:
        yield "id IN (SELECT dependent FROM edge WHERE dependency = ", wanted.depends_on, ")"
    if wanted.agent:
        yield "agent = ", wanted.agent, ""
    if wanted.created_from is not None:
        yield "created >= ", wanted.created_from, ""
    if wanted.created_before is not None:
        yield "created < ", wanted.created_before, ""
