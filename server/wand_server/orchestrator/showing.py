"""Tasks, projects and agents as they are shown: functions of what the store keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wand_server.lifecycle import ENDED, OPEN, TaskState
from wand_server.model import TaskTold, ToolResult
from wand_server.orchestrator.agents import Agent
from wand_server.orchestrator.choosing import AgentState
from wand_server.ports import AgentRecord, Project, Task, TaskError
from wand_server.ports.projects import AgentShown, ProjectShown, TaskShown

_SHOWN = frozenset({AgentState.SICK, AgentState.STOPPING})  # what only the agent itself knows


def task_shown(task: Task, projects: Mapping[str, str]) -> TaskShown:
    """A task as one reads it; `projects` are names by id."""
    said = task.error if task.state not in {TaskState.DONE, TaskState.RUNNING} else None
    return TaskShown(
        id=task.id, title=task.title, project=projects.get(task.project, ""), state=task.state,
        agent=task.agent, attempt=task.attempt, done=task.progress.done, total=task.progress.total,
        message=_said(task.state, said) if said else _asked(task) or task.progress.message,
        kind=said.kind if said else "", after=task.depends_on, priority=task.priority, created=task.created,
        updated=max(filter(None, (task.created, task.started, task.finished))), deadline=task.deadline,
        result=task.result, is_over=task.state in ENDED,
    )  # fmt: skip


def _said(state: TaskState, error: TaskError) -> str:
    before = "last time: " if state in OPEN - {TaskState.WAITING} else ""
    return before + (f"{error.message} ({error.hint})" if error.hint else error.message)


def _asked(task: Task) -> str:
    """That somebody wants it no more, while it runs."""
    return "it is asked to stop" if task.state is TaskState.RUNNING and task.cancel_asked else ""


def told(task: Task) -> TaskTold:
    """A task as MCP's own are told; what failed has a result that says so, as a tool's."""
    shown = task_shown(task, {})
    so_far = TaskTold(status="working", message=shown.message, created=shown.created, updated=shown.updated)
    if task.state is TaskState.CANCELLED:
        return replace(so_far, status="cancelled")
    if shown.is_over:
        return replace(so_far, status="completed", message=task.state, result=_result(task, shown))
    return so_far if task.state is TaskState.RUNNING else replace(so_far, message=task.state)


def _result(task: Task, shown: TaskShown) -> ToolResult:
    if task.state is not TaskState.DONE:
        return ToolResult(text=f"{shown.kind}: {task.state}: {shown.message}", is_error=True)
    kept = task.result if isinstance(task.result, dict) else {"result": task.result}
    return ToolResult(text=str(kept.get("text") or "done"), structured=kept)


def project_shown(project: Project, attention: Sequence[Task], running: Sequence[Task]) -> ProjectShown:
    """A project at a glance."""
    names = {project.id: project.name}
    counts = {state.value: number for state, number in project.counts.items() if number}
    return ProjectShown(
        name=project.name, workspace=project.workspace,
        budget_usd=project.budget.get("cost_usd"), spent_usd=project.spent.cost_micros / 1e6, counts=counts,
        over=sum(number for state, number in project.counts.items() if state in ENDED),
        is_over=not any(project.counts.get(state) for state in OPEN),
        attention=tuple(task_shown(one, names) for one in attention),
        running=tuple(task_shown(one, names) for one in running),
        created=project.created,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known beside the register of agents."""

    now: float
    gone_seconds: float
    running: Mapping[str, str]  # which agent holds a task's lease; the task, or "" where it is another's
    here: Mapping[str, Agent]  # the agents of this process, which we need not guess about


def crew(records: Sequence[AgentRecord], seen: Seen) -> tuple[AgentShown, ...]:
    """Every agent: who holds a lease is at work, whatever it says, unless it is silent for too long."""
    return tuple(_agent(one, seen) for one in records)


def _agent(record: AgentRecord, seen: Seen) -> AgentShown:
    here = seen.here.get(record.name)
    silent = 0.0 if here is not None else max(0.0, seen.now - record.seen)
    return AgentShown(
        name=record.name, process=record.process, state=_state(record, seen, silent),
        task=seen.running.get(record.name, ""), seen_seconds=silent,
        finished=here.finished if here is not None else 0,
        labels=tuple(f"{name}={value}" if value else name for name, value in record.labels.items()),
        capabilities=tuple(sorted(record.capabilities)),
    )  # fmt: skip


def _state(record: AgentRecord, seen: Seen, silent: float) -> AgentState:
    if silent > seen.gone_seconds:
        return AgentState.GONE
    here = seen.here.get(record.name)
    told = here.state if here is not None else record.state
    if told in _SHOWN:
        return AgentState(told)
    return AgentState.BUSY if record.name in seen.running else AgentState.IDLE
