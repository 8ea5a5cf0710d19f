"""Looking for a pattern in the lines of files, or for names."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from wand_hostagent.filesystem.globs import matcher
from wand_hostagent.filesystem.ignoring import from_above
from wand_hostagent.filesystem.model import Match, Search, SearchAnswer
from wand_hostagent.filesystem.paths import Roots, require_file
from wand_hostagent.filesystem.patience import stepping
from wand_hostagent.filesystem.refusal import Refused, from_system
from wand_hostagent.filesystem.tree import Found, Way, walk
from wand_hostagent.launcher.spelling import show

HEAVY = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__"})
_USUAL_MATCHES = 200
_MOST_MATCHES = 2000
_MOST_CONTEXT = 10
_LINE_CHARACTERS = 500
_MOST_CHARACTERS = 1024 * 1024  # of all matches together: the answer must fit into a message
_FILE_BYTES = 8 * 1024 * 1024
_SNIFFED_BYTES = 8192
_LINE_BOUND = re.compile(  # where a line alone may match and the same line within its file may not
    r"\(\?(?!:)|\\[ABZ]|[*+?}]\+"
)
_PLAIN = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(slots=True)
class Findings:
    """What has been found so far, and how much more may be; the first `skip` are passed over."""

    most: int
    skip: int = 0
    passed_over: int = 0
    matches: list[Match] = field(default_factory=list)
    characters: int = 0
    searched: int = 0
    skipped: int = 0
    truncated: bool = False
    step: int = 0  # counts what is matched
    here: str = ""  # what is being matched, as a message calls it; empty in between

    def now(self) -> tuple[int, str]:
        """Which match is being tried, and on what."""
        return self.step, self.here

    def add(self, match: Match) -> bool:
        """Take a match in; False where there is no room for it, and then `truncated`."""
        if self.passed_over < self.skip:
            self.passed_over += 1
            return True
        length = len(match.path) + len(match.text) + sum(map(len, match.before + match.after))
        self.truncated = len(self.matches) == self.most or self.characters + length > _MOST_CHARACTERS
        if not self.truncated:
            self.matches.append(match)
            self.characters += length
        return not self.truncated


@dataclass(frozen=True, slots=True)
class Wanted:
    """The question, made ready; without a pattern, names are looked for."""

    pattern: re.Pattern[str] | None
    sieve: re.Pattern[str] | None  # what a whole file must match to be worth a look line by line
    context: int
    is_name: Callable[[str, str], bool]


def search(roots: Roots, ask: Search) -> SearchAnswer:
    """Every match in order of path and line, as many as may be."""
    wanted = prepared(ask)
    findings = Findings(ask.max_matches or _USUAL_MATCHES, ask.skip)
    with roots.opened(ask.path or ".", os.O_PATH) as (found, place):
        is_folder = stat.S_ISDIR(os.fstat(found).st_mode)
        if not is_folder:
            require_file(os.fstat(found), place.shown)
            if wanted.pattern is None:
                raise Refused("Invalid", f"{place.shown} is a file: give a pattern", field="pattern")
    flags = os.O_DIRECTORY if is_folder else _PLAIN
    opened = roots.opened(ask.path or ".", os.O_RDONLY | flags)
    with opened as (descriptor, place), stepping(findings.now):
        try:
            if is_folder:
                way = Way(rules=from_above(place.root.descriptor(), place.inner))
                _search_folder((descriptor, way), wanted, findings, hidden=ask.hidden)
            else:
                _search_file(descriptor, show(os.path.basename(place.inner)), wanted, findings)  # noqa: PTH119 - may be no text
        except OSError as error:
            raise from_system(error, place.shown) from error
    return SearchAnswer(
        path=place.shown,
        matches=tuple(findings.matches),
        truncated=findings.truncated,
        files_searched=findings.searched,
        files_skipped=findings.skipped,
        passed_over=findings.passed_over,
    )


def prepared(ask: Search) -> Wanted:
    """The question made ready; raises Refused where it makes no sense."""
    if ask.max_matches > _MOST_MATCHES:
        raise Refused("Invalid", f"must be at most {_MOST_MATCHES}", field="max_matches")
    if ask.context_lines > _MOST_CONTEXT:
        raise Refused("Invalid", f"must be at most {_MOST_CONTEXT}", field="context_lines")
    if not ask.pattern and not ask.name_glob:
        raise Refused("Invalid", "give a pattern, a name_glob, or both", field="pattern")
    pattern = _compile(ask)
    is_simple = pattern and not _LINE_BOUND.search(pattern.pattern)
    sieve = re.compile(pattern.pattern, pattern.flags | re.MULTILINE) if pattern and is_simple else None
    return Wanted(pattern, sieve, ask.context_lines, matcher(ask.name_glob))


def _compile(ask: Search) -> re.Pattern[str] | None:
    if not ask.pattern:
        return None
    text = re.escape(ask.pattern) if ask.literal else ask.pattern
    try:
        return re.compile(text, re.IGNORECASE if ask.ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        hint = "set `literal` to look for plain text"
        raise Refused("Invalid", f"is no regular expression: {error}", hint=hint, field="pattern") from error


def _search_folder(begin: tuple[int, Way], wanted: Wanted, findings: Findings, *, hidden: bool) -> None:
    def enter(found: Found, _depth: int) -> bool:
        is_left_out = (found.ignored or found.name in HEAVY) and not hidden
        findings.skipped += is_left_out
        return not is_left_out

    with closing(walk(begin[0], enter, hidden=hidden, way=begin[1])) as names:
        for found in names:
            if findings.truncated:
                return
            if found.ignored and not hidden:
                findings.skipped += not stat.S_ISDIR(found.about.st_mode)
                continue
            findings.step, findings.here = findings.step + 1, "one name"
            is_wanted = wanted.is_name(found.path, found.name)
            findings.here = ""
            if not is_wanted:
                continue
            if wanted.pattern is None:
                findings.add(Match(path=found.shown, line=0, text=found.shown))
            elif stat.S_ISREG(found.about.st_mode):
                _open_and_search(found, wanted, findings)


def _open_and_search(found: Found, wanted: Wanted, findings: Findings) -> None:
    try:
        descriptor = os.open(found.name, os.O_RDONLY | os.O_NOFOLLOW | _PLAIN, dir_fd=found.folder)
    except OSError:
        findings.skipped += 1
        return
    try:
        _search_file(descriptor, found.shown, wanted, findings)
    finally:
        os.close(descriptor)


def _search_file(descriptor: int, shown: str, wanted: Wanted, findings: Findings) -> None:
    text = _text(descriptor)
    if text is None:
        findings.skipped += 1
        return
    findings.searched += 1
    findings.step, findings.here = findings.step + 1, shown
    find_in(text, shown, wanted, findings)
    findings.here = ""


def find_in(text: str, shown: str, wanted: Wanted, findings: Findings) -> None:
    """Add the lines of a text that match."""
    if wanted.pattern is None or (wanted.sieve and "\r" not in text and not wanted.sieve.search(text)):
        return
    lines = text.removesuffix("\n").split("\n")
    for number, start in _matching(lines, wanted.pattern):
        before = lines[max(0, number - wanted.context) : number]
        after = lines[number + 1 : number + 1 + wanted.context]
        match = Match(
            path=shown,
            line=number + 1,
            text=_cut(lines[number], start),
            before=tuple(map(_cut, before)),
            after=tuple(map(_cut, after)),
        )
        if not findings.add(match):
            return


def _matching(lines: Sequence[str], pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The index of each line that matches, and where in it."""
    look = pattern.search
    for number, line in enumerate(lines):
        found = look(line.removesuffix("\r"))
        if found:
            yield number, found.start()


def _cut(line: str, start: int = 0) -> str:
    """The line without its end, at most 500 characters of it, the match among them."""
    line = line.removesuffix("\r")
    if len(line) <= _LINE_CHARACTERS:
        return line
    room = _LINE_CHARACTERS - 2
    first = max(0, min(start - room // 4, len(line) - room))
    return f"{'…' if first else ''}{line[first : first + room]}{'…' if first + room < len(line) else ''}"


def _text(descriptor: int) -> str | None:
    """The file as text; None where it is binary, too large, or cannot be read."""
    try:
        with open(descriptor, "rb", closefd=False) as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > _FILE_BYTES:
                return None
            content = file.read(_FILE_BYTES + 1)
    except OSError:
        return None
    if len(content) > _FILE_BYTES or b"\0" in content[:_SNIFFED_BYTES]:
        return None
    return content.decode("utf-8", "replace")
