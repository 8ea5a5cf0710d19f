"""The moves of a task that is begun or waits, and what they mean for those that wait for it."""

from collections.abc import Sequence
from typing import Any

from wand_server.lifecycle import HOPELESS, OPEN, Next, TaskState, leading_to
from wand_server.ports import Lease, News, TaskError, Wake
from wand_server.storage.acts.taking_turns import LATER, behind, first
from wand_server.storage.asking import Act, Moment, Row, changed, row, rows
from wand_server.storage.rows import error_out, needs_in

_END = """UPDATE task SET state = $2, finished = $3, gone_at = $3 + keep_seconds, lease_until = NULL,
 error = $4, result = $5, ended_token = $6 WHERE id = $1 AND state IN ({before}) RETURNING has_dependents"""
_BACK = """UPDATE task SET state = '{state}', run_at = $2, lease_until = NULL, error = $3,
 ended_token = $4{more} WHERE id = $1 AND state = 'running'"""
_TURN = f", turn = CASE WHEN $5 = 1 THEN {LATER} ELSE {first()} END"
_QUEUE = _BACK.format(state=TaskState.QUEUED, more=_TURN)
_WAIT = _BACK.format(
    state=TaskState.WAITING, more=f", turn = {LATER}, attempt = attempt - 1, waits_since = $5"
)
_DEPENDENTS = "(SELECT dependent FROM edge WHERE dependency = $1)"
_RELEASE = f"""UPDATE task SET waits_for = waits_for - 1 WHERE id IN {_DEPENDENTS} AND state = 'blocked'
 RETURNING id, waits_for, run_at, needs"""
_RELEASED = f"""UPDATE task SET state = 'queued',
 turn = CASE WHEN run_at > $2 THEN {LATER} ELSE {behind()} END WHERE id = $1 AND state = 'blocked'"""
_FAIL = f"""UPDATE task SET state = 'failed', failed_by = $1, finished = $2, gone_at = $2 + keep_seconds,
 error = $3 WHERE id IN {_DEPENDENTS} AND state = 'blocked' RETURNING id, has_dependents"""


def _among(states: frozenset[TaskState]) -> str:
    return ", ".join(f"'{one}'" for one in sorted(states))


_ENDS = {state: _END.format(before=_among(leading_to(state))) for state in frozenset(TaskState) - OPEN}


def tell(at: Moment, task: str) -> None:
    """Have it told that a task has changed."""
    at.wakes.append(Wake(news=News.CHANGED, task=task))


def end(
    at: Moment, lease: Lease, state: TaskState, *, error: TaskError | None = None, result: str | None = None
) -> Act[bool]:
    """Bring a task to its end, and release or fail what waits for it; False where its state is not such.

    The lease is its worker's, who may ask again; others give `nobodys`.
    """
    task = lease.task
    ended = yield from row(_ENDS[state], task, state.value, at.now, error_out(error), result, lease.token)
    if ended is None:
        return False
    tell(at, task)
    if ended["has_dependents"]:
        yield from _pass_on(at, task, state)
    return True


def nobodys(task: str) -> Lease:
    """For what is done to a task by others than its worker."""
    return Lease(task, 0)


def follow(
    at: Moment, lease: Lease, found: Row, after: Next, error: TaskError | None = None
) -> Act[TaskState]:
    """Let a running task go where the table says; its row has the columns `HELD` and is locked."""
    told = error or TaskError(kind=after.kind or "Unavailable", message=after.reason)
    if after.state not in OPEN:
        if after.kind and error:
            told = TaskError(kind=after.kind, message=f"{after.reason}: {error.message}", hint=error.hint)
        yield from end(at, lease, after.state, error=told)
        return after.state
    values = lease.task, after.run_at, error_out(told), lease.token
    tell(at, lease.task)
    if after.state is TaskState.WAITING:
        yield from changed(_WAIT, *values, found["waits_since"] or at.now)
    else:
        yield from changed(_QUEUE, *values, int(after.run_at > at.now))
    ready(at, lease.task, after.run_at, needs_in(found))
    return after.state


def ready(at: Moment, task: str, run_at: float, needs: frozenset[str]) -> None:
    """Have it told that a task can be claimed, or that it waits for its time."""
    news = News.LATER if run_at > at.now else News.READY
    at.wakes.append(Wake(news=news, task=task, needs=needs))


def open_steps(task: str) -> Act[tuple[bool, ...]]:
    """Of each step that has begun and not ended, whether it may be repeated."""
    found = yield from rows("SELECT may_repeat FROM step WHERE task = $1 AND ended IS NULL", task)
    return tuple(bool(one["may_repeat"]) for one in found)


def _pass_on(at: Moment, task: str, state: TaskState) -> Act[None]:
    if state is TaskState.DONE:
        yield from _release(at, task)
    elif state in HOPELESS:
        yield from _fail(at, task, state)


def _release(at: Moment, task: str) -> Act[None]:
    for one in (yield from rows(_RELEASE, task)):
        if one["waits_for"] == 0:
            yield from changed(_RELEASED, one["id"], at.now)
            tell(at, one["id"])
            ready(at, one["id"], one["run_at"], needs_in(one))


def _fail(at: Moment, task: str, state: TaskState) -> Act[None]:
    """What waits for a task that ended badly has failed, and so has what waits for that."""
    hopeless: list[tuple[str, str]] = [(task, state.value)]
    while hopeless:
        cause, how = hopeless.pop()
        why = TaskError(
            kind="Conflict", message=f"it depends on {cause}, which is {how}", hint="try that one again"
        )
        failed: Sequence[Any] = yield from rows(_FAIL, cause, at.now, error_out(why))
        for one in failed:
            tell(at, one["id"])
            if one["has_dependents"]:
                hopeless.append((one["id"], TaskState.FAILED.value))
