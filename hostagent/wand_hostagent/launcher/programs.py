"""Which program a name leads to, remembered until something happens where it was looked for."""

import math
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from wand_hostagent.launcher import few
from wand_hostagent.launcher.lookout import Guard, Lookout, is_due
from wand_hostagent.launcher.places import Place, find_program
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.sight import nearest

_MOST = 64


class _Found(NamedTuple):
    profile: Profile
    guard: Guard
    program: str


class Programs:
    """Finds programs as `find_program` does; where another could be the one by now, it is looked again."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout
        self._found: dict[tuple[int, str], _Found] = {}
        self._guards: dict[str, Guard | None] = {}  # over the folders of a path
        self._tried_at = -math.inf

    def find(
        self, profile: Profile, word: str, place: Place, is_shown: Callable[[str], bool] = lambda _: True
    ) -> str:
        """The absolute path of the program that `word` names.

        Raises:
            Refused: there is none that the profile's user may execute.
        """
        path = _searched(word, profile.path)
        if profile.programs or not path:
            return find_program(profile, word, place, is_shown)
        key = (id(profile), word)
        kept = self._found.get(key)
        if kept is not None and kept.profile is profile and self._lookout.is_calm(kept.guard):
            return kept.program
        guard = self._guard(path)  # before it is looked for
        program = find_program(profile, word, place, is_shown)
        if guard is not None and _is_first(path, word, program):
            few.keep(self._found, key, _Found(profile, guard, program), most=_MOST)
        return program

    def _guard(self, path: str) -> Guard | None:
        """Who stands guard over the folders of a path; None where nobody can, or was asked a moment ago."""
        guard = self._guards.get(path)
        if guard is not None and self._lookout.is_calm(guard):
            return guard
        if not is_due(self._tried_at):
            return None
        self._tried_at = time.monotonic()
        guard = self._lookout.guard({nearest(f"{folder}/x") for folder in path.split(":")})
        return few.keep(self._guards, path, guard, most=_MOST)


def _searched(word: str, path: str) -> str:
    """The folders in which it is looked for; empty for a path that leads elsewhere.

    A caller chooses the word, so no guard is made for what it names: a whole path counts where it lies in
    one of those folders.
    """
    return path if "/" not in word or word.rpartition("/")[0] in path.split(":") else ""


def _is_first(path: str, word: str, program: str) -> bool:
    """Whether nothing at all has that name before it; what is there might become executable."""
    if program == word:
        return True
    for folder in path.split(":"):
        candidate = f"{folder}/{word}"
        if candidate == program:
            return True
        if os.path.lexists(candidate):
            return False
    return False
