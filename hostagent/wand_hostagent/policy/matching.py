"""Whether a rule matches a command or a use of a file: surely, perhaps, or not.

Perhaps, where a word shows only when it runs. A rule that allows must match surely; one that denies or asks
bites where it matches surely, and where it perhaps matches, a person is asked.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from fnmatch import fnmatchcase, translate
from functools import lru_cache

from wand_hostagent.model import FileAct, FileVerb
from wand_hostagent.policy.model import Rule, Verdict
from wand_hostagent.policy.paths import is_within, resolved
from wand_hostagent.policy.reading import HOLE
from wand_hostagent.policy.survey import SYSTEM_FOLDERS, Seen
from wand_hostagent.policy.touching import Touch


class Match(IntEnum):
    """How sure it is; the least of several is that of all of them together."""

    NO = 0
    PERHAPS = 1
    SURELY = 2


def command_match(rule: Rule, seen: Seen) -> Match:
    """Whether a rule matches a command."""
    if rule.shell is not None and rule.shell is not seen.in_shell:
        return Match.NO
    sure = _program(rule, seen)
    if sure and rule.effects:
        sure = min(sure, _effects(rule, seen))
    if sure and rule.arguments:
        sure = min(sure, max(_arguments(rule, seen.command.arguments), _arguments(rule, seen.verb_words)))
    if sure and rule.options:
        sure = min(sure, _options(rule, seen.command.arguments))
    return sure


def _program(rule: Rule, seen: Seen) -> Match:
    program = seen.command.program
    if not rule.programs or "*" in rule.programs:
        return Match.SURELY
    if not program:
        return Match.PERHAPS
    if program in rule.programs or _any_glob(rule.programs, program):
        return Match.SURELY
    if "/" not in program:
        return Match.NO
    folder, name = posixpath.split(program)
    is_known = rule.verdict is not Verdict.ALLOW or folder in SYSTEM_FOLDERS
    return Match.SURELY if is_known and _any_glob(rule.programs, name) else Match.NO


def _effects(rule: Rule, seen: Seen) -> Match:
    """All that a command may do must be allowed; any that is denied or asked about is enough."""
    if rule.verdict is Verdict.ALLOW:
        return (
            Match.SURELY if seen.effects and seen.effects | seen.possible <= set(rule.effects) else Match.NO
        )
    if not seen.effects.isdisjoint(rule.effects):
        return Match.SURELY
    return Match.NO if seen.possible.isdisjoint(rule.effects) else Match.PERHAPS


def _arguments(rule: Rule, words: tuple[str, ...]) -> Match:
    """Globs on the words from the left; a word with a hole in it may fit, and the rest may be anywhere."""
    sure = Match.SURELY
    for place, glob in enumerate(rule.arguments):
        if place >= len(words):
            return Match.NO
        word = words[place]
        if HOLE not in word:
            if not fnmatchcase(word, glob):
                return Match.NO
            continue
        if not _may_fit(word, glob):
            return Match.NO
        if glob == "*" and not word.endswith(HOLE + HOLE):
            continue
        sure = Match.PERHAPS
        if word.endswith(HOLE + HOLE):
            return sure
    return sure


def _may_fit(word: str, glob: str) -> bool:
    """Whether a word of which the beginning is known may come to fit a glob."""
    known = word.partition(HOLE)[0]
    fixed = glob.partition("*")[0].partition("?")[0].partition("[")[0]
    return known.startswith(fixed) or (fixed.startswith(known))


def _options(rule: Rule, words: tuple[str, ...]) -> Match:
    if rule.verdict is Verdict.ALLOW:
        return _only_options(rule, words)
    best = Match.NO
    for word in words:
        if word == "--":
            break
        if word.startswith(HOLE):
            best = max(best, Match.PERHAPS)
        elif word.startswith("-") and len(word) > 1 and any(_means(word, option) for option in rule.options):
            return Match.SURELY
    return best


def _only_options(rule: Rule, words: tuple[str, ...]) -> Match:
    """Whether a command has no other options than those that are allowed."""
    for word in words:
        if word == "--":
            break
        if word.startswith(HOLE):
            return Match.PERHAPS
        if word.startswith("-") and len(word) > 1 and not _is_allowed(word, rule.options):
            return Match.NO
    return Match.SURELY


def _is_allowed(word: str, allowed: tuple[str, ...]) -> bool:
    name = word.partition("=")[0]
    if any(fnmatchcase(name, option) or fnmatchcase(word, option) for option in allowed):
        return True
    is_bundle = not word.startswith("--") and len(word) > 2
    return is_bundle and all(f"-{letter}" in allowed for letter in word[1:])


def _means(word: str, option: str) -> bool:
    """Whether a word may be an option: itself, with a value, cut short, or among other letters."""
    name = word.partition("=")[0].partition(HOLE)[0]
    if fnmatchcase(name, option) or fnmatchcase(word, option):
        return True
    if option.startswith("--"):
        return name.startswith("--") and len(name) > 3 and option.startswith(name)
    is_letter = len(option) == 2
    return is_letter and not word.startswith("--") and (option[1] in name[1:] or HOLE in word)


def file_match(rule: Rule, act: FileAct) -> bool:
    """Whether a rule matches a use of a file; a path that is not absolute is denied and not allowed."""
    if rule.verbs and act.verb not in rule.verbs:
        return False
    bites = rule.verdict is not Verdict.ALLOW
    if not act.path.startswith("/"):
        return bites or not (rule.paths or rule.names)
    path = resolved(act.path, "/")
    return _path_fits(rule, path, act.verb, bites=bites) and _name_fits(rule, path)


def _path_fits(rule: Rule, path: str, verb: FileVerb, *, bites: bool) -> bool:
    """Whether a folder of the rule holds the path; a search would also show what lies below it."""
    inside_too = bites and verb is FileVerb.SEARCH
    return not rule.paths or any(
        is_within(path, folder) or (inside_too and is_within(resolved(folder, "/"), path))
        for folder in rule.paths
    )


def _name_fits(rule: Rule, path: str) -> bool:
    """Whether the path, or a folder on its way, ends in one of the names."""
    if not rule.names:
        return True
    fits = _one_of(rule.names).match
    return any(fits(end) for end in _ends(path))


@lru_cache(maxsize=1024)
def _one_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Whatever one of these globs fits, in small letters."""
    return re.compile("|".join(f"(?:{translate(glob.lower())})" for glob in globs))


