"""What .gitignore leaves out: the last rule that fits a path speaks, of the folder nearest to it first.

As gitignore(5) has it, but for what a repository keeps elsewhere (.git/info/exclude, a user's own file).
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from wand_hostagent.filesystem.globs import as_regex
from wand_hostagent.filesystem.openat import open_beneath

NAME = ".gitignore"
_MOST_BYTES = 256 * 1024
_MOST_RULES = 2000
_MOST_ANY = 3  # ** in a rule: to try each of more in turn takes too long in deep folders
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Rule:
    """One line; what it fits is left out, or with `keeps` is not."""

    fits: re.Pattern[str]
    keeps: bool
    only_folders: bool
    by_name: bool  # wherever it lies; else by its path from the folder of the file


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a folder and of those above it: of each, how paths begin here, and how they do there."""

    files: tuple[tuple[str, str, Sequence[Rule]], ...] = ()

    def with_those_in(self, folder: int, begin: str, begin_there: str = "") -> "Rules":
        """These, and before them those of a folder whose paths begin so."""
        found = read(folder)
        return Rules(((begin, begin_there, found), *self.files)) if found else self

    def leave_out(self, path: str, *, is_folder: bool) -> bool:
        """Whether a path is left out, that no folder on its way is."""
        name = path.rpartition("/")[2]
        for begin, begin_there, rules in self.files:
            inner = begin_there + path.removeprefix(begin)
            for rule in reversed(rules):
                if rule.only_folders and not is_folder:
                    continue
                if rule.fits.fullmatch(name if rule.by_name else inner):
                    return not rule.keeps
        return False


NO_RULES = Rules()


def from_above(root: int, inner: str) -> Rules:
    """The rules that hold in a folder beneath an open one, by those on the way to it."""
    rules = NO_RULES
    steps = [] if inner == "." else inner.split("/")
    for depth in range(len(steps)):
        try:
            folder = open_beneath(root, "/".join(steps[:depth]) or ".", os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            rules = rules.with_those_in(folder, "", "/".join(steps[depth:]) + "/")
        finally:
            os.close(folder)
    return rules


def read(folder: int) -> Sequence[Rule]:
    """The rules of the file in an open folder; none where there is no such file, or none that can be read."""
    try:
        descriptor = os.open(NAME, _OPEN, dir_fd=folder)
    except OSError:
        return ()
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe has nothing yet, or never an end
            return ()
        try:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            return ()
    return rules_of(text)


def rules_of(text: str) -> Sequence[Rule]:
    """The rules that a text states; a line that is no glob states none."""
    found = (_rule(line) for line in text.splitlines()[:_MOST_RULES])
    return tuple(rule for rule in found if rule is not None)


def _rule(line: str) -> Rule | None:
    line = line.rstrip() if not line.rstrip().endswith("\\") else line.rstrip() + " "
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    glob = line.removeprefix("!").removeprefix("\\")
    only_folders, glob = glob.endswith("/"), glob.rstrip("/")
    if not glob or glob.count("**") > _MOST_ANY:
        return None
    try:
        fits = re.compile(as_regex(glob.removeprefix("/"), braces=False))
    except re.error:
        return None
    return Rule(fits, keeps, only_folders, by_name="/" not in glob)
