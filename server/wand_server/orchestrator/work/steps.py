"""Carries steps out: each as soon as those for which it waits have ended."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from wand_proto.errors import Exhausted, Invalid, Unavailable, WandError
from wand_server.model import refusal
from wand_server.orchestrator.work import conditions, references
from wand_server.orchestrator.work.acts import AMBIGUOUS, Act, Acts, together
from wand_server.orchestrator.work.around import End, Outcome, State, error_of
from wand_server.orchestrator.work.form import Step, Steps
from wand_server.orchestrator.work.order import Waits
from wand_server.orchestrator.work.references import Missing, Values

_SHOWN = 400
_PASSES = (Unavailable, Exhausted)
_ENDS_IT = frozenset({"failed", "ambiguous", "waits"})


def _told(state: str, result: Any, text: str) -> Mapping[str, Any]:
    """What others can refer to; its members are `references.PARTS`."""
    failed = state in {"failed", "ambiguous"}
    return {"result": result, "text": text, "failed": failed, "skipped": state == "skipped"}


class StepEnd:
    """How a step ended: its state, and what others can refer to."""

    def __init__(
        self, state: str, ends: Sequence[End], *, is_one: bool, error: WandError | None = None
    ) -> None:
        self.state = state
        self.ends = ends
        self.error = error
        results = [end.result for end in ends]
        text = "\n".join(end.text for end in ends) or (str(error) if error else "")
        self.told = _told(state, (results[0] if results else None) if is_one else results, text)


class StepsRun:
    """Some steps on their way."""

    def __init__(self, work: Steps, waits: Waits, acts: Acts) -> None:
        self._work = work
        self._waits = waits
        self._acts = acts
        self._left = {step.id: step for step in work.steps}
        self._ended: dict[str, StepEnd] = {}
        self._stopped = False

    async def carry_out(self) -> Outcome:
        """What the steps come to; after a failure none begins, and those that run come to their end."""
        running: dict[asyncio.Task[StepEnd], Step] = {}
        try:
            while True:
                for step in self._ready(self._work.at_once - len(running)):
                    running[asyncio.create_task(self._one(step), name=f"step {step.id}")] = step
                if not running:
                    return self._outcome()
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await self._settle(running.pop(task), task.result())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _ready(self, room: int) -> Iterator[Step]:
        if self._stopped:
            return
        able = [step for step in self._left.values() if self._waits[step.id] <= self._ended.keys()]
        for step in able[: max(0, room)]:
            del self._left[step.id]
            yield step

    async def _settle(self, step: Step, end: StepEnd) -> None:
        self._ended[step.id] = end
        if end.state in _ENDS_IT and (step.on_error == "stop" or end.state == "waits"):
            self._stopped = True
        await self._acts.tell(f"{step.id}: {end.state}", len(self._work.steps))

    def _values(self, item: Any = None) -> Values:
        return Values(steps={name: end.told for name, end in self._ended.items()}, item=item)

    # -- one step ------------------------------------------------------------------------------------------

    async def _one(self, step: Step) -> StepEnd:
        is_one = step.for_each is None
        try:
            ends = [await self._item(step)] if is_one else await self._items(step)
        except WandError as error:  # its items
            skipped = isinstance(error, Missing) and self._is_skipped(error.step)
            error.field = error.field or f"steps.{step.id}.for_each"
            return StepEnd("skipped" if skipped else "failed", (), is_one=is_one, error=error)
        done = [end for end in ends if end is not None]
        state = _worst_of(done) if done or not ends else "skipped"
        return StepEnd(state, done, is_one=is_one, error=_error(done, step))

    def _is_skipped(self, name: str) -> bool:
        return name in self._ended and self._ended[name].state == "skipped"

    async def _item(self, step: Step, name: str = "", item: Any = None) -> End | None:
        """How the step ended for an item; None where it is skipped.

        It is where its condition does not hold, and where it refers to a step that was.
        """
        values = self._values(item)
        try:
            if step.when is not None and not conditions.holds(step.when, values):
                return None
            arguments = references.filled(step.arguments, values)
        except Invalid as wrong:
            if isinstance(wrong, Missing) and self._is_skipped(wrong.step):
                return None
            return End.of(refusal(wrong))
        act = Act(id=name or step.id, tool=step.tool, arguments=arguments)
        return await self._acts.do(act, partial(self._as_expected, step, values))

    def _as_expected(self, step: Step, values: Values, end: End) -> End:
        """The end, which is a failure where it is not as the step expects it."""
        if step.expect is None or end.is_error:
            return end
        own = {**values.steps, step.id: _told("done", end.result, end.text)}
        try:
            if conditions.holds(step.expect, Values(steps=own, item=values.item)):
                return end
        except Invalid as wrong:
            return replace(end, is_error=True, kind="Invalid", text=f"Invalid: expect: {wrong}")
        said = f"Conflict: it ended, and not as expected: {json.dumps(step.expect)[:_SHOWN]}"
        return replace(end, is_error=True, kind="Conflict", text=f"{said}\n{end.text}")

    async def _items(self, step: Step) -> list[End | None]:
        """How it ended for each item, `at_once` of them together; after a failure none begins any more."""
        items = self._listed(step)
        found: list[End | None] = [None] * len(items)
        numbers = iter(range(len(items)))
        failed = asyncio.Event()

        async def work_off() -> None:
            for at in numbers:
                if failed.is_set():
                    return
                end = found[at] = await self._item(step, f"{step.id}[{at}]", items[at])
                if end is not None and end.is_error and (step.on_error == "stop" or end.waits):
                    failed.set()

        await together(work_off() for _ in range(min(step.at_once, len(items))))
        return found

    def _listed(self, step: Step) -> list[Any]:
        items = references.filled(step.for_each, self._values())
        place = f"steps.{step.id}.for_each"
        if not isinstance(items, list):
            raise Invalid(f"must be a list, not {items!r:.80}", field=place)
        if len(items) > step.at_most:
            raise Invalid(f"{len(items)} items, at most {step.at_most} are permitted", field=place)
        return items

    # -- all of them ---------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        states = {step.id: self._state_of(step.id) for step in self._work.steps}
        bad = [self._ended[step.id] for step in self._work.steps if self._ends_it(step)]
        unknown = tuple(self._acts.unknown)
        if bad or unknown:
            state: State = _worst([end.state for end in bad], unknown=bool(unknown))
            error = next((end.error for end in bad if end.state == state and end.error), None)
            waits = "\n".join(each.waits for end in bad for each in end.ends if each.waits)
            passes = state == "failed" and isinstance(error, _PASSES)
            return Outcome(
                state=state, error=error, steps=states, unknown=unknown, text=waits, may_pass=passes
            )
        try:
            result = self._result()
        except Invalid as wrong:
            wrong.field = "result"
            return Outcome(state="failed", error=wrong, steps=states)
        text = self._last("text") if self._work.result is None else references.as_text(result)
        return Outcome(state="done", result=result, text=text or "", steps=states)

    def _state_of(self, name: str) -> str:
        return self._ended[name].state if name in self._ended else "not begun"

    def _ends_it(self, step: Step) -> bool:
        end = self._ended.get(step.id)
        return (
            end is not None and end.state in _ENDS_IT and (step.on_error == "stop" or end.state != "failed")
        )

    def _result(self) -> Any:
        if self._work.result is not None:
            return references.filled(self._work.result, self._values())
        return self._last("result")

    def _last(self, part: str) -> Any:
        """Of the last step that was done."""
        done = (self._ended[step.id] for step in reversed(self._work.steps))
        return next((end.told[part] for end in done if end.state == "done"), None)


def _worst_of(ends: Sequence[End]) -> str:
    if any(end.kind == AMBIGUOUS for end in ends):
        return "ambiguous"
    if any(end.waits for end in ends):
        return "waits"
    return "failed" if any(end.is_error for end in ends) else "done"


def _worst(states: Sequence[str], *, unknown: bool) -> State:
    if unknown or "ambiguous" in states:
        return "ambiguous"
    return "failed" if "failed" in states else "waits"


def _error(ends: Sequence[End], step: Step) -> WandError | None:
    bad = [end for end in ends if end.is_error and not end.waits]
    worst = next((end for end in bad if end.kind == AMBIGUOUS), bad[0] if bad else None)
    return error_of(worst, f"steps.{step.id}") if worst else None
