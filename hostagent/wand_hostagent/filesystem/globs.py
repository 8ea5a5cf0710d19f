"""Globs on names and on paths: `*.py`, `tests/**/*.py`, `*.{ts,tsx}`."""

import re
from collections.abc import Callable

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


def as_regex(glob: str) -> str:
    """The regular expression that a glob means."""
    depth = 0
    words = []
    for part in _PARTS.finditer(glob):
        if part["brace"]:
            depth += {"{": 1, "}": -1, ",": 0}[part["brace"]]
            words.append({"{": "(?:", "}": ")", ",": "|" if depth else ","}[part["brace"]])
        else:
            words.append(_word(part))
    return "".join(words)


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