@lru_cache(maxsize=64)
def _ends(path: str) -> tuple[str, ...]:
    """The ends of a path and of every folder on its way, in small letters."""
    steps = path.lower().strip("/").split("/")
    return tuple("/".join(steps[start:end]) for end in range(1, len(steps) + 1) for start in range(end))


def touch_match(rule: Rule, opened: Iterable[Touch], begins: Sequence[str]) -> Match:
    """Whether a rule about files, one that denies or asks, bites in any of them.

    A word begins in one of these folders; where nobody knows which, a path may perhaps be the rule's.
    """
    if rule.verdict is Verdict.ALLOW or not (rule.paths or rule.names):
        return Match.NO
    one_place = len(begins) == 1
    best = Match.NO
    for one in opened:
        for place in begins:
            found = _touched(rule, one, place)
            if found is Match.SURELY and (one_place or one.word.startswith("/") or _by_name(rule, one)):
                return found
            best = max(best, min(found, Match.PERHAPS))
    return best


def _by_name(rule: Rule, one: Touch) -> bool:
    """Whether the word alone says it, wherever it begins."""
    return not rule.paths and _touched(rule, one, "") is Match.SURELY


def _touched(rule: Rule, one: Touch, directory: str) -> Match:
    verbs = one.verbs.intersection(rule.verbs) if rule.verbs else one.verbs
    if not verbs:
        return Match.NO
    doubt = _doubtful(rule, one.word) if HOLE in one.word and rule.names else Match.NO
    known = _known(one.word, directory)
    if not known:
        return doubt
    if known.startswith("/"):
        fits = _path_fits(rule, known, min(verbs), bites=True) and _name_fits(rule, known)
        return Match.SURELY if fits else doubt
    return max(_relative(rule, known), doubt)


def _doubtful(rule: Rule, word: str) -> Match:
    """Whether a word with a hole in it may come to have one of the names, by what stands around the hole."""
    behind = word.rpartition(HOLE)[2].lstrip("/")
    if behind and _name_fits(rule, "/" + behind):
        return Match.PERHAPS
    steps = word.partition(HOLE)[0].lower().split("/")
    may = any(_may_go_on(steps, name.lower().split("/")) for name in rule.names)
    return Match.PERHAPS if may else Match.NO


def _may_go_on(steps: list[str], name: list[str]) -> bool:
    """Whether a name goes on where the steps of a path break off."""
    *whole, begun = steps
    for count, step in enumerate(name):
        goes_on = step.startswith(begun) and (count > 0 or bool(begun))
        if goes_on and whole[len(whole) - count :] == name[:count]:
            return True
    return False


@lru_cache(maxsize=64)
def _known(word: str, directory: str) -> str:
    """The path that a word names, as much of it as is known; relative, where nobody knows to what."""
    known = word.partition(HOLE)[0]
    if HOLE in word:  # a name that shows only then: what is known is the folder before it
        known = posixpath.dirname(known)
    joined = posixpath.join(directory, known) if known else ""
    if joined.startswith("/"):
        return resolved(joined, "/")
    return posixpath.normpath(joined) if joined else ""


def _relative(rule: Rule, path: str) -> Match:
    """A path below a folder that nobody names here."""
    by_name = _name_fits(rule, path)
    if not by_name or not rule.paths:
        return Match.SURELY if by_name else Match.NO
    steps = path.split("/")
    may = any(steps[0] == ".." or _meets(folder.strip("/").split("/"), steps) for folder in rule.paths)
    return Match.PERHAPS if may else Match.NO


def _meets(folder: list[str], steps: list[str]) -> bool:
    """Whether the end of a folder's path is where a relative path begins."""
    return any(steps[: len(folder) - start] == folder[start:] for start in range(1, len(folder)))


def _any_glob(globs: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)
