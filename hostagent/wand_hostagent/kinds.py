"""Opens the backends that the settings describe; those of other packages are found by their entry points."""

import importlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from wand_hostagent.backends.base import AnyKind, BackendKind, ExecutionBackend, Surroundings
from wand_proto import tomlfile
from wand_proto.errors import Conflict, Invalid, NotFound

log = logging.getLogger(__name__)

GROUP = "wand_hostagent.backends"
OURS = {name: f"wand_hostagent.backends.{name}.kind" for name in ("docker", "ssh", "remote")}
NAMELESS = frozenset({"native", "host"})  # they need no table


@asynccontextmanager
async def opened(
    described: Mapping[str, Any], path: Path, where: tomlfile.Where = ""
) -> AsyncIterator[list[ExecutionBackend]]:
    """Every backend that the settings in that file, an absolute path, describe, open while entered.

    `where` tells where a key stands, if not in that file alone.

    Raises:
        NotFound, Conflict: no package has a kind of that name, or more than one.
        Invalid: a setting is wrong, or a package cannot be loaded; the field is named.
    """
    async with AsyncExitStack() as stack:
        found: list[ExecutionBackend] = []
        for name, table in described.items():
            around = Surroundings(name=name, folder=path.parent)
            kind = kind_of(name)
            settings = _settings(kind, name, table, where or str(path))
            for backend in await stack.enter_async_context(kind.open(settings, around)):
                _check_name(name, backend, found)
                found.append(backend)
        yield found


def kind_of(name: str) -> AnyKind:
    """The kind of that name, its module loaded; see `opened`."""
    field = f"backends.{name}"
    if name in NAMELESS:
        raise Invalid("needs no table: it is there already", field=field)
    if name in OURS:
        return _loaded_ours(OURS[name], field)
    metadata = importlib.import_module("importlib.metadata")  # large, and seldom asked
    points = metadata.entry_points(group=GROUP)
    found = points.select(name=name)
    if not found:
        known = ", ".join(sorted({*OURS, *points.names}))
        raise NotFound(f"no package here has a backend {name!r}", hint=f"there are: {known}", field=field)
    if len(found) > 1:
        raise Conflict(f"{len(found)} packages have a backend {name!r}", hint="keep one", field=field)
    return _checked(_loaded(next(iter(found)), field), field)


def _loaded_ours(module: str, field: str) -> AnyKind:
    try:
        return _checked(importlib.import_module(module).KIND, field)
    except ModuleNotFoundError as error:
        hint = f"install it, or take [{field}] out of the settings"
        raise NotFound(
            f"needs the package {error.name}, which is not here", hint=hint, field=field
        ) from error


def _loaded(point: Any, field: str) -> Any:
    try:
        return point.load()
    except Exception as why:  # somebody else's code: whatever it is, it is told as one line
        said = f"{point.value} does not load: {type(why).__name__}: {why}"
        raise Invalid(said, field=field, hint="mend the package, or take the table out") from why


def _checked(kind: object, field: str) -> AnyKind:
    found = kind() if isinstance(kind, type) else kind
    if not isinstance(found, BackendKind):
        wanted = "wand_hostagent.backends.base.BackendKind"
        raise Invalid(f"is a {type(found).__name__}, and must be a {wanted}", field=field)
    return found


def _settings(kind: AnyKind, name: str, table: Any, where: tomlfile.Where) -> Any:
    field = f"backends.{name}"
    if not isinstance(table, dict):
        raise Invalid(f"must be a table, in {where if isinstance(where, str) else where(field)}", field=field)
    return tomlfile.fill(kind.settings, table, where=where, at=f"{field}.")


def _check_name(name: str, backend: ExecutionBackend, found: list[ExecutionBackend]) -> None:
    if backend.name.partition(":")[0] != name or backend.name in {one.name for one in found}:
        wrong = f"has a backend {backend.name!r}; each must be {name!r} or {name}:PLACE, and of its own name"
        raise Invalid(wrong, field=f"backends.{name}")
