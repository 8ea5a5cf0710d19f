"""Handing tasks in."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wand_proto.errors import Conflict, Exhausted, NotFound
from wand_server.lifecycle import HOPELESS, TaskState
from wand_server.ports import News, NewTask, Submitted, Wake
from wand_server.storage import checking
from wand_server.storage.acts.ending import ready
from wand_server.storage.acts.taking_turns import LATER, behind
from wand_server.storage.asking import Act, Moment, changed, row
from wand_server.storage.rows import brief, given_out, identity, names_out, packed

COLUMNS = (
    "id, state, identity, given, digest, priority, needs, labels, idem, run_at, deadline, may_repeat, parent,"
    " depth, project, keep_seconds, created, waits_for"
)
INSERT = f"""INSERT INTO task ({COLUMNS}, turn)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
 CASE WHEN $19 = 1 THEN {LATER} ELSE {behind("$3", "$6")} END)
 ON CONFLICT DO NOTHING RETURNING id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A task as its columns."""

    task: NewTask
    identity: str
    given: str
    needs: str
    labels: str
    digest: str


def prepare(task: NewTask) -> Prepared:
    """Its columns.

    Raises:
        Invalid: the work is no JSON, or too long.
    """
    who, work = identity(task.principal), packed(task.work, "work", checking.WORK_BYTES)
    needs = names_out(task.needs)
    said = f"{who}\n{task.title}\n{task.project}\n{task.parent}\n{needs}\n{work}" if task.key else ""
    return Prepared(
        task=task,
        identity=who,
        given=given_out(task, work),
        needs=needs,
        labels=brief(dict(task.labels)) if task.labels else "{}",
        digest=hashlib.sha256(said.encode()).hexdigest() if said else "",
    )


def submit(at: Moment, several: Sequence[Prepared], keep_seconds: float) -> Act[tuple[Submitted, ...]]:
    """All of them, or none; each after those that it depends on."""
    done: dict[str, Submitted] = {}
    for one in several:
        done[one.task.id] = yield from _one(at, _after_known(one, done), keep_seconds)
    return tuple(done.values())


def _after_known(one: Prepared, done: Mapping[str, Submitted]) -> Prepared:
    """The same, after the task that was there already where it was to come after one with the same key."""
    depends_on = tuple(done[other].id if other in done else other for other in one.task.depends_on)
    if depends_on == tuple(one.task.depends_on):
        return one
    return prepare(replace(one.task, depends_on=depends_on))


def _one(at: Moment, one: Prepared, keep_seconds: float) -> Act[Submitted]:
    task = one.task
    if task.key and (known := (yield from _known(one))):
        return known
    depth = yield from _depth(task)
    if task.project:
        yield from _project(task.project)
    waits_for = yield from _dependencies(one)
    state = TaskState.BLOCKED if waits_for else TaskState.QUEUED
    run_at = max(task.not_before, at.now)
    keep = keep_seconds if task.keep_seconds is None else task.keep_seconds
    put = yield from row(
        INSERT, task.id, state.value, one.identity, one.given, one.digest, task.priority, one.needs,
        one.labels, task.key, run_at, task.deadline, int(task.may_repeat), task.parent, depth, task.project,
        keep, at.now, waits_for, int(run_at > at.now),
    )  # fmt: skip
    if put is None:
        return (yield from _there_already(one))
    for other in sorted(set(task.depends_on)):
        yield from changed("INSERT INTO edge (dependency, dependent) VALUES ($1, $2)", other, task.id)
    if state is TaskState.QUEUED:
        ready(at, task.id, run_at, task.needs)
    if task.deadline is not None:
        at.wakes.append(Wake(news=News.LATER, task=task.id))
    return Submitted(id=task.id, state=state, created=True)


def _known(one: Prepared) -> Act[Submitted | None]:
    found = yield from row(
        "SELECT id, state, digest FROM task WHERE identity = $1 AND idem = $2 AND idem <> ''",
        one.identity,
        one.task.key,
    )
    if found is None:
        return None
    if found["digest"] != one.digest:
        what = f"{one.task.key!r} is the key of task {found['id']}, whose work is other"
        raise Conflict(what, field="key", hint="use another key for other work")
    return Submitted(id=found["id"], state=TaskState(found["state"]), created=found["id"] == one.task.id)


def _there_already(one: Prepared) -> Act[Submitted]:
    """What stood in the way: the same task, when this act was done before and nobody was told; or another."""
    if one.task.key and (known := (yield from _known(one))):
        return known
    found = yield from row("SELECT state, given, identity FROM task WHERE id = $1", one.task.id)
    if found is None or (found["given"], found["identity"]) != (one.given, one.identity):
        raise Conflict(f"{one.task.id} is the id of another task", field="id")
    return Submitted(id=one.task.id, state=TaskState(found["state"]), created=True)


def _depth(task: NewTask) -> Act[int]:
    if not task.parent:
        return 0
    found = yield from row("SELECT depth FROM task WHERE id = $1", task.parent)
    if found is None:
        raise NotFound(f"there is no task {task.parent}", field="parent")
    if found["depth"] >= checking.MOST_DEPTH:
        raise Exhausted(f"children may go {checking.MOST_DEPTH} deep", field="parent")
    return int(found["depth"]) + 1


def _project(project: str) -> Act[None]:
    if (yield from row("SELECT id FROM project WHERE id = $1", project)) is None:
        raise NotFound(f"there is no project {project}", field="project")


def _dependencies(one: Prepared) -> Act[int]:
    """How many of them have not ended; each now knows that something waits for it."""
    open_ones = 0
    for other in sorted(set(one.task.depends_on)):
        found = yield from row("SELECT state FROM task WHERE id = $1 @lock", other)
        if found is None:
            raise NotFound(f"there is no task {other}", field="depends_on")
        if (state := TaskState(found["state"])) in HOPELESS:
            raise Conflict(f"{other} is {state}", field="depends_on", hint="try that one again first")
        if state is not TaskState.DONE:
            open_ones += 1
            yield from changed("UPDATE task SET has_dependents = 1 WHERE id = $1", other)
    return open_ones
