"""Tasks as somebody hands them out, read whole and made into what the store keeps: all of them, or none."""

import re
import time
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wand_proto.errors import Denied, Invalid, WandError
from wand_server import arguments
from wand_server.lifecycle import Retries
from wand_server.model import Call, Principal
from wand_server.offers import Choice, Tools
from wand_server.orchestrator import authority
from wand_server.orchestrator.work.checking import check, no_model
from wand_server.orchestrator.work.form import FIELDS as WORK_FIELDS
from wand_server.orchestrator.work.form import Goal, Steps
from wand_server.orchestrator.work.narrowing import HANDS_OUT, Bounds, Narrowed, within
from wand_server.ports import NewTask, new_id
from wand_server.storage import checking

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAY = 86400.0
_OF_STEPS = frozenset({"tool", "arguments"})
_IN_A_STEP = 'it stands in a step: "steps": [{"tool": "…", "arguments": {…}}]'
_BESIDE = "project stands beside tasks"
_MOST_WORD = 200
_OF_CHILDREN = HANDS_OUT | {"manage_tasks"}  # more work, from within work


def _line(given: str) -> str:
    if not checking.is_line(given):
        raise ValueError(checking.LINE)
    return given


def _name(given: str) -> str:
    if not checking.NAME.fullmatch(given):
        raise ValueError(checking.NAMED)
    return given


Word = Annotated[str, Field(max_length=_MOST_WORD)]
Line = Annotated[Word, AfterValidator(_line)]
Name = Annotated[str, AfterValidator(_name)]


class Form(BaseModel):
    """What a task may say beside its work."""

    model_config = ConfigDict(frozen=True, extra="allow")  # the rest is its work, which is read elsewhere

    title: Line = ""
    key: Line = ""
    after: Annotated[tuple[Word, ...], Field(max_length=checking.MOST_DEPENDENCIES)] = ()
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    deadline_seconds: Annotated[float, Field(gt=0, le=365 * _DAY)] | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=365 * _DAY)] = 0
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    repeatable: bool = False
    needs: Annotated[tuple[Name, ...], Field(max_length=checking.MOST_NAMES)] = ()
    labels: Annotated[dict[Name, Line], Field(max_length=checking.MOST_NAMES)] = {}
    keep_days: Annotated[float, Field(gt=0, le=365)] | None = None
    scopes: tuple[Word, ...] | None = None


FIELDS = tuple(Form.model_fields)


class Around(NamedTuple):
    """What tasks are handed out amid."""

    above: Steps | Goal | None = None  # the work within which they are handed out
    there: Mapping[str, str] = {}  # ids of tasks of before, by those of their keys that are named


ALONE = Around()


