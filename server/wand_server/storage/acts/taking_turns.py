"""Whose task is next: within a priority principals take turns, however many tasks each of them has.

A task that can be claimed has a turn, and the lowest is claimed first. It is the one behind its principal's
last; who has none in the queue joins at the lowest that there is, and does not catch up on what was before.
"""

LATER = 1_000_000_000_000_000  # the turn of what waits for a time
RESTS = f"state IN ('queued', 'waiting') AND turn = {LATER}"  # as the index `task_later` has it
_QUEUED = "FROM task AS one WHERE one.state = 'queued'"


def first(priority: str = "task.priority") -> str:
    """SQL for the turn that is next of all."""
    turns = f"SELECT MIN(one.turn) {_QUEUED} AND one.turn < {LATER} AND one.priority = {priority}"
    return f"COALESCE(({turns}), 0)"


def behind(identity: str = "task.identity", priority: str = "task.priority") -> str:
    """SQL for the turn behind the last one of a principal.

    It is asked for as the row before the end of theirs in `task_share`, in an order that no other index has:
    PostgreSQL looked for it among all that is queued, from the end, past everything of everybody else.
    """
    last = f"""SELECT last.turn FROM (SELECT one.identity, one.priority, one.turn {_QUEUED}
 AND (one.identity, one.priority, one.turn) < ({identity}, {priority}, {LATER})
 ORDER BY one.identity DESC, one.priority DESC, one.turn DESC LIMIT 1) AS last
 WHERE last.identity = {identity} AND last.priority = {priority}"""
    return f"COALESCE(({last}) + 1, {first(priority)})"
