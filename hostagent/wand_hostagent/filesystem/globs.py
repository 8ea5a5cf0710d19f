"""Globs on names and on paths: `*.py`, `tests/**/*.py`, `*.{ts,tsx}`."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from wand_hostagent.filesystem.refusal import Refused

_MOST_CHARACTERS = 256
_PARTS = re.compile(
    r"(?P<any>/?\*\*/?)|(?P<star>\*+)|(?P<one>\?)"
    r"|\[(?P<set>!?\]?[^\]/]*)\]|(?P<brace>[{},])|(?P<text>.)",
    re.DOTALL,
)


def matcher(glob: str) -> Callable[[str, str], bool]:
    """Whether a path, or its last name, matches: a glob with / or ** means paths, an empty one all."""
    if not glob:
        return lambda _path, _name: True
    if len(glob) > _MOST_CHARACTERS or "\0" in glob:
        raise Refused("Invalid", f"must be at most {_MOST_CHARACTERS} characters", field="name_glob")
    try:
        matches = re.compile(as_regex(glob.removeprefix("./").removeprefix("/"))).fullmatch
    except re.error as error:
        raise Refused(
            "Invalid", f"is no glob: {error}", hint="such as *.py or src/**/*.py", field="name_glob"
        ) from error
    if "/" in glob or "**" in glob:
        return lambda path, _name: matches(path) is not None
    return lambda _path, name: matches(name) is not None


def as_regex(glob: str, *, braces: bool = True) -> str:
    """The regular expression that a glob means; without `braces` those are letters as others are."""
    parts = list(_PARTS.finditer(glob))
    if not braces or not any(part["brace"] for part in parts):
        return "".join(_once_through(parts))
    depth = 0
    words = []
    for part in parts:
        if part["brace"]:
            depth += {"{": 1, "}": -1, ",": 0}[part["brace"]]
            words.append({"{": "(?:", "}": ")", ",": "|" if depth else ","}[part["brace"]])
        else:
            words.append(_word(part))
    return "".join(words)


def _once_through(parts: Sequence[re.Match[str]]) -> Iterator[str]:
    """Words that are matched in one go: of the stars in a name, each but the last takes as little as it can.

    If that does not fit, more would not, for the next star takes the rest; to try all the same would take
    for ever where a glob has many stars.
    """
    is_open = False
    for place, part in enumerate(parts):
        if not part["star"]:
            yield re.escape(part["brace"]) if part["brace"] else _word(part)
            continue
        yield ")" if is_open else ""
        is_open = _has_star(parts[place + 1 :])
        yield "(?>[^/]*?" if is_open else "[^/]*"


def _has_star(parts: Sequence[re.Match[str]]) -> bool:
    """Whether the same name has another one."""
    name = takewhile(lambda part: not part["any"] and part["text"] != "/", parts)
    return any(part["star"] for part in name)


def _word(part: re.Match[str]) -> str:
    if part["any"]:
        return _any(part["any"])
    if part["star"]:
        return "[^/]*"
    if part["one"]:
        return "[^/]"
    if part["set"] is not None:
        inside = part["set"].replace("\\", r"\\").replace("[", r"\[")
        return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return re.escape(part["text"])


def _any(stars: str) -> str:
    """`**` between slashes is any number of folders, also none."""
    if stars == "/**/":
        return "/(?:.*/)?"
    if stars == "**/":
        return "(?:.*/)?"
    return "/.*" if stars.startswith("/") else ".*"