def withheld_from(*, is_child: bool) -> frozenset[str]:
    """The tools that a task may not call, whoever it is for: a task of a task hands nothing out."""
    return _OF_CHILDREN if is_child else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Reads what is handed out; the work is checked against the tools that it may call."""

    tools: Tools
    has_model: bool = True  # for goals

    def read(
        self, call: Call, untrusted: Sequence[Mapping[str, Any]], project: str, around: Around = ALONE
    ) -> tuple[NewTask, ...]:
        """The tasks, under their caller's authority.

        Raises:
            WandError: one cannot be done as it is; the field names which.
        """
        return tuple(self.each(call, untrusted, project, around))

    def each(
        self, call: Call, untrusted: Sequence[Mapping[str, Any]], project: str, around: Around = ALONE
    ) -> Iterator[NewTask]:
        """The same, one by one: a thousand of them take seconds, in which others want their turn."""
        above, ids = around.above, ChainMap[str, str]({}, {**around.there})
        for at, one in enumerate(untrusted):
            try:
                bounded = within(above, one, self.tools) if above else one
                yield self._one(call, bounded, project, ids)
            except WandError as why:
                place = f"tasks[{at}]"
                why.message = why.message.removeprefix(f"{why.field}: ") if why.field else why.message
                why.field = f"{place}.{why.field}" if why.field else place
                raise

    def _one(
        self, call: Call, untrusted: Mapping[str, Any], project: str, ids: ChainMap[str, str]
    ) -> NewTask:
        form = arguments.read(Form, {name: untrusted[name] for name in FIELDS if name in untrusted})
        given = {name: value for name, value in untrusted.items() if name not in FIELDS}
        for name in given:
            if name not in WORK_FIELDS:
                known = ", ".join(dict.fromkeys((*FIELDS, *WORK_FIELDS)))
                hint = _IN_A_STEP if name in _OF_STEPS else f"a task may have: {known}; {_BESIDE}"
                raise Invalid("there is no such field", field=name[:80], hint=hint)
        principal = authority.narrowed(call.principal, form.scopes)
        work = self._work(given, principal, withheld_from(is_child=bool(call.task)))
        now = time.time()
        task = NewTask(
            id=new_id(), principal=principal, work=work, title=form.title or _title(work),
            priority=form.priority, needs=frozenset(form.needs), key=form.key,
            not_before=now + form.delay_seconds if form.delay_seconds else 0.0,
            deadline=None if form.deadline_seconds is None else now + form.deadline_seconds,
            retries=Retries(most_attempts=form.attempts), may_repeat=form.repeatable, parent=call.task,
            project=project, depends_on=_before(form, ids),
            keep_seconds=None if form.keep_days is None else form.keep_days * _DAY, labels=form.labels,
        )  # fmt: skip
        if form.key:
            ids[form.key] = task.id
        return task

    def _work(
        self, given: Mapping[str, Any], principal: Principal, withheld: Collection[str]
    ) -> dict[str, Any]:
        """What is to be done, checked whole; its steps have ids."""
        work = {**given}
        if isinstance(steps := work.get("steps"), list | tuple):
            work["steps"] = [_with_id(step, at) for at, step in enumerate(steps, 1)]
        own = Narrowed(self.tools, Bounds(principal=principal, choice=Choice(), withheld=withheld))
        if not own.describe():
            raise Denied("there is no tool that it may call", field="scopes")
        if isinstance(check(work, self.tools, principal, withheld).work, Goal) and not self.has_model:
            raise no_model()
        return work


def _with_id(step: Any, at: int) -> Any:
    return {"id": f"step-{at}", **step} if isinstance(step, Mapping) else step


def keys_named(untrusted: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The keys of which it has to be known whether tasks of before have them: those for which something is
    to wait, and those of what is to wait, which may be there already.
    """
    found: set[str] = set()
    for one in untrusted:
        after = one.get("after")
        if isinstance(after, list | tuple) and len(after) <= checking.MOST_DEPENDENCIES:
            names = {name for name in after if isinstance(name, str) and not UUID.fullmatch(name)}
            found |= {*names, one["key"]} if isinstance(one.get("key"), str) and after else names
    return frozenset(name for name in found if name and len(name) <= _MOST_WORD and checking.is_line(name))


def _before(form: Form, ids: ChainMap[str, str]) -> tuple[str, ...]:
    """The ids of those for which it waits; what is there already waits for nothing anew."""
    found, is_there = [], form.key in ids.parents
    for name in form.after:
        task = ids.get(name) or (name if UUID.fullmatch(name) else "")
        if task:
            found.append(task)
        elif not is_there:
            known = ", ".join(ids.maps[0]) or "none"
            hint = (
                "a key of a task before it in this call or of one that you have already, or a task's id; "
                f"keys so far in this call: {known[:300]}"
            )
            raise Invalid(f"{name!r:.80} is no task", field="after", hint=hint)
    return tuple(dict.fromkeys(found))


def _title(work: Mapping[str, Any]) -> str:
    """What a task without a title is called."""
    if isinstance(goal := work.get("goal"), str):
        return "".join(filter(checking.is_line, " ".join(goal.split())))[:80]
    return ", ".join(str(step.get("tool")) for step in work.get("steps", ()))[:80]
