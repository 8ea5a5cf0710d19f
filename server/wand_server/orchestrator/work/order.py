"""Which steps wait for which."""

from collections.abc import Mapping, Sequence

from wand_proto.errors import Invalid
from wand_server.orchestrator.work import conditions, references
from wand_server.orchestrator.work.form import Step
from wand_server.orchestrator.work.references import Reference

Waits = Mapping[str, frozenset[str]]


def references_of(step: Step) -> tuple[Reference, ...]:
    """Every reference in a step.

    Raises:
        Invalid: one cannot be read.
    """
    place = f"steps.{step.id}"
    found = [*references.found(step.arguments, f"{place}.arguments")]
    if step.when is not None:
        found += conditions.found(step.when, f"{place}.when")
    found += references.found(step.for_each, f"{place}.for_each")
    if step.expect is not None:  # may speak of the step itself
        found += (one for one in conditions.found(step.expect, f"{place}.expect") if one.step != step.id)
    return tuple(found)


def waits(steps: Sequence[Step], changes: Mapping[str, bool]) -> Waits:
    """For each step, those that must have ended before it begins.

    It waits for those to which it refers, and for those that it names. Where it names none, for those that
    stand before it, unless both only read.
    """
    before: list[str] = []
    found: dict[str, frozenset[str]] = {}
    for step in steps:
        meant = {one.step for one in references_of(step)} - {""}
        if step.after is not None:
            others = set(step.after)
        else:
            others = {each for each in before if changes[each] or changes[step.id]}
        found[step.id] = frozenset(meant | others)
        before.append(step.id)
    return found


def check(waiting: Waits) -> None:
    """Let steps pass none of which waits for itself.

    Raises:
        Invalid: names those that wait for each other.
    """
    done: set[str] = set()
    for name in waiting:
        _walk(name, waiting, [], done)


def _walk(name: str, waiting: Waits, way: list[str], done: set[str]) -> None:
    if name in way:
        circle = " for ".join([*way[way.index(name) :], name])
        hint = 'a step waits for those before it, unless both only read, or it says "after"'
        raise Invalid(f"steps wait for each other: {circle}", field=f"steps.{name}", hint=hint)
    if name in done:
        return
    for other in sorted(waiting[name]):
        _walk(other, waiting, [*way, name], done)
    done.add(name)
