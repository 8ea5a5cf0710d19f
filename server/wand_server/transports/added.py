"""Transports that others add: found by their entry points, loaded only where the settings name them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wand_proto.errors import Conflict, Invalid, WandError
from wand_server.kinds import Frozen
from wand_server.packages import Kind, origin
from wand_server.settings.problems import words
from wand_server.transports.door import Door, House, Transport

log = logging.getLogger(__name__)

START_SECONDS = 10.0
STOP_SECONDS = 5.0
_ENABLED, _OPTIONS = "transports.enabled", "transports.options"
_KIND = Kind(
    group="wand_server.transports",
    word="transport",
    setting=_ENABLED,
    hint="what is built in has tables of its own, [http] and [stdio]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A transport that was loaded, with its settings read."""

    name: str
    origin: str  # the package that it comes from, and its version
    transport: Transport[Any]
    settings: Frozen


def load(names: Iterable[str], options: Mapping[str, Mapping[str, Any]]) -> tuple[Added, ...]:
    """Load the transports of those names, each with its table of `options`.

    Raises:
        NotFound: no package that is installed has one of that name.
        Conflict: more than one has.
        Invalid: a name stands twice, or a table of `options` is nobody's; one does not load, is no
            transport, or has a setting that is wrong.
    """
    wanted = tuple(names)
    if stray := sorted(options.keys() - set(wanted)):
        hint = f"name it in {_ENABLED}, or take the table out"
        raise Invalid("is a table of no transport that is enabled", field=f"{_OPTIONS}.{stray[0]}", hint=hint)
    return tuple(_added(point, options.get(point.name, {})) for point in _KIND.found(wanted))


@contextlib.asynccontextmanager
async def serving(added: Added, house: House) -> AsyncIterator[None]:
    """Serve by that transport while entered; when left, its clients are gone.

    Raises:
        OSError, WandError: it cannot start.
    """
    door = Door(house)
    async with contextlib.AsyncExitStack() as opened:
        await _start(added, opened, door)
        log.info("transport open", extra={"transport": added.name, "origin": added.origin})
        try:
            yield
        finally:
            await door.close()
            await _stop(added, opened.pop_all())


async def _start(added: Added, opened: contextlib.AsyncExitStack, door: Door) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            await opened.enter_async_context(_context(added, door))
    except TimeoutError as late:
        raise Conflict(f"the transport {added.name} has not started within {START_SECONDS:g} s") from late
    except (OSError, WandError):
        raise
    except Exception as why:  # somebody else's code: whatever it is, it is told as one line
        said = f"the transport {added.name} ({added.origin}) broke as it started: {type(why).__name__}: {why}"
        raise Conflict(said, hint=f"take {added.name} out of {_ENABLED}, or mend the package") from why


def _context(added: Added, door: Door) -> AbstractAsyncContextManager[object]:
    return added.transport.open(door, added.settings)


async def _stop(added: Added, opened: contextlib.AsyncExitStack) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await opened.aclose()
    except Exception:  # somebody else's code: the rest of the server ends in order all the same
        log.exception("transport not stopped", extra={"transport": added.name})


def _added(point: EntryPoint, table: Mapping[str, Any]) -> Added:
    loaded = _loaded(point)
    try:
        settings = loaded.settings.model_validate(dict(table))
    except ValidationError as error:
        said = _problems(point.name, error, loaded.settings.model_fields)
        raise Invalid(said, hint=f"the table is [{_OPTIONS}.{point.name}]") from error
    return Added(name=point.name, origin=origin(point), transport=loaded, settings=settings)


def _loaded(point: EntryPoint) -> Transport[Any]:
    loaded = _KIND.loaded(point)
    if not isinstance(loaded, Transport):
        said = f"{point.value} of {origin(point)} is no transport but {type(loaded).__name__}"
        raise Invalid(said, field=_ENABLED, hint="it must be a wand_server.transports.door.Transport")
    return loaded


def _problems(name: str, error: ValidationError, known: Iterable[str]) -> str:
    """Each problem with the setting that has it; no value, for it may be a secret."""
    return "; ".join(
        f"{'.'.join([_OPTIONS, name, *map(str, one['loc'])])}: {_words(one, known)}"
        for one in error.errors(include_url=False, include_input=False)
    )


def _words(problem: ErrorDetails, known: Iterable[str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"is not a setting; known are: {', '.join(known) or 'none'}"
    return "is missing" if problem["type"] == "missing" else words(problem)
