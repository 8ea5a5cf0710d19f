"""Tools that other packages add: a module that registers them, loaded only where the settings name it."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from wand_proto.errors import Invalid
from wand_server.packages import Kind, origin
from wand_server.tools import registry

_KIND = Kind(group="wand_server.tools", word="module of tools", setting="tools.added")


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What a package has added."""

    origin: str  # the package, and its version
    tools: tuple[str, ...]


def load(names: Iterable[str]) -> tuple[Added, ...]:
    """Load what those entry points name; their tools are in `registry.tool_registry` then.

    Raises:
        NotFound: no package that is installed has one of that name.
        Conflict: more than one has.
        Invalid: a name stands twice; one does not load, or adds no tool.
    """
    return tuple(map(_added, _KIND.found(names)))


def _added(point: EntryPoint) -> Added:
    before = len(registry.tool_registry.entries())
    _KIND.loaded(point)
    new = registry.tool_registry.entries()[before:]
    if not new:
        said = f"{point.value} of {origin(point)} adds no tool"
        hint = "it must use @tool_registry.register of wand_server.tools.registry as it loads"
        raise Invalid(said, field=_KIND.setting, hint=hint)
    return Added(origin=origin(point), tools=tuple(entry.description.name for entry in new))
