"""What several ask at the same time, as one statement: PostgreSQL begins and ends it once for all of them.

Only what is asked for every task stands here. Each does what the statement that it stands for does when it is
asked so often, one after the other, and its rows are told apart again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wand_server.storage.acts import submitting, working
from wand_server.storage.acts.taking_turns import LATER, behind
from wand_server.storage.asking import Ask, Row
from wand_server.storage.rows import COLUMNS

_INSERT = f"""WITH new AS MATERIALIZED (SELECT * FROM unnest(
 CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[]), CAST($4 AS TEXT[]), CAST($5 AS TEXT[]),
 CAST($6 AS INTEGER[]), CAST($7 AS JSONB[]), CAST($8 AS JSONB[]), CAST($9 AS TEXT[]), CAST($10 AS FLOAT8[]),
 CAST($11 AS FLOAT8[]), CAST($12 AS INTEGER[]), CAST($13 AS TEXT[]), CAST($14 AS INTEGER[]),
 CAST($15 AS TEXT[]), CAST($16 AS FLOAT8[]), CAST($17 AS FLOAT8[]), CAST($18 AS INTEGER[]),
 CAST($19 AS INTEGER[])) WITH ORDINALITY AS new({submitting.COLUMNS}, later, place)),
 line AS MATERIALIZED (SELECT identity, priority, {behind("line.identity", "line.priority")} AS turn
 FROM (SELECT DISTINCT identity, priority FROM new WHERE later = 0) AS line)
 INSERT INTO task ({submitting.COLUMNS}, turn)
 SELECT {submitting.COLUMNS}, CASE WHEN later = 1 THEN {LATER} ELSE (SELECT turn FROM line
 WHERE line.identity = new.identity AND line.priority = new.priority)
 + COUNT(*) OVER (PARTITION BY identity, priority, later ORDER BY place) - 1 END
 FROM new ORDER BY place ON CONFLICT DO NOTHING RETURNING id"""
_CLAIM = f"""WITH first AS MATERIALIZED (SELECT seq FROM task WHERE {working.READY} {working.IN_ORDER}
 LIMIT $7 @skip), next AS MATERIALIZED (SELECT seq, ROW_NUMBER() OVER () AS place FROM first)
 UPDATE task SET state = 'running', token = token + 1, attempt = attempt + 1,
 agent = (CAST($1 AS TEXT[]))[place], lease_until = (CAST($2 AS FLOAT8[]))[place],
 started = COALESCE(started, $3), cancel_asked = 0, progress = NULL,
 last_write = (CAST($6 AS TEXT[]))[place]
 FROM next WHERE task.seq = next.seq AND {working.STILL_QUEUED} RETURNING {COLUMNS}, place"""
_DONE = """UPDATE task SET state = 'done', finished = ended.at, gone_at = ended.at + keep_seconds,
 lease_until = NULL, error = NULL, result = ended.told, ended_token = ended.lease
 FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS INTEGER[]), CAST($3 AS FLOAT8[]), CAST($4 AS TEXT[]))
 AS ended(task, lease, at, told) WHERE task.id = ended.task AND token = ended.lease
 AND state || '' = 'running' AND has_dependents = 0 RETURNING task.id"""  # as for a claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One statement for many."""

    sql: str
    values: Callable[[Sequence[Ask]], tuple[Any, ...] | None]  # None: those must be asked one by one
    answers: Callable[[Sequence[Ask], Sequence[Row]], list[Sequence[Row]]]


def _columns(asks: Sequence[Ask]) -> tuple[Any, ...]:
    """Of each value those of all."""
    return tuple(zip(*(ask.values for ask in asks), strict=True))


def _claims(asks: Sequence[Ask]) -> tuple[Any, ...] | None:
    """Who claim at one time and can do the same; each has the place in which they asked."""
    agents, until, now, since, able, marks = _columns(asks)
    if len(set(able)) > 1 or len(set(now)) > 1:
        return None
    return agents, until, now[0], since[0], able[0], marks, len(asks)


def _by_id(asks: Sequence[Ask], found: Sequence[Row]) -> list[Sequence[Row]]:
    """Each row to the first who named that task."""
    told = {one["id"]: (one,) for one in found}
    return [told.pop(ask.values[0], ()) for ask in asks]


def _by_place(asks: Sequence[Ask], found: Sequence[Row]) -> list[Sequence[Row]]:
    told = {one["place"]: (one,) for one in found}
    return [told.get(place, ()) for place, _ in enumerate(asks, 1)]


TOGETHER: Mapping[str, Together] = {
    submitting.INSERT: Together(sql=_INSERT, values=_columns, answers=_by_id),
    working.CLAIM_NEXT: Together(sql=_CLAIM, values=_claims, answers=_by_place),
    working.DONE: Together(sql=_DONE, values=_columns, answers=_by_id),
}
