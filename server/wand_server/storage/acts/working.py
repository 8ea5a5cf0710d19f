"""What an agent does with a task: claim it, hold it, record its steps, end it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from wand_proto.errors import Conflict
from wand_server.lifecycle import TaskState, when_failed, when_given_back, when_waiting
from wand_server.ports import (
    Checkpoint,
    Claimed,
    Hold,
    Json,
    Lease,
    Outcome,
    StepBegins,
    StepEnds,
    TaskError,
    TaskProgress,
)
from wand_server.storage import checking
from wand_server.storage.acts.ending import end, follow, open_steps, tell
from wand_server.storage.asking import Act, Moment, Row, changed, row, rows
from wand_server.storage.rows import COLUMNS, HELD, brief, held_in, packed, step_in, task_in

READY = "state = 'queued' AND run_at <= $4 AND (deadline IS NULL OR deadline > $4) AND @able($5)"
IN_ORDER = "ORDER BY priority DESC, turn, run_at, seq"
STILL_QUEUED = "state || '' = 'queued'"  # not so that one is looked for in an index of all that are queued
_CLAIM = """UPDATE task SET state = 'running', token = token + 1, attempt = attempt + 1, agent = $1,
 lease_until = $2, started = COALESCE(started, $3), cancel_asked = 0, progress = NULL, last_write = $6
 WHERE seq = (SELECT seq FROM task WHERE {which} {order} LIMIT 1 @skip) AND {still}
 RETURNING {columns}"""
CLAIM_NEXT = _CLAIM.format(which=READY, order=IN_ORDER, columns=COLUMNS, still=STILL_QUEUED)
_CLAIM_ONE = _CLAIM.format(which=f"id = $7 AND {READY}", order="", columns=COLUMNS, still=STILL_QUEUED)
_CLAIMED = f"SELECT {COLUMNS} FROM task WHERE state = 'running' AND agent = $1 AND last_write = $2"
_OURS = "id = $1 AND token = $2 AND state = 'running'"
_RENEW = f"UPDATE task SET lease_until = $3 WHERE {_OURS} RETURNING cancel_asked, deadline"
_PROGRESS = f"UPDATE task SET lease_until = $3, progress = $4 WHERE {_OURS} RETURNING cancel_asked, deadline"
_HOLD = f"SELECT cancel_asked, deadline, last_write, progress, waits_since FROM task WHERE {_OURS} @lock"
_SPEND = """UPDATE task SET last_write = $2, progress = $3, input_tokens = input_tokens + $4,
 output_tokens = output_tokens + $5, cost_micros = cost_micros + $6 WHERE id = $1"""
_BEGIN = """INSERT INTO step (task, key, number, token, may_repeat, began)
 VALUES ($1, $2, (SELECT COALESCE(MAX(number), -1) + 1 FROM step WHERE task = $1), $3, $4, $5)
 ON CONFLICT (task, key) DO UPDATE SET token = excluded.token, may_repeat = excluded.may_repeat,
 began = excluded.began WHERE step.ended IS NULL RETURNING key"""
_ENDED = """INSERT INTO step (task, key, number, token, may_repeat, began, ended, result)
 VALUES ($1, $2, (SELECT COALESCE(MAX(number), -1) + 1 FROM step WHERE task = $1), $3, 0, $4, $4, $5)
 ON CONFLICT (task, key) DO UPDATE SET ended = excluded.ended, result = excluded.result,
 token = excluded.token"""
_UNDONE = "DELETE FROM step WHERE task = $1 AND key = $2 AND ended IS NULL"
_TRANSCRIBE = """INSERT INTO transcript (task, number, at, kind, content)
 VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM transcript WHERE task = $1), $2, $3, $4)"""
DONE = f"""UPDATE task SET state = 'done', finished = $3, gone_at = $3 + keep_seconds, lease_until = NULL,
 error = NULL, result = $4, ended_token = $2 WHERE {_OURS} AND has_dependents = 0 RETURNING id"""
_FINISHED = "SELECT state FROM task WHERE id = $1 AND ended_token = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who claims, and for how long; `able` is what the agent can do, as JSON; `mark` is this call's own."""

    agent: str
    able: str
    lease_seconds: float
    task: str  # that one; "": the next
    mark: str


def claim(at: Moment, wanted: Wanted) -> Act[Claimed | None]:
    """The next task, or the one that is wanted."""
    found = (yield from row(_CLAIMED, wanted.agent, wanted.mark)) if at.again else None
    if found is None:
        found = yield from _claim(at, wanted)
    if found is None:
        return None
    steps: Sequence[Row] = ()
    if found["token"] > 1:
        steps = yield from rows("SELECT * FROM step WHERE task = $1 ORDER BY number", found["id"])
    tell(at, found["id"])
    lease = Lease(found["id"], found["token"])
    return Claimed(lease=lease, task=task_in(found), steps=tuple(map(step_in, steps)))


def _claim(at: Moment, wanted: Wanted) -> Act[Row | None]:
    until = at.now + wanted.lease_seconds
    values = (wanted.agent, until, at.now, at.now, wanted.able, wanted.mark)
    return row(_CLAIM_ONE, *values, wanted.task) if wanted.task else row(CLAIM_NEXT, *values)


def renew(at: Moment, lease: Lease, lease_seconds: float, progress: TaskProgress | None) -> Act[Hold]:
    """Hold it for so much longer from now."""
    until = at.now + lease_seconds
    if progress is None:
        return _hold(at, (yield from row(_RENEW, *lease, until)))
    hold = _hold(at, (yield from row(_PROGRESS, *lease, until, brief(asdict(progress)))))
    if hold is not Hold.LOST:
        tell(at, lease.task)
    return hold


