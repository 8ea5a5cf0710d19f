"""What an agent does with a task that it has claimed: its work, with what earlier attempts have recorded."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wand_proto.context import REQUEST_ID, new_request_id
from wand_proto.errors import NeedsApproval
from wand_server.model import Call
from wand_server.offers import Tools
from wand_server.orchestrator.attempt import Attempt, error_of, placed
from wand_server.orchestrator.handing import withheld_from
from wand_server.orchestrator.work import around as work
from wand_server.orchestrator.work.carrying import carry_out
from wand_server.orchestrator.work.models.port import Model
from wand_server.orchestrator.work.models.port import Usage as Used
from wand_server.orchestrator.workspace import InWorkspace
from wand_server.ports import (
    Checkpoint,
    Claimed,
    Outcome,
    Project,
    Step,
    StepBegins,
    StepEnds,
    Task,
    TaskError,
    TaskProgress,
    TaskStore,
    Usage,
)

_ENTRIES_AT_ONCE = 200
_AGAIN = "~"  # in no name of an act


class Journal:
    """What a task's work records, in the store and under its lease; offers `work.around.Journal`.

    What is done again after it had ended is another step of the store's, and has a number behind its name.
    Of a goal any step may be left open: its model is told that nobody knows its end, and goes on.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._is_goal = "goal" in attempt.claimed.task.work
        self._times = Counter(act_of(step.key) for step in attempt.claimed.steps if step.ended is not None)

    async def begins(self, act: str, *, may_repeat: bool) -> None:
        """An act is about to begin; where it must not, this does not return."""
        begins = StepBegins(key=self._key(act), may_repeat=may_repeat or self._is_goal)
        await self._attempt.checkpoint(Checkpoint(begins=(begins,)))

    async def ended(self, act: str, end: dict[str, Any]) -> None:
        """An act has ended so; one that waits for a person's approval was not begun."""
        key = self._key(act)
        if end["waits"]:
            await self._attempt.checkpoint(Checkpoint(undone=(key,)))
            return
        self._times[act] += 1
        await self._attempt.checkpoint(Checkpoint(ended=(StepEnds(key=key, result=end),)))

    def _key(self, act: str) -> str:
        return f"{act}{_AGAIN}{self._times[act]}" if self._times[act] else act

    async def note(self, entry: dict[str, Any]) -> None:
        """One more entry of the transcript, and what it cost: a project sees at once what is left."""
        await self._attempt.transcribe([("message", entry)])
        if "usage" in entry:
            await self._attempt.checkpoint(Checkpoint(spent=_spent(entry["usage"])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Carries out what agents claim, with these tools; a model is for goals."""

    store: TaskStore
    tools: Tools
    model: Model | None = None
    budget: work.Budget = field(default_factory=work.Budget)

    async def __call__(self, agent: str, attempt: Attempt) -> Outcome:
        """How it ended."""
        task = attempt.claimed.task
        call = Call(
            principal=task.principal, request_id=new_request_id(), agent=agent, task=task.id, may_last=True
        )
        REQUEST_ID.set(call.request_id)
        project = await self.store.project(task.project) if task.project else None
        around = work.Around(
            tools=InWorkspace(self.tools, project.workspace) if project and project.workspace else self.tools,
            call=call._replace(progress=_telling(attempt)),
            journal=Journal(attempt),
            past=await self._past(attempt.claimed),
            deadline=_on_monotonic(task.deadline),
            budget=self.budget,
            allowance=self._allowance(project) if project else None,
            model=self.model,
            withheld=withheld_from(is_child=bool(task.parent)),
        )
        return _told(await carry_out(task.work, around))

    async def _past(self, claimed: Claimed) -> work.Past:
        if not claimed.steps and claimed.task.attempt == 1 and "goal" not in claimed.task.work:
            return work.Past()  # there can be nothing, and to ask takes time
        transcript = await self._transcript(claimed.task)
        return replace(past_of(claimed.task, claimed.steps), transcript=transcript)

    async def _transcript(self, task: Task) -> tuple[dict[str, Any], ...]:
        """All of it: a conversation that lacks its end is another one."""
        found: list[dict[str, Any]] = []
        after = 0
        while entries := await self.store.transcript(task.id, after=after, limit=_ENTRIES_AT_ONCE):
            found += (entry.content for entry in entries if entry.kind == "message")
            after = entries[-1].number
        return tuple(found)

    def _allowance(self, project: Project) -> work.Allowance:
        """What all tasks of a project may still spend together."""
        most = project.budget.get("cost_usd")

        async def left() -> float | None:
            if most is None:
                return None
            now = await self.store.project(project.id)
            return max(0.0, most - now.spent.cost_micros / 1e6)

        return left


def past_of(task: Task, steps: Sequence[Step]) -> work.Past:
    """What earlier attempts have come to.

    A step that failed and so ended its attempt is done again. What nobody knows the end of is done again only
    where a person has said so: then the attempts begin anew.
    """
    wanted_again = task.attempt == 1
    stops = _stopping(task.work)
    ended, begun = {}, {}
    for act, step in {act_of(step.key): step for step in steps}.items():  # of each the last time
        if step.ended is None:
            if not wanted_again or "goal" in task.work:
                begun[act] = step.may_repeat
        elif not _is_done_again(act, step.result, stops, wanted_again=wanted_again):
            ended[act] = step.result
    return work.Past(ended=ended, begun=begun)


def act_of(key: str) -> str:
    """The act of which that is one time."""
    return key.partition(_AGAIN)[0]


def _is_done_again(act: str, result: Any, stops: frozenset[str], *, wanted_again: bool) -> bool:
    end = result if isinstance(result, Mapping) else {}
    if not end.get("is_error") or act.partition("[")[0] not in stops:
        return False
    return wanted_again or end.get("kind") != "Ambiguous"


def _stopping(given: Mapping[str, Any]) -> frozenset[str]:
    """The steps whose failure ends the task."""
    steps = given.get("steps") or ()
    return frozenset(step["id"] for step in steps if step.get("on_error", "stop") == "stop")


def _telling(attempt: Attempt) -> Any:
    async def tell(done: float, total: float | None, message: str) -> None:
        attempt.tell(TaskProgress(done=done, total=total, message=message[:1000]))

    return tell


def _on_monotonic(deadline: float | None) -> float | None:
    return None if deadline is None else time.monotonic() + deadline - time.time()


def _spent(used: Mapping[str, Any]) -> Usage:
    """What one answer of a model took, as the store counts it."""
    usage = Used(**used)
    return Usage(
        input_tokens=usage.tokens - usage.output_tokens,
        output_tokens=usage.output_tokens,
        cost_micros=round(usage.cost_usd * 1e6),
    )


def _told(outcome: work.Outcome) -> Outcome:
    """An outcome as the store keeps it."""
    match outcome.state:
        case "done":
            result = {"result": outcome.result, "text": outcome.text, "steps": dict(outcome.steps)}
            if outcome.unknown:
                result["unknown"] = list(outcome.unknown)
            return Outcome(kind="done", result=result)
        case "waits":
            return Outcome(kind="waits", error=error_of(NeedsApproval(" ".join(outcome.text.split()))))
        case "failed" | "ambiguous" as kind:
            if kind == "failed" and outcome.unknown and not outcome.may_pass:
                return Outcome(kind="ambiguous", error=_in_doubt(outcome))
            error = error_of(outcome.error) if outcome.error else _unnamed(outcome)
            after = outcome.after_seconds
            at = None if after is None else time.time() + after
            return Outcome(kind=kind, error=error, may_pass=outcome.may_pass, at=at)


def _unnamed(outcome: work.Outcome) -> TaskError:
    kind = "Ambiguous" if outcome.state == "ambiguous" else "Broken"
    about = ", ".join(outcome.unknown) or outcome.text or outcome.state
    return TaskError(kind=kind, message=about[:1000])


def _in_doubt(outcome: work.Outcome) -> TaskError:
    """It failed, and of some of what it did nobody knows whether it was done."""
    acts = ", ".join(outcome.unknown)
    why = placed(outcome.error) if outcome.error else outcome.text
    return TaskError(
        kind="Ambiguous", message=f"whether {acts} was done is not known; it ended with: {why}"[:4000]
    )
