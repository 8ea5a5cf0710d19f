"""Tasks, projects and agents: the values that `tasks.py` speaks of. Times are seconds of the Unix clock."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from wand_server.lifecycle import RETRIES, Retries, TaskState
from wand_server.model import Principal

Json = Any  # what `json` can write


def new_id() -> str:
    """An id for a task or a project: a UUID."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task as it is handed in; the work is JSON that only the agents read."""

    principal: Principal  # for whom it is done; never wider than the caller's
    work: Mapping[str, Json]
    id: str = field(default_factory=new_id)
    title: str = ""
    priority: int = 0  # the higher first; -100 to 100
    needs: frozenset[str] = frozenset()  # capabilities, all of which its agent must have
    key: str = ""  # of idempotency, one principal's: the same key again gives the task that is there
    not_before: float = 0.0
    deadline: float | None = None
    retries: Retries = RETRIES
    may_repeat: bool = False  # all of it may be done twice, whatever its steps say
    parent: str = ""
    project: str = ""  # its id
    depends_on: tuple[str, ...] = ()  # ids, of tasks handed in before or with it
    keep_seconds: float | None = None  # how long it is kept when it has ended; None: the store's own time
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was spent on models."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0  # millionths of a US dollar

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_micros=self.cost_micros + other.cost_micros,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """How far a task is."""

    done: float = 0.0
    total: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """Why a task did not succeed; `kind` is a name of the family in `wand_proto.errors`."""

    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it is kept."""

    id: str
    title: str
    state: TaskState
    principal: Principal
    work: Mapping[str, Json]
    priority: int
    needs: frozenset[str]
    key: str
    run_at: float  # it is not claimed before
    deadline: float | None
    retries: Retries
    may_repeat: bool
    parent: str
    project: str
    depends_on: tuple[str, ...]
    labels: Mapping[str, str]
    attempt: int  # how often it was begun
    agent: str  # that holds its lease; of a task that is not running, the last that did
    lease_until: float | None
    cancel_asked: bool
    progress: TaskProgress
    spent: Usage
    result: Json  # of a task that is DONE; else None
    error: TaskError | None  # of the last attempt
    created: float
    started: float | None  # first
    finished: float | None
    gone_at: float | None  # when it is removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A task that was handed in; not `created` where its idempotency key was known already."""

    id: str
    state: TaskState
    created: bool


class Lease(NamedTuple):
    """The right to work at a task; `token` is its fencing token, a higher one for each claim."""

    task: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is known of one step; `ended` is None where it had begun and nobody recorded its end."""

    key: str
    token: int  # of the lease under which it last began
    may_repeat: bool
    began: float
    ended: float | None
    result: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A task that is ours until its lease ends; `steps` are those of earlier attempts."""

    lease: Lease
    task: Task
    steps: tuple[Step, ...] = ()


class Hold(StrEnum):
    """Whether a lease still holds. Only HELD was recorded; with the others the worker stops."""

    HELD = "held"
    CANCEL = "cancel"  # recorded too, but the task is to be cancelled: stop, then finish as cancelled
    OVERDUE = "overdue"  # recorded too, but its deadline has passed: stop, then finish as failed
    LOST = "lost"  # nothing was recorded, and another may be at work: stop, and record nothing more


@dataclass(frozen=True, slots=True)
class StepBegins:
    """A step about to begin; `may_repeat`: doing it twice does no harm. A key is any text, as "deploy[3]"."""

    key: str
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class StepEnds:
    """A step that has ended, and what it gave; a failure that is known is an end as well."""

    key: str
    result: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What is recorded together, ends before beginnings."""

    ended: tuple[StepEnds, ...] = ()
    undone: tuple[str, ...] = ()  # keys of steps that did not come to begin: nothing is kept of them
    begins: tuple[StepBegins, ...] = ()
    progress: TaskProgress | None = None
    spent: Usage | None = None  # since the last one


NOTHING = Checkpoint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended.

    A failure that `may_pass` is tried again while attempts are left, and then is a dead letter; `at` is when,
    None for a wait by the task's own retries. What `waits` for a person's approval takes none of them.
    """

    kind: Literal["done", "failed", "cancelled", "ambiguous", "waits"]
    result: Json = None
    error: TaskError | None = None
    may_pass: bool = False
    at: float | None = None
    last: Checkpoint = NOTHING  # recorded with it


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptEntry:
    """One line of a task's transcript."""

    number: int
    at: float
    kind: str  # "message", "tool_call", "tool_result", "note": the agents' words
    content: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks: all that is given must fit."""

    states: frozenset[TaskState] = frozenset()
    identity: tuple[str, str, str] | None = None  # `Principal.identity`
    project: str = ""
    parent: str = ""  # the children of that task
    depends_on: str = ""  # the dependents of that task
    agent: str = ""
    label: tuple[str, str] | None = None
    keys: frozenset[str] = frozenset()  # of idempotency; with an identity, of which each is unique
    created_from: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Some tasks, the newest first; `cursor` asks for those that follow, and is empty at the end."""

    tasks: tuple[Task, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep did; `next_due` is when there is more to do, None where nothing waits for a time."""

    lost: int = 0  # leases that had run out
    overdue: int = 0  # deadlines that had passed
    removed: int = 0  # tasks whose time to be kept had passed
    due: int = 0  # tasks whose time to run, or to ask a person again, has come, told to the bus
    next_due: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """A named set of tasks with a workspace and a budget; the name is one principal's."""

    principal: Principal
    name: str
    id: str = field(default_factory=new_id)
    workspace: str = ""
    budget: Mapping[str, float] = field(default_factory=dict)  # the agents' words, as "cost_usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project as it is kept: how many of its tasks are in which state, and what they spent."""

    id: str
    name: str
    principal: Principal
    workspace: str
    budget: Mapping[str, float]
    created: float
    counts: Mapping[TaskState, int]
    spent: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An agent that joins; the same name again replaces it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    process: str = ""  # in which it lives, for people: "host:pid"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """An agent as it was last heard of."""

    name: str
    labels: Mapping[str, str]
    capabilities: frozenset[str]
    process: str
    state: str  # the agents' own words, as "idle" or "busy"
    task: str  # at which it works, or ""
    joined: float
    seen: float


class News(StrEnum):
    """What a wake is about."""

    READY = "ready"  # a task can be claimed: one of those that are able hears it
    CANCEL = "cancel"  # a task that runs is to stop: all hear it
    CHANGED = "changed"  # a task has another state or progress: all hear it
    LATER = "later"  # a task waits for a time: all hear it, for whoever sweeps may have to do so sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """One message of the bus; never the truth, and it may be lost or come twice.

    One that names no task says that there may be something: look.
    """

    news: News
    task: str
    needs: frozenset[str] = frozenset()