def _hold(at: Moment, found: Row | None) -> Hold:
    if found is None:
        return Hold.LOST
    if found["cancel_asked"]:
        return Hold.CANCEL
    return Hold.OVERDUE if found["deadline"] is not None and found["deadline"] <= at.now else Hold.HELD


def checkpoint(at: Moment, lease: Lease, given: Checkpoint, mark: str) -> Act[Hold]:
    """Record it; `mark` tells this call from others, for it may be done a second time."""
    found = yield from row(_HOLD, *lease)
    hold = _hold(at, found)
    if found is None or found["last_write"] == mark:
        return hold
    yield from _record(at, lease, given)
    if given.ended and found["waits_since"] is not None:
        yield from changed("UPDATE task SET waits_since = NULL WHERE id = $1", lease.task)
    if given.spent or given.progress:
        yield from _spend(lease.task, given, mark, found["progress"])
    if given.progress:
        tell(at, lease.task)
    return hold


def _record(at: Moment, lease: Lease, given: Checkpoint) -> Act[None]:
    for one in given.ended:
        yield from _step_ends(at, lease, one)
    for key in given.undone:
        yield from changed(_UNDONE, lease.task, key)
    for begins in given.begins:
        yield from _step_begins(at, lease, begins)


def _step_ends(at: Moment, lease: Lease, one: StepEnds) -> Act[None]:
    result = packed(one.result, "result", checking.RESULT_BYTES)
    yield from changed(_ENDED, lease.task, one.key, lease.token, at.now, result)


def _step_begins(at: Moment, lease: Lease, one: StepBegins) -> Act[None]:
    begun = yield from row(_BEGIN, lease.task, one.key, lease.token, int(one.may_repeat), at.now)
    if begun is None:
        raise Conflict(f"the step {one.key!r} has ended already", field="begins")


def _spend(task: str, given: Checkpoint, mark: str, progress: str | None) -> Act[None]:
    spent = given.spent
    tokens = (spent.input_tokens, spent.output_tokens, spent.cost_micros) if spent else (0, 0, 0)
    said = brief(asdict(given.progress)) if given.progress else progress
    yield from changed(_SPEND, task, mark, said, *tokens)


def transcribe(at: Moment, lease: Lease, entries: Sequence[tuple[str, Json]], mark: str) -> Act[Hold]:
    """Add to the transcript."""
    found = yield from row(_HOLD, *lease)
    if found is None or found["last_write"] == mark:
        return _hold(at, found)
    for kind, content in entries:
        text = packed(content, "content", checking.ENTRY_BYTES)
        yield from changed(_TRANSCRIBE, lease.task, at.now, kind, text)
    yield from changed("UPDATE task SET last_write = $2 WHERE id = $1", lease.task, mark)
    return _hold(at, found)


def is_one_statement(outcome: Outcome) -> bool:
    """Whether it can be recorded without looking first, where nothing waits for the task."""
    return outcome.kind == "done" and outcome.last == Checkpoint()


def finish(at: Moment, lease: Lease, outcome: Outcome, mark: str) -> Act[TaskState | None]:
    """End an attempt; where the task went."""
    result = packed(outcome.result, "result", checking.RESULT_BYTES) if outcome.result is not None else None
    if is_one_statement(outcome) and (yield from row(DONE, *lease, at.now, result)) is not None:
        tell(at, lease.task)
        return TaskState.DONE
    found = yield from _held(lease)
    if found is None:
        return (yield from _finished(lease))
    yield from checkpoint(at, lease, outcome.last, mark)
    if outcome.kind == "done":
        yield from end(at, lease, TaskState.DONE, result=result)
        return TaskState.DONE
    return (yield from _badly(at, lease, found, outcome))


def _badly(at: Moment, lease: Lease, found: Row, outcome: Outcome) -> Act[TaskState]:
    held = held_in(found, (yield from open_steps(lease.task)))
    error = outcome.error or TaskError(kind="Broken", message=f"it ended as {outcome.kind}, without a reason")
    if outcome.kind == "waits":
        since = found["waits_since"] or at.now
        return (yield from follow(at, lease, found, when_waiting(held, since, at.now), error))
    again = outcome.kind == "failed" and outcome.may_pass
    if again and outcome.at is not None:
        return (yield from follow(at, lease, found, when_given_back(held, outcome.at, at.now), error))
    after = when_failed(held, at.now, at.roll(), again=again)
    if after is not None:
        return (yield from follow(at, lease, found, after, error))
    state = TaskState(outcome.kind)
    yield from end(at, lease, state, error=error)
    return state


def give_back(at: Moment, lease: Lease, run_at: float, error: TaskError | None) -> Act[TaskState | None]:
    """Give a task back, to be run at that time or later."""
    found = yield from _held(lease)
    if found is None:
        return (yield from _finished(lease))
    held = held_in(found, (yield from open_steps(lease.task)))
    return (yield from follow(at, lease, found, when_given_back(held, run_at, at.now), error))


def _held(lease: Lease) -> Act[Row | None]:
    return (yield from row(f"SELECT {HELD} FROM task WHERE {_OURS} @lock", *lease))


def _finished(lease: Lease) -> Act[TaskState | None]:
    """Where the task went under this very lease, when the act was done before and nobody was told."""
    found = yield from row(_FINISHED, *lease)
    return TaskState(found["state"]) if found else None
