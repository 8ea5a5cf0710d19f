"""The tables, as steps forward from each version to the next; a step that was released is never edited."""

_TASKS_1 = """
CREATE TABLE task (
    seq {serial},
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    identity TEXT NOT NULL,
    given TEXT NOT NULL,
    digest TEXT NOT NULL,
    priority INTEGER NOT NULL,
    needs {json} NOT NULL,
    labels {json} NOT NULL,
    idem TEXT NOT NULL,
    run_at {real} NOT NULL,
    deadline {real},
    may_repeat INTEGER NOT NULL,
    parent TEXT NOT NULL,
    depth INTEGER NOT NULL,
    project TEXT NOT NULL,
    keep_seconds {real} NOT NULL,
    created {real} NOT NULL,
    waits_for INTEGER NOT NULL DEFAULT 0,
    has_dependents INTEGER NOT NULL DEFAULT 0,
    failed_by TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    ended_token INTEGER NOT NULL DEFAULT 0,
    last_write TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    lease_until {real},
    cancel_asked INTEGER NOT NULL DEFAULT 0,
    progress TEXT,
    input_tokens {big} NOT NULL DEFAULT 0,
    output_tokens {big} NOT NULL DEFAULT 0,
    cost_micros {big} NOT NULL DEFAULT 0,
    result TEXT,
    error TEXT,
    started {real},
    finished {real},
    gone_at {real}
){strict};
CREATE INDEX task_next ON task (state, priority DESC, run_at, seq);
CREATE UNIQUE INDEX task_idem ON task (identity, idem) WHERE idem <> '';
CREATE INDEX task_lease ON task (lease_until) WHERE state = 'running';
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL AND state IN ('queued', 'blocked');
CREATE INDEX task_gone ON task (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX task_project ON task (project, state) WHERE project <> '';
CREATE INDEX task_parent ON task (parent) WHERE parent <> '';
CREATE INDEX task_failed_by ON task (failed_by) WHERE failed_by <> '';
CREATE TABLE edge (
    dependency TEXT NOT NULL,
    dependent TEXT NOT NULL,
    PRIMARY KEY (dependency, dependent)
){strict};
CREATE INDEX edge_dependent ON edge (dependent);
CREATE TABLE step (
    task TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    token INTEGER NOT NULL,
    may_repeat INTEGER NOT NULL,
    began {real} NOT NULL,
    ended {real},
    result TEXT,
    PRIMARY KEY (task, key)
){strict};
CREATE TABLE transcript (
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    at {real} NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (task, number)
){strict};
CREATE TABLE project (
    id TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    given TEXT NOT NULL,
    created {real} NOT NULL,
    UNIQUE (identity, name)
){strict};
CREATE TABLE agent (
    name TEXT PRIMARY KEY,
    given TEXT NOT NULL,
    state TEXT NOT NULL,
    task TEXT NOT NULL,
    joined {real} NOT NULL,
    seen {real} NOT NULL
){strict};
"""
_TASKS_2 = """
DROP INDEX task_next;
CREATE INDEX task_ready ON task (priority DESC, run_at, seq) WHERE state = 'queued';
CREATE INDEX task_blocked ON task (seq) WHERE state = 'blocked';
DROP INDEX task_gone;
CREATE INDEX task_gone ON task (gone_at, state) WHERE gone_at IS NOT NULL;
"""
_TASKS_3 = """
ALTER TABLE task ADD COLUMN waits_since {real};
CREATE INDEX task_waiting ON task (run_at) WHERE state = 'waiting';
DROP INDEX task_deadline;
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL
 AND state IN ('queued', 'blocked', 'waiting');
"""
_TASKS_4 = """
ALTER TABLE task ADD COLUMN turn {big} NOT NULL DEFAULT 0;
UPDATE task SET turn = 1000000000000000 WHERE state IN ('queued', 'waiting');
DROP INDEX task_ready;
CREATE INDEX task_ready ON task (priority DESC, turn, run_at, seq) WHERE state = 'queued';
CREATE INDEX task_share ON task (identity, priority, turn) WHERE state = 'queued';
DROP INDEX task_waiting;
CREATE INDEX task_later ON task (run_at) WHERE state IN ('queued', 'waiting') AND turn = 1000000000000000;
"""
_SQLITE = {
    "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "json": "TEXT",
    "real": "REAL",
    "big": "INTEGER",
    "strict": " STRICT",
}
_POSTGRES = {
    "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "json": "JSONB",
    "real": "DOUBLE PRECISION",
    "big": "BIGINT",
    "strict": "",
}
STEPS: dict[str, tuple[str, ...]] = {
    "tasks": (_TASKS_1, _TASKS_2, _TASKS_3, _TASKS_4)
}  # of each part: from 0 to 1, from 1 to 2, …


def statements(step: str, dialect: str) -> tuple[str, ...]:
    """The statements of a step, in a dialect: "sqlite" or "postgres"."""
    text = step.format_map(_SQLITE if dialect == "sqlite" else _POSTGRES)
    return tuple(one.strip() for one in text.split(";") if one.strip())
