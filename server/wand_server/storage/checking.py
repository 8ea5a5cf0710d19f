"""Whether what is to be kept can be kept: each field of a new task, a project, an agent."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from wand_proto.errors import Invalid
from wand_server.lifecycle import Retries, in_order
from wand_server.ports import NewProject, NewTask, Registration

WORK_BYTES = 1024 * 1024
RESULT_BYTES = 1024 * 1024
ENTRY_BYTES = 512 * 1024
MOST_TASKS = 1000  # handed in at once
MOST_DEPENDENCIES = 100
MOST_DEPTH = 16  # of children of children
MOST_NAMES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@=+-]{0,63}")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_YEARS = 10 * 366 * 86400.0


def tasks(given: Sequence[NewTask], now: float) -> tuple[NewTask, ...]:
    """The tasks, each after those that it depends on.

    Raises:
        Invalid: one cannot be kept, or there is a circle.
    """
    if not 1 <= len(given) <= MOST_TASKS:
        raise Invalid(f"must be 1 to {MOST_TASKS} at once, not {len(given)}", field="tasks")
    by_id = {one.id: one for one in given}
    if len(by_id) != len(given):
        raise Invalid("must differ", field="id")
    for one in given:
        _task(one, now)
    if len(given) == 1 and not given[0].depends_on:
        return tuple(given)
    order = in_order({one.id: one.depends_on for one in given})
    if order is None:
        raise Invalid(
            "go round in a circle", field="depends_on", hint="a task may wait for earlier ones only"
        )
    return tuple(by_id[name] for name in order)


def _task(one: NewTask, now: float) -> None:
    _needs_that(_ID.fullmatch(one.id) is not None, "id", "must be a UUID in lower case, with its hyphens")
    _text(one.title, "title", 500)
    _text(one.key, "key", 200)
    _needs_that(-100 <= one.priority <= 100, "priority", f"must be from -100 to 100, not {one.priority}")
    _names(one.needs, "needs")
    _labels(one.labels)
    _needs_that(math.isfinite(one.not_before), "not_before", "must be a time")
    if one.deadline is not None:
        _needs_that(now < one.deadline < now + _YEARS, "deadline", "must be a time to come")
    if one.keep_seconds is not None:
        _needs_that(0 <= one.keep_seconds <= _YEARS, "keep_seconds", "must be from 0 to ten years")
    few = len(one.depends_on) <= MOST_DEPENDENCIES
    _needs_that(few, "depends_on", f"may name {MOST_DEPENDENCIES} tasks")
    _needs_that(one.id not in one.depends_on, "depends_on", "names the task itself")
    _retries(one.retries)


def _retries(given: Retries) -> None:
    _needs_that(1 <= given.most_attempts <= 100, "retries.most_attempts", "must be from 1 to 100")
    for name in ("base_seconds", "ceiling_seconds"):
        _needs_that(0 <= getattr(given, name) <= 86400 * 7, f"retries.{name}", "must be from 0 to a week")
    _needs_that(1 <= given.factor <= 100, "retries.factor", "must be from 1 to 100")
    _needs_that(0 <= given.jitter <= 1, "retries.jitter", "must be from 0 to 1")


def project(given: NewProject) -> None:
    """Raises Invalid where it cannot be kept."""
    _needs_that(_ID.fullmatch(given.id) is not None, "id", "must be a UUID in lower case, with its hyphens")
    _needs_that(bool(given.name.strip()), "name", "must not be empty")
    _text(given.name, "name", 100)
    _text(given.workspace, "workspace", 4096)
    numbers = all(math.isfinite(value) and value >= 0 for value in given.budget.values())
    _needs_that(numbers, "budget", "must be numbers from 0 on")
    _names(given.budget, "budget")


def agent(given: Registration) -> None:
    """Raises Invalid where it cannot be kept."""
    _needs_that(NAME.fullmatch(given.name) is not None, "name", NAMED)
    _names(given.capabilities, "capabilities")
    _labels(given.labels)
    _text(given.process, "process", 200)


NAMED = "must be 1 to 64 of letters, digits and ._:/@=+- that begin with a letter or a digit"


def _names(given: Iterable[str], field: str) -> None:
    several = list(given)
    _needs_that(len(several) <= MOST_NAMES, field, f"may be {MOST_NAMES}")
    _needs_that(all(map(NAME.fullmatch, several)), field, f"each {NAMED}")


def _labels(given: Mapping[str, str]) -> None:
    _names(given, "labels")
    for value in given.values():
        _text(value, "labels", 256)


def _text(given: str, field: str, most: int) -> None:
    _needs_that(len(given) <= most, field, f"may be {most} characters long")
    _needs_that(is_line(given), field, LINE)


LINE = "must be one line of printable characters"
_JOINS = str.maketrans("", "", "\u200c\u200d")  # in words of Persian and Hindi, and in emoji


def is_line(text: str) -> bool:
    """Whether nothing in it controls anything: PostgreSQL takes no zero, and people read it."""
    return text.translate(_JOINS).isprintable()


def _needs_that(good: bool, field: str, what: str) -> None:  # noqa: FBT001 - it reads as a sentence
    if not good:
        raise Invalid(what, field=field)
