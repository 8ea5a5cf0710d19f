"""Checks a task whole before it is accepted: what is wrong is said before anything is done."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wand_proto.errors import Invalid, Unavailable
from wand_server.model import Principal, ToolDescription
from wand_server.offers import Choice, Tools
from wand_server.orchestrator.work import fitting, form, narrowing, order, references
from wand_server.orchestrator.work.form import Goal, Step, Steps
from wand_server.orchestrator.work.narrowing import Bounds, Narrowed
from wand_server.orchestrator.work.order import Waits
from wand_server.orchestrator.work.references import Reference

_MOST_TOLD = 10
_NO_TOOLS = ("",)  # the name of none: an empty choice is a choice of all
_NO_MODEL = "a goal in words needs a model, and none is configured"


class Checked(NamedTuple):
    """A task that can be begun: what it says, the tools that it may call, which steps wait for which."""

    work: Steps | Goal
    tools: Narrowed
    waits: Waits


def check(
    work: Mapping[str, Any], tools: Tools, principal: Principal, withheld: Collection[str] = ()
) -> Checked:
    """Let a task pass that can be begun as it is.

    `withheld` are tools that it may not call, whatever its caller may.

    Raises:
        Invalid: names the step and the field, what is wrong, and what would be right.
    """
    read = form.read(work)
    narrowing.check_names(read.tools or (), tools)
    own = _narrowed(read, tools, principal, withheld)
    return Checked(read, own, _plan(read, own) if isinstance(read, Steps) else {})


def no_model() -> Unavailable:
    """Why a goal cannot be worked towards here."""
    return Unavailable(_NO_MODEL, hint="hand out steps, or have [model] added to the settings", field="goal")


def _narrowed(work: Steps | Goal, tools: Tools, principal: Principal, withheld: Collection[str]) -> Narrowed:
    enabled = () if work.tools is None else work.tools or _NO_TOOLS
    choice = Choice(enabled=enabled, read_only=work.read_only)
    return Narrowed(tools, Bounds(principal=principal, choice=choice, withheld=withheld))


def _plan(work: Steps, tools: Narrowed) -> Waits:
    """Which steps wait for which, if all of them can be done."""
    names = [step.id for step in work.steps]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise Invalid("is the id of two steps", field=f"steps.{twice[0]}.id")
    kinds = {step.id: _tool(step, tools) for step in work.steps}
    for step in work.steps:
        _check_step(step, kinds[step.id], names)
    _check_result(work, names)
    waiting = order.waits(work.steps, {name: not tool.read_only for name, tool in kinds.items()})
    order.check(waiting)
    return waiting


def _tool(step: Step, tools: Narrowed) -> ToolDescription:
    tool = tools.one(step.tool)
    if tool is None:
        raise Invalid(tools.missing(step.tool).message, field=f"steps.{step.id}.tool")
    return tool


def _check_step(step: Step, tool: ToolDescription, names: Sequence[str]) -> None:
    place = f"steps.{step.id}"
    _check_references(order.references_of(step), names, items=_placed_items(step))
    for at, name in enumerate(step.after or ()):
        _need_step(name, names, f"{place}.after[{at}]")
    _check_items(step, f"{place}.for_each")
    wrong = list(fitting.misfits(tool.input_schema, references.holes(step.arguments), f"{place}.arguments"))
    if wrong:
        lines = [f"{where}: {what}" for where, what in wrong[:_MOST_TOLD]]
        raise Invalid(
            "\n".join(lines), field=wrong[0][0], hint=f"what {step.tool} takes stands in its schema"
        )


def _placed_items(step: Step) -> tuple[str, ...]:
    """Where of a step its item may be named."""
    if step.for_each is None:
        return ()
    return tuple(f"steps.{step.id}.{part}" for part in ("arguments", "when", "expect"))


def _check_references(found: Iterable[Reference], names: Sequence[str], *, items: Collection[str]) -> None:
    for one in found:
        if one.step:
            _need_step(one.step, names, one.place)
        elif not one.place.startswith(tuple(items)):
            raise Invalid("there is no item here: that is for a step with for_each", field=one.place)


def _need_step(name: str, names: Sequence[str], place: str) -> None:
    if name not in names:
        raise Invalid(f"there is no step {name!r:.80}; there are: {', '.join(names)[:400]}", field=place)


def _check_items(step: Step, place: str) -> None:
    items = step.for_each
    if items is None or references.is_form(items):
        return
    if not isinstance(items, list):
        raise Invalid("must be a list, or a reference to one", field=place)
    if len(items) > step.at_most:
        hint = f"say at_most, up to {form.MOST_ITEMS}"
        raise Invalid(f"has {len(items)} items, at most {step.at_most} are permitted", field=place, hint=hint)


def _check_result(work: Steps, names: Sequence[str]) -> None:
    _check_references(references.found(work.result, "result"), names, items=())
