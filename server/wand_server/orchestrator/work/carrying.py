"""Carries out one task, from its beginning or from where its journal left it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from wand_proto.errors import Conflict, Invalid, TimedOut
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
        read = checking.check(work, around.tools, around.call.principal, around.withheld)
    except Invalid as wrong:
        return Outcome(state="failed", error=wrong)
    around = _within(read, around)
    tools = checking.narrowed(read, around.tools, around.call.principal, around.withheld)
    acts = Acts(around, tools)
    if isinstance(read, Steps):
        run = StepsRun(read, checking.plan(read, tools), acts)
        return await _until(run.carry_out, acts)
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
    """The outcome of a run, which is ended when the task is cancelled or its deadline is over."""
    around = acts.around
    left = None if around.deadline is None else around.deadline - time.monotonic()
    if around.cancelled.is_set() or (left is not None and left <= 0):
        return _ended(acts)
    running = asyncio.create_task(run(), name="work")
    asked = asyncio.create_task(around.cancelled.wait(), name="cancelled?")
    try:
        await asyncio.wait({running, asked}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            outcome = running.result()
            result, text = sizes.fitted(outcome.result), sizes.clipped(outcome.text)
            return replace(outcome, result=result, text=text)
    finally:
        await _cancel(running, asked)
    return _ended(acts)


def _ended(acts: Acts) -> Outcome:
    """The outcome of what did not come to its own end."""
    unknown = (*acts.unknown, *sorted(acts.open))
    if acts.around.cancelled.is_set():
        return Outcome(state="cancelled", error=Conflict("the task was cancelled"), unknown=unknown)
    late = TimedOut("the task's deadline is over", hint="give it more time, or less to do")
    return Outcome(state="failed", error=late, unknown=unknown)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
