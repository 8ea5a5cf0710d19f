"""What people do to tasks: cancel them, try them again, say how they had ended."""

from collections.abc import Sequence

from wand_proto.errors import Conflict, NotFound
from wand_server.lifecycle import HOPELESS, OPEN, RETRIABLE, TaskState
from wand_server.ports import News, Task, TaskError, Wake
from wand_server.storage.acts.ending import end, nobodys, ready, tell
from wand_server.storage.acts.taking_turns import behind
from wand_server.storage.asking import Act, Moment, Row, changed, row, rows
from wand_server.storage.rows import COLUMNS, needs_in, task_in

_SEEN = "SELECT id, state FROM task WHERE id = $1 @lock"
_CHILDREN = "SELECT id, state FROM task WHERE parent = $1 ORDER BY seq"
_UNFINISHED = """SELECT edge.dependency, task.state FROM edge LEFT JOIN task ON task.id = edge.dependency
 WHERE edge.dependent = $1 AND (task.state IS NULL OR task.state <> 'done') ORDER BY edge.dependency"""
_AGAIN = f"""UPDATE task SET turn = {behind()}, state = $2, run_at = $3, waits_for = $4, failed_by = '',
 attempt = 0, finished = NULL, gone_at = NULL, cancel_asked = 0, result = NULL, ended_token = 0,
 waits_since = NULL WHERE id = $1 RETURNING needs, run_at"""
_WITHOUT_DOUBT = "DELETE FROM step WHERE task = $1 AND ended IS NULL"
_BECAUSE = "SELECT id FROM task WHERE failed_by = $1 AND state = 'failed' ORDER BY seq"


def cancel(at: Moment, task: str, reason: str) -> Act[tuple[str, ...]]:
    """Cancel it and its children, whatever has not ended; their ids."""
    yield from _seen(task)
    why = TaskError(kind="Conflict", message=reason or "it was cancelled")
    stopped, left = [], [task]
    while left:
        one = left.pop()
        found = yield from row(_SEEN, one)
        if found is not None and TaskState(found["state"]) in OPEN:
            yield from _stop(at, found, why)
            stopped.append(one)
        children = yield from rows(_CHILDREN, one)
        left += [child["id"] for child in children]
    return tuple(stopped)


def _stop(at: Moment, found: Row, why: TaskError) -> Act[None]:
    task = found["id"]
    if found["state"] != TaskState.RUNNING:
        yield from end(at, nobodys(task), TaskState.CANCELLED, error=why)
        return
    yield from changed("UPDATE task SET cancel_asked = 1 WHERE id = $1 AND state = 'running'", task)
    at.wakes.append(Wake(news=News.CANCEL, task=task))
    tell(at, task)


def retry(at: Moment, task: str) -> Act[Task]:
    """Try it again, and let those wait for it again that failed because of it."""
    found = yield from _seen(task)
    state = TaskState(found["state"])
    if at.again and state in OPEN:
        return (yield from get(at, task))
    if state not in RETRIABLE:
        hint = f"{', '.join(sorted(RETRIABLE))} can be tried again"
        raise Conflict(f"task {task} is {state}", field="task", hint=hint)
    left = [task]
    while left:
        one = left.pop()
        waits_for = yield from rows(_UNFINISHED, one)
        if hopeless := [other for other in waits_for if _is_hopeless(other)]:
            yield from _stays(one, hopeless[0], chosen=one == task)
            continue
        yield from _again(at, one, waits_for)
        others = yield from rows(_BECAUSE, one)
        left += [other["id"] for other in others]
    return (yield from get(at, task))


def _is_hopeless(dependency: Row) -> bool:
    return dependency["state"] is None or TaskState(dependency["state"]) in HOPELESS


def _stays(task: str, dependency: Row, *, chosen: bool) -> Act[None]:
    """It cannot begin: something else that it depends on has failed too."""
    if chosen:
        what = f"it depends on {dependency['dependency']}, which is {dependency['state'] or 'no longer kept'}"
        raise Conflict(what, field="task", hint="try that one again")
    yield from changed("UPDATE task SET failed_by = $2 WHERE id = $1", task, dependency["dependency"])


def _again(at: Moment, task: str, waits_for: Sequence[Row]) -> Act[None]:
    for one in waits_for:
        yield from changed("UPDATE task SET has_dependents = 1 WHERE id = $1", one["dependency"])
    state = TaskState.BLOCKED if waits_for else TaskState.QUEUED
    yield from changed(_WITHOUT_DOUBT, task)
    again = yield from row(_AGAIN, task, state.value, at.now, len(waits_for))
    tell(at, task)
    if again is not None and state is TaskState.QUEUED:
        ready(at, task, at.now, needs_in(again))


def settle(at: Moment, task: str, result: str | None, error: TaskError | None) -> Act[Task]:
    """Say how an ambiguous task had ended: done where there is no error."""
    found = yield from _seen(task)
    state = TaskState.FAILED if error else TaskState.DONE
    if at.again and found["state"] == state:
        return (yield from get(at, task))
    if found["state"] != TaskState.AMBIGUOUS:
        raise Conflict(f"task {task} is {found['state']}, and there is no doubt about it", field="task")
    yield from end(at, nobodys(task), state, error=error, result=result)
    return (yield from get(at, task))


def get(_at: Moment, task: str) -> Act[Task]:
    """The task of that id."""
    found = yield from row(f"SELECT {COLUMNS} FROM task WHERE id = $1", task)
    if found is None:
        raise _missing(task)
    return task_in(found)


def _seen(task: str) -> Act[Row]:
    found = yield from row(_SEEN, task)
    if found is None:
        raise _missing(task)
    return found


def _missing(task: str) -> NotFound:
    return NotFound(f"there is no task {task}, or no longer", field="task")
