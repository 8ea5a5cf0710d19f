"""Edits of a text as pure functions: replacements, all or none, and the difference that they make."""

import difflib
from collections.abc import Iterator, Sequence

from wand_hostagent.filesystem.model import Replacement
from wand_hostagent.filesystem.refusal import Refused

TEXT_BYTES = 4 * 1024 * 1024
DIFF_CHARACTERS = 16 * 1024
_MOST_COMPARED_LINES = 4000
_SHOWN_LINES = 10
_BOM = "\ufeff"


def apply(text: str, replacements: Sequence[Replacement]) -> str:
    """The text after every replacement in order; line ends and a byte order mark stay as they are.

    In a text whose lines all end with CR LF, the replacements may be written with LF alone.

    Raises:
        Refused: one does not fit, and which; then none is made.
    """
    if not replacements:
        raise Refused("Invalid", "at least one replacement is needed", field="replacements")
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    is_crlf = "\r\n" in body and body.count("\n") == body.count("\r\n")
    changed = _lf(body) if is_crlf else body
    for index, each in enumerate(replacements):
        old, new = (_lf(each.old_text), _lf(each.new_text)) if is_crlf else (each.old_text, each.new_text)
        changed = _replace(changed, old, new, f"replacements[{index}]", every=each.every)
    result = mark + (changed.replace("\n", "\r\n") if is_crlf else changed)
    if result == text:
        raise Refused("Invalid", "the replacements change nothing", field="replacements")
    return result


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def _replace(text: str, old: str, new: str, field: str, *, every: bool) -> str:
    if not old:
        raise Refused("Invalid", "must not be empty", field=f"{field}.old_text")
    found = list(_places(text, old, overlapping=not every))
    if not found:
        raise Refused(
            "Invalid", "does not occur in the file", hint=_hint(text, old), field=f"{field}.old_text"
        )
    if len(found) > 1 and not every:
        raise Refused(
            "Invalid",
            f"occurs {len(found)} times, on lines {_lines(text, found)}; it must occur once",
            hint="take in more of the text around it, or set `every`",
            field=f"{field}.old_text",
        )
    if len(text) + len(found) * (len(new) - len(old)) > TEXT_BYTES:
        raise Refused(
            "Invalid", f"would make the file larger than {TEXT_BYTES} bytes", field=f"{field}.new_text"
        )
    return text.replace(old, new)


def _places(text: str, old: str, *, overlapping: bool) -> Iterator[int]:
    place = text.find(old)
    while place >= 0:
        yield place
        place = text.find(old, place + (1 if overlapping else len(old)))


def _lines(text: str, places: Sequence[int]) -> str:
    shown = [str(text.count("\n", 0, place) + 1) for place in places[:_SHOWN_LINES]]
    return ", ".join(shown) + (" …" if len(places) > _SHOWN_LINES else "")


def _hint(text: str, old: str) -> str:
    """What may be wrong with a text that is not found: the spaces, or all but its first line."""
    lines = text.split("\n")
    wanted = next((line.strip() for line in old.split("\n") if line.strip()), "")
    near = [number for number, line in enumerate(lines, 1) if wanted and wanted in line]
    if near:
        shown = ", ".join(map(str, near[:_SHOWN_LINES]))
        return f"its first line stands on line {shown}; look at the spaces and at what follows"
    return "read the file again: it must be given exactly as it stands there"


def difference(old: str, new: str, name: str) -> str:
    """A unified diff, cut where it becomes long."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    same = _same_at_start(before, after)
    tail = _same_at_start(before[same:][::-1], after[same:][::-1])
    if len(before) + len(after) - 2 * (same + tail) > _MOST_COMPARED_LINES:
        return f"--- {name}\n+++ {name}\n(from line {same + 1} on, too many lines changed to show them)\n"
    lines: list[str] = []
    length = 0
    start = max(0, same - 3)
    for line in difflib.unified_diff(
        before[start : len(before) - max(0, tail - 3)],
        after[start : len(after) - max(0, tail - 3)],
        name,
        name,
    ):
        shown = _moved(line, start) if line.startswith("@@ ") else line
        shown = shown if shown.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"
        length += len(shown)
        if length > DIFF_CHARACTERS:
            return "".join([*lines, "(cut here)\n"])
        lines.append(shown)
    return "".join(lines)


def _same_at_start(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _moved(header: str, by: int) -> str:
    """A hunk's header `@@ -a,b +c,d @@` with its line numbers moved on."""
    _, old, new, _ = header.split(" ")
    return f"@@ {_shift(old, by)} {_shift(new, by)} @@\n"


def _shift(part: str, by: int) -> str:
    line, comma, count = part[1:].partition(",")
    return f"{part[0]}{int(line) + by}{comma}{count}"
