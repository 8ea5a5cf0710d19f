"""What time does to tasks: leases run out, deadlines pass, the time comes to run, to ask again, to remove."""

from dataclasses import replace

from wand_server.lifecycle import TaskState, when_lost
from wand_server.ports import Swept, TaskError
from wand_server.storage.acts.ending import end, follow, nobodys, open_steps, ready, tell
from wand_server.storage.acts.taking_turns import RESTS, behind, first
from wand_server.storage.asking import Act, Moment, changed, row, rows
from wand_server.storage.rows import HELD, held_in, needs_in

_MOST = 200
_LOST = f"""SELECT {HELD} FROM task WHERE state = 'running' AND lease_until <= $1
 ORDER BY lease_until LIMIT {_MOST} @skip"""
_NOT_BEGUN = "state IN ('queued', 'blocked', 'waiting') AND deadline IS NOT NULL"
_OVERDUE = f"""SELECT id FROM task WHERE {_NOT_BEGUN}
 AND deadline <= $1 ORDER BY deadline LIMIT {_MOST} @skip"""
_GONE = f"""SELECT id, state FROM task WHERE gone_at IS NOT NULL AND gone_at <= $1
 ORDER BY gone_at LIMIT {_MOST} @skip"""
_DUE = f"""SELECT id, needs FROM task WHERE {RESTS} AND run_at <= $1
 ORDER BY run_at LIMIT {_MOST} @skip"""
_IN_TURN = f"""UPDATE task SET state = 'queued',
 turn = CASE state WHEN 'queued' THEN {behind()} ELSE {first()} END WHERE id = $1 AND {RESTS}"""
_NEXT = f"""SELECT (SELECT MIN(lease_until) FROM task WHERE state = 'running') AS lease,
 (SELECT MIN(deadline) FROM task WHERE {_NOT_BEGUN}) AS deadline,
 (SELECT MIN(gone_at) FROM task WHERE gone_at IS NOT NULL) AS gone,
 (SELECT MIN(run_at) FROM task WHERE {RESTS}) AS run_at"""
_REMOVE = (
    "DELETE FROM step WHERE task = $1",
    "DELETE FROM transcript WHERE task = $1",
    "DELETE FROM edge WHERE dependent = $1",
    "DELETE FROM task WHERE id = $1",
)


def lost(at: Moment) -> Act[int]:
    """Take back what is held by leases that have run out."""
    found = yield from rows(_LOST, at.now)
    for one in found:
        held = held_in(one, (yield from open_steps(one["id"])))
        yield from follow(at, nobodys(one["id"]), one, when_lost(held, at.now, at.roll()))
    return len(found)


def overdue(at: Moment) -> Act[int]:
    """Fail what was not begun before its deadline."""
    why = TaskError(kind="TimedOut", message="its deadline passed before it could begin")
    found = yield from rows(_OVERDUE, at.now)
    for one in found:
        yield from end(at, nobodys(one["id"]), TaskState.FAILED, error=why)
    return len(found)


def gone(at: Moment) -> Act[int]:
    """Remove what was kept long enough. What depended on a task that was done forgets it did."""
    found = yield from rows(_GONE, at.now)
    for one in found:
        if one["state"] == TaskState.DONE:
            yield from changed("DELETE FROM edge WHERE dependency = $1", one["id"])
        for sql in _REMOVE:
            yield from changed(sql, one["id"])
    return len(found)


def due(at: Moment) -> Act[int]:
    """Give what can run now its turn, and tell of it; so to what has waited for a person, to ask again."""
    found = yield from rows(_DUE, at.now)
    for one in found:
        yield from changed(_IN_TURN, one["id"])
        tell(at, one["id"])
        ready(at, one["id"], at.now, needs_in(one))
    return len(found)


def next_due(_at: Moment, so_far: Swept) -> Act[Swept]:
    """The same, and when there is more to do."""
    found = yield from row(_NEXT)
    times = [value for value in found or () if value is not None]
    return replace(so_far, next_due=min(times) if times else None)
