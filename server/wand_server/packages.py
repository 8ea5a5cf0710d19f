"""What other packages add: found by their entry points, and loaded only where the settings name them."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from wand_proto.errors import Conflict, Invalid, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What can be added: the group of its entry points, its word in messages, the setting that names them."""

    group: str
    word: str
    setting: str
    hint: str = ""  # where none of a name is installed

    @property
    def names(self) -> tuple[str, ...]:
        """Those of all that are installed, in order."""
        return tuple(sorted({one.name for one in entry_points(group=self.group)}))

    def found(self, names: Iterable[str]) -> tuple[EntryPoint, ...]:
        """The entry points of those names, in that order.

        Raises:
            Invalid: a name stands twice.
            NotFound: no package that is installed has one of that name.
            Conflict: more than one has.
        """
        wanted = tuple(names)
        if len(set(wanted)) < len(wanted):
            raise Invalid(f"names a {self.word} twice", field=self.setting, hint="name each once")
        return tuple(map(self._one, wanted))

    def loaded(self, point: EntryPoint) -> Any:
        """What the entry point names.

        Raises:
            Invalid: the package cannot be loaded; the message says why.
        """
        try:
            return point.load()
        except Exception as why:  # somebody else's code: whatever it is, it is told as one line
            what = f"{point.value} of {origin(point)}"
            said = f"the {self.word} {point.name!r} does not load ({what}): {type(why).__name__}: {why}"
            raise Invalid(said, field=self.setting, hint="mend the package, or take the name out") from why

    def _one(self, name: str) -> EntryPoint:
        there = entry_points(group=self.group)
        named = [one for one in there if one.name == name]
        if not named:
            known = ", ".join(self.names) or "none"
            hint = "; ".join(filter(None, (f"installed are: {known}", self.hint)))
            raise NotFound(f"no package here has a {self.word} {name!r}", field=self.setting, hint=hint)
        if len(named) > 1:
            several = " and ".join(sorted(map(origin, named)))
            said = f"{several} both have a {self.word} {name!r}"
            raise Conflict(said, field=self.setting, hint="keep one of them")
        return named[0]


def origin(point: EntryPoint) -> str:
    """The package that an entry point comes from, and its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
