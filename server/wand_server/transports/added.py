"""Transports that others add: found by their entry points, loaded only where the settings name them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
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
IsUp = Callable[[], bool]
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
async def serving(added: Added, house: House) -> AsyncIterator[IsUp]:
    """Serve by that transport while entered, and tell whether it still does; when left, its clients are gone.

    Raises:
        OSError, WandError: it cannot start.
    """
    served = _Served(added, Door(house))
    await served.start()
    log.info("transport open", extra={"transport": added.name, "origin": added.origin})
    try:
        yield served.is_up
    finally:
        await served.stop()


class _Served:
    """One transport in a task of its own: what breaks in it ends that task and nothing else."""

    def __init__(self, added: Added, door: Door) -> None:
        self._added = added
        self._door = door
        self._opened: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._may_end = asyncio.Event()
        self._task = asyncio.create_task(self._serve(), name=f"transport {added.name}")

    async def _serve(self) -> None:
        async with self._added.transport.open(self._door, self._added.settings) as opened:
            self._opened.set_result(opened)
            await self._may_end.wait()

    async def start(self) -> None:
        name, origin = self._added.name, self._added.origin
        begun: set[asyncio.Future[Any]] = {self._task, self._opened}
        await asyncio.wait(begun, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._opened.done():
            self._task.add_done_callback(self._tell_of_its_end)
            return
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            raise Conflict(f"the transport {name} has not started within {START_SECONDS:g} s")
        why = _end_of(self._task)
        if isinstance(why, OSError | WandError):
            raise why
        said = f"the transport {name} ({origin}) broke as it started: {type(why).__name__}: {why}"
        raise Conflict(said, hint=f"take {name} out of {_ENABLED}, or mend the package") from why

    def is_up(self) -> bool:
        """Whether it still serves, as far as can be told: what it opened may say so, by `is_serving`."""
        if self._task.done():
            return False
        says = getattr(self._opened.result(), "is_serving", None)
        try:
            return not callable(says) or bool(says())
        except Exception:  # somebody else's code
            log.exception("transport cannot say whether it serves", extra={"transport": self._added.name})
            return False

    async def stop(self) -> None:
        await self._door.close()
        self._may_end.set()
        await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if not self._task.done():
            log.error("transport not stopped", extra={"transport": self._added.name})
            self._task.cancel()

    def _tell_of_its_end(self, task: asyncio.Task[None]) -> None:
        why = None if task.cancelled() else task.exception()
        if why is not None or not self._may_end.is_set():
            log.error("transport broke", extra={"transport": self._added.name}, exc_info=why)


def _end_of(task: asyncio.Task[None]) -> BaseException:
    """Why somebody else's code has ended, whatever it is."""
    if task.cancelled():
        return asyncio.CancelledError("it cancelled itself")
    return task.exception() or RuntimeError("it ended at once")


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
