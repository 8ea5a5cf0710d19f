"""Carries out one task, from its beginning or from where its journal left it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from wand_proto.errors import Invalid, TimedOut
from wand_server.orchestrator.work import checking, sizes
from wand_server.orchestrator.work.acts import Acts
from wand_server.orchestrator.work.around import Around, Outcome
from wand_server.orchestrator.work.form import Goal, Steps
from wand_server.orchestrator.work.goals import GoalRun
from wand_server.orchestrator.work.steps import StepsRun


async def carry_out(work: Mapping[str, Any], around: Around) -> Outcome:
    """What a task comes to.

    Whatever goes wrong is in the outcome; a defect is raised. Whoever cancels this leaves the acts that run
    without an end in the journal: another attempt calls them ambiguous, unless they may be repeated.
    """
    try:
        read, tools, waits = checking.check(work, around.tools, around.call.principal, around.withheld)
    except Invalid as wrong:
        return Outcome(state="failed", error=wrong)
    around = _within(read, around)
    acts = Acts(around, tools)
    if isinstance(read, Steps):
        return await _until(StepsRun(read, waits, acts).carry_out, acts)
    if around.model is None:
        return Outcome(state="failed", error=checking.no_model())
    return await _until(GoalRun(read, around.model, acts).carry_out, acts)


def _within(read: Steps | Goal, around: Around) -> Around:
    """The same, within the time that a goal gives itself; its calls name the model that asks for them."""
    if isinstance(read, Steps) or around.model is None:
        return around
    deadline, call = around.deadline, around.call._replace(model=around.model.mind.name)
    if read.seconds is not None:
        own = time.monotonic() + read.seconds
        deadline = own if deadline is None else min(deadline, own)
    return replace(around, deadline=deadline, call=call)


async def _until(run: Callable[[], Coroutine[Any, Any, Outcome]], acts: Acts) -> Outcome:
    """The outcome of a run, which is ended when the task's deadline is over."""
    deadline = acts.around.deadline
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        return _late(acts)
    try:
        async with asyncio.timeout(left) as time_left:
            outcome = await run()
    except TimeoutError:
        if not time_left.expired():
            raise
        return _late(acts)
    return replace(outcome, result=sizes.fitted(outcome.result), text=sizes.clipped(outcome.text))


def _late(acts: Acts) -> Outcome:
    """The outcome of what did not come to its own end."""
    late = TimedOut("the task's deadline is over", hint="give it more time, or less to do")
    return Outcome(state="failed", error=late, unknown=(*acts.unknown, *sorted(acts.open)))
