"""Values as columns and columns as values."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from wand_proto.errors import Invalid
from wand_server.lifecycle import Held, Retries, TaskState
from wand_server.model import Principal
from wand_server.ports import (
    AgentRecord,
    Json,
    NewTask,
    Step,
    Task,
    TaskError,
    TaskProgress,
    TranscriptEntry,
    Usage,
)
from wand_server.storage.asking import Row

COLUMNS = (
    "id, state, given, priority, needs, labels, idem, run_at, deadline, may_repeat, parent, project, attempt,"
    " token, agent, lease_until, cancel_asked, progress, input_tokens, output_tokens, cost_micros, result,"
    " error, created, started, finished, gone_at"
)
HELD = "id, given, needs, attempt, may_repeat, cancel_asked, deadline, run_at, has_dependents, waits_since"

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def packed(value: Json, field: str, most_bytes: int) -> str:
    """JSON as text that every database takes.

    Raises:
        Invalid: it is no JSON, or longer than that.
    """
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as why:
        raise Invalid("must be JSON", field=field) from why
    if len(text) > most_bytes:
        raise Invalid(
            f"is {len(text)} bytes as JSON, and may be {most_bytes}", field=field, hint="keep it in a file"
        )
    return text


def brief(value: Any) -> str:
    """A value of ours as JSON."""
    return _encode(value)


@lru_cache
def names_out(names: frozenset[str]) -> str:
    """Names as JSON, in their order."""
    return brief(sorted(names))


@lru_cache
def identity(principal: Principal) -> str:
    """By what everything of one party is found."""
    return brief(principal.identity)


def principal_out(principal: Principal) -> dict[str, Any]:
    """A principal, whole, as JSON."""
    return {
        "name": principal.name,
        "means": principal.means,
        "scopes": sorted(principal.scopes),
        "groups": list(principal.groups),
        "on_behalf_of": principal.on_behalf_of,
        "credential": principal.credential,
        "expires": principal.expires,
    }


def principal_in(kept: Mapping[str, Any]) -> Principal:
    """The principal that was kept."""
    return Principal(**{**kept, "scopes": frozenset(kept["scopes"]), "groups": tuple(kept["groups"])})


def given_out(task: NewTask, work: str) -> str:
    """What of a task never changes and is asked of it alone, as JSON; the work is JSON already."""
    title, after = _encode(task.title), _encode(task.depends_on) if task.depends_on else "[]"
    principal, retries = _often(task.principal, task.retries)
    return (
        f'{{"title":{title},"principal":{principal},"retries":{retries},"depends_on":{after},"work":{work}}}'
    )


@lru_cache
def _often(principal: Principal, retries: Retries) -> tuple[str, str]:
    """What many tasks have in common, as JSON."""
    return _encode(principal_out(principal)), _encode(asdict(retries))


def task_in(row: Row) -> Task:
    """A row with `COLUMNS` as a task."""
    given = json.loads(row["given"])
    return Task(
        id=row["id"],
        title=given["title"],
        state=TaskState(row["state"]),
        principal=principal_in(given["principal"]),
        work=given["work"],
        priority=row["priority"],
        needs=needs_in(row),
        key=row["idem"],
        run_at=row["run_at"],
        deadline=row["deadline"],
        retries=Retries(**given["retries"]),
        may_repeat=bool(row["may_repeat"]),
        parent=row["parent"],
        project=row["project"],
        depends_on=tuple(given["depends_on"]),
        labels={} if row["labels"] == "{}" else json.loads(row["labels"]),
        attempt=row["attempt"],
        agent=row["agent"],
        lease_until=row["lease_until"],
        cancel_asked=bool(row["cancel_asked"]),
        progress=TaskProgress(**json.loads(row["progress"])) if row["progress"] else TaskProgress(),
        spent=spent_in(row),
        result=json.loads(row["result"]) if row["result"] else None,
        error=TaskError(**json.loads(row["error"])) if row["error"] else None,
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
        gone_at=row["gone_at"],
    )


def needs_in(row: Row) -> frozenset[str]:
    """The capabilities that a row names."""
    text = row["needs"]
    return frozenset() if text == "[]" else frozenset(json.loads(text))


def spent_in(row: Row) -> Usage:
    """What a row says was spent."""
    return Usage(
        input_tokens=int(row["input_tokens"] or 0),
        output_tokens=int(row["output_tokens"] or 0),
        cost_micros=int(row["cost_micros"] or 0),
    )


def held_in(row: Row, open_steps: tuple[bool, ...]) -> Held:
    """What is to be known of a running task, from a row with the columns `HELD`."""
    return Held(
        attempt=row["attempt"],
        retries=Retries(**json.loads(row["given"])["retries"]),
        may_repeat=bool(row["may_repeat"]),
        open_steps_may_repeat=open_steps,
        cancel_asked=bool(row["cancel_asked"]),
        deadline=row["deadline"],
    )


def error_out(error: TaskError | None) -> str | None:
    """An error as JSON."""
    return packed(asdict(error), "error", 64 * 1024) if error else None


def step_in(row: Row) -> Step:
    """A row of `step`."""
    return Step(
        key=row["key"],
        token=row["token"],
        may_repeat=bool(row["may_repeat"]),
        began=row["began"],
        ended=row["ended"],
        result=json.loads(row["result"]) if row["result"] else None,
    )


def entry_in(row: Row) -> TranscriptEntry:
    """A row of `transcript`."""
    return TranscriptEntry(
        number=row["number"], at=row["at"], kind=row["kind"], content=json.loads(row["content"])
    )


def agent_in(row: Row) -> AgentRecord:
    """A row of `agent`."""
    given = json.loads(row["given"])
    return AgentRecord(
        name=row["name"],
        labels=given["labels"],
        capabilities=frozenset(given["capabilities"]),
        process=given["process"],
        state=row["state"],
        task=row["task"],
        joined=row["joined"],
        seen=row["seen"],
    )
