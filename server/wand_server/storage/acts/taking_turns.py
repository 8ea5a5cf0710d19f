"""Whose task is next: within a priority principals take turns, however many tasks each of them has.

A task that can be claimed has a turn, and the lowest is claimed first. It is the one behind its principal's
last; who has none in the queue joins at the lowest that there is, and does not catch up on what was before.
"""

LATER = 1_000_000_000_000_000  # the turn of what waits for a time
RESTS = f"state IN ('queued', 'waiting') AND turn = {LATER}"  # as the index `task_later` has it
_ONES = f"FROM task AS one WHERE one.state = 'queued' AND one.turn < {LATER} AND one.priority = "


def first(priority: str = "task.priority") -> str:
    """SQL for the turn that is next of all."""
    return f"COALESCE((SELECT MIN(one.turn) {_ONES}{priority}), 0)"


def behind(identity: str = "task.identity", priority: str = "task.priority") -> str:
    """SQL for the turn behind the last one of a principal."""
    last = f"SELECT MAX(one.turn) {_ONES}{priority} AND one.identity = {identity}"
    return f"COALESCE(({last}) + 1, {first(priority)})"
