"""Which backends there are, and on which of them a job may run: by name, by labels, or by default."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Literal

from wand_hostagent.backends.base import ExecutionBackend
from wand_hostagent.policy.backends import NATIVE
from wand_proto.errors import Invalid, NotFound

log = logging.getLogger(__name__)

Balance = Literal["least_busy", "round_robin"]
DOWN_SECONDS = 10.0  # for how long one that could not be reached is the last to be tried
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}=[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Backends:
    """Every backend by its name, `native` first, and the one that is taken where nothing else is said."""

    def __init__(
        self,
        backends: Iterable[ExecutionBackend],
        *,
        default: str = NATIVE,
        balance: Balance = "least_busy",
        running: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """The backends; `running` tells how many jobs run on one.

        Raises:
            NotFound: the default is none of them.
        """
        self.all: Mapping[str, ExecutionBackend] = {one.name: one for one in backends}
        self._balance = balance
        self._running = running
        self._turn = count()
        self._down: dict[str, float] = {}
        self._default = ""
        self.default = default

    @property
    def default(self) -> str:
        """Where jobs run that nobody says a backend for: a name, or labels."""
        return self._default

    @default.setter
    def default(self, asked: str) -> None:
        """Another one, for jobs that start from now on.

        Raises:
            NotFound: there is none.
        """
        try:
            self.meant(asked)
        except Invalid as error:
            raise NotFound(error.message, hint=error.hint, field="default_backend") from error
        self._default = asked

    def meant(self, asked: str) -> tuple[ExecutionBackend, ...]:
        """All that a name or labels mean: `docker:build`, `ssh` for all that are called `ssh:…`, `os=debian`.

        Raises:
            Invalid: none is meant; the message has those that there are.
        """
        exact = self.all.get(asked)
        if exact is not None:
            return (exact,)
        wanted = _labels(asked) if "=" in asked else None
        found = tuple(one for one in self.all.values() if _is_meant(one, asked, wanted))
        if not found:
            raise Invalid(f"is {asked!r}; there are: {self._told()}", field="backend", hint=_HINT)
        return found

    def best_first(self, asked: str) -> Sequence[ExecutionBackend]:
        """Those that are meant, in the order in which they are to be tried; see `meant`."""
        found = self.meant(asked or self._default)
        if len(found) == 1:
            return found
        turn = next(self._turn) % len(found)
        turned = (*found[turn:], *found[:turn])
        if self._balance == "least_busy":
            turned = tuple(sorted(turned, key=lambda one: self._running(one.name)))
        return sorted(turned, key=lambda one: self._is_down(one.name))

    def could_not_reach(self, backend: ExecutionBackend) -> None:
        """Try this one last for a while."""
        log.warning("backend not reached", extra={"backend": backend.name})
        self._down[backend.name] = time.monotonic()

    def _is_down(self, name: str) -> bool:
        since = self._down.get(name)
        return since is not None and time.monotonic() - since < DOWN_SECONDS

    def _told(self) -> str:
        return ", ".join(f"{one.name}{_shown(one.labels)}" for one in self.all.values())


_HINT = "name one, or give labels as os=debian,role=build"


def _labels(asked: str) -> dict[str, str]:
    parts = asked.split(",")
    for part in parts:
        if not _LABEL.fullmatch(part):
            raise Invalid(f"holds {part!r:.80}, which is no label", field="backend", hint=_HINT)
    return dict(part.split("=", 1) for part in parts)


def _is_meant(one: ExecutionBackend, asked: str, wanted: Mapping[str, str] | None) -> bool:
    if wanted is None:
        return one.name.partition(":")[0] == asked
    return wanted.items() <= one.labels.items()


def _shown(labels: Mapping[str, str]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in labels.items())})" if labels else ""
