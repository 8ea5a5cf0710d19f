"""Projects, and the agents that have joined."""

import json
from collections.abc import Mapping, Sequence

from wand_proto.errors import Conflict, NotFound
from wand_server.lifecycle import TaskState
from wand_server.ports import AgentRecord, NewProject, Project, Registration, Usage
from wand_server.storage.asking import Act, Moment, Row, changed, row, rows
from wand_server.storage.rows import agent_in, brief, identity, principal_in, principal_out, spent_in

_PROJECT = "SELECT id, identity, name, given, created FROM project"
_SUMS = """SELECT project, state, COUNT(*) AS n, SUM(input_tokens) AS input_tokens, SUM(output_tokens)
 AS output_tokens, SUM(cost_micros) AS cost_micros
 FROM task WHERE project <> '' AND project {among} GROUP BY project, state"""
_CREATE = """INSERT INTO project (id, identity, name, given, created) VALUES ($1, $2, $3, $4, $5)
 ON CONFLICT DO NOTHING RETURNING id"""
_REGISTER = """INSERT INTO agent (name, given, state, task, joined, seen) VALUES ($1, $2, 'idle', '', $3, $3)
 ON CONFLICT (name) DO UPDATE SET given = excluded.given, state = excluded.state, task = excluded.task,
 joined = excluded.joined, seen = excluded.seen"""
_BEAT = "UPDATE agent SET state = $2, task = $3, seen = $4 WHERE name = $1 RETURNING name"


def create_project(at: Moment, new: NewProject) -> Act[Project]:
    """Keep a new one."""
    given = {
        "principal": principal_out(new.principal),
        "workspace": new.workspace,
        "budget": dict(new.budget),
    }
    who = identity(new.principal)
    made = yield from row(_CREATE, new.id, who, new.name, brief(given), at.now)
    if made is None:
        there = yield from row(
            f"{_PROJECT} WHERE id = $1 OR (identity = $2 AND name = $3)", new.id, who, new.name
        )
        if there is None or (there["id"], there["identity"], there["name"]) != (new.id, who, new.name):
            raise Conflict(
                f"there is a project {new.name!r} already", field="name", hint="choose another name"
            )
    return (yield from project(at, new.id))


def project(_at: Moment, wanted: str) -> Act[Project]:
    """The project of that id."""
    found = yield from row(f"{_PROJECT} WHERE id = $1", wanted)
    if found is None:
        raise NotFound(f"there is no project {wanted}", field="project")
    return _project(found, (yield from rows(_SUMS.format(among="= $1"), wanted)))


def projects(_at: Moment, who: tuple[str, str, str] | None) -> Act[tuple[Project, ...]]:
    """All, or those of one principal, by name."""
    where, values = (" WHERE identity = $1", (brief(who),)) if who else ("", ())
    found = yield from rows(f"{_PROJECT}{where} ORDER BY name, id", *values)
    sums = yield from rows(_SUMS.format(among=f"IN (SELECT id FROM project{where})"), *values)
    of_each: dict[str, list[Row]] = {one["id"]: [] for one in found}
    for one in sums:
        of_each[one["project"]].append(one)
    return tuple(_project(one, of_each[one["id"]]) for one in found)


def _project(found: Row, sums: Sequence[Row]) -> Project:
    given = json.loads(found["given"])
    return Project(
        id=found["id"],
        name=found["name"],
        principal=principal_in(given["principal"]),
        workspace=given["workspace"],
        budget=given["budget"],
        created=found["created"],
        counts=_counts(sums),
        spent=sum(map(spent_in, sums), Usage()),
    )


def _counts(sums: Sequence[Row]) -> Mapping[TaskState, int]:
    many = {one["state"]: int(one["n"]) for one in sums}
    return {state: many.get(state.value, 0) for state in TaskState}


def register(at: Moment, agent: Registration) -> Act[None]:
    """An agent has joined."""
    given = {
        "labels": dict(agent.labels),
        "capabilities": sorted(agent.capabilities),
        "process": agent.process,
    }
    yield from changed(_REGISTER, agent.name, brief(given), at.now)


def beat(at: Moment, agent: str, state: str, task: str) -> Act[bool]:
    """An agent lives; False where it is not registered."""
    return (yield from row(_BEAT, agent, state, task, at.now)) is not None


def leave(_at: Moment, agent: str) -> Act[None]:
    """An agent is no more."""
    yield from changed("DELETE FROM agent WHERE name = $1", agent)


def agents(_at: Moment) -> Act[tuple[AgentRecord, ...]]:
    """All that have joined, by name."""
    return tuple(map(agent_in, (yield from rows("SELECT * FROM agent ORDER BY name"))))
