"""References in a task to what its steps gave back, and how values are put in their place.

An object with a member whose name begins with `$` is one of these forms, and never anything else:

    {"$from": "step.result.path.0"}     what a step gave back; "$else" beside it stands for what is not there
    {"$item": "path"}                   of the item, in a step for each of several; "" is the item itself
    {"$text": ["a ", {"$from": …}]}     one text of several parts
    {"$literal": …}                     what stands there, even if it looks like one of these

What is put in is a value: nothing in it is read as a reference again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Invalid

PARTS = ("result", "text", "failed", "skipped")
_FORMS = "$from, $item, $text and $literal"
ALL = "*"  # in a path: each of a list
_SHOWN = 80
_MOST_FILLED = 8 * 1024 * 1024  # characters, of all that is put into one template

Path = tuple[str, ...]


class Missing(Invalid):
    """A reference leads nowhere; `step` is where it would have led."""

    def __init__(self, message: str, step: str, *, field: str = "") -> None:
        super().__init__(message, field=field)
        self.step = step


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a form points, and where it stands; the step is empty for an item's."""

    step: str
    path: Path
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What there is to be referred to: each step's end as JSON, and the item whose turn it is."""

    steps: Mapping[str, Mapping[str, Any]]
    item: Any = None


class Hole:
    """Stands for a value that is not known yet, in what is checked before the start."""

    def __init__(self, *, is_text: bool = False) -> None:
        self.is_text = is_text


def is_form(node: Any) -> bool:
    """Whether that is one of the forms, or would be if it were well made."""
    return isinstance(node, dict) and any(isinstance(name, str) and name.startswith("$") for name in node)


def found(template: Any, place: str) -> Iterator[Reference]:
    """Every reference in a template.

    Raises:
        Invalid: something begins with `$` and is none of the forms.
    """
    if is_form(template):
        yield from _of_form(template, place)
    elif isinstance(template, dict):
        for name, inside in template.items():
            yield from found(inside, f"{place}.{name}")
    elif isinstance(template, list | tuple):
        for at, inside in enumerate(template):
            yield from found(inside, f"{place}[{at}]")


def _of_form(form: dict[str, Any], place: str) -> Iterator[Reference]:
    names = set(form) - {"$else"}
    match names:
        case _ if names == {"$literal"} and "$else" not in form:
            return
        case _ if names == {"$text"} and "$else" not in form and isinstance(form["$text"], list):
            yield from found(form["$text"], f"{place}.$text")
            return
        case _ if names in ({"$from"}, {"$item"}):
            yield _reference(form, place)
            yield from found(form.get("$else"), f"{place}.$else")
            return
    wrong = ", ".join(sorted(form))[:_SHOWN]
    hint = 'data with such names is written {"$literal": …}'
    raise Invalid(f"{wrong} is none of the forms {_FORMS}", field=place, hint=hint)


def _reference(form: dict[str, Any], place: str) -> Reference:
    if "$item" in form:
        return Reference(step="", path=_path(form["$item"], f"{place}.$item"), place=place)
    step, *path = _path(form["$from"], f"{place}.$from") or ("",)
    if not path or path[0] not in PARTS:
        there = " or ".join(f"{step or 'step'}.{part}" for part in PARTS)
        raise Invalid(f"must go on with what of the step is meant: {there}", field=f"{place}.$from")
    return Reference(step=step, path=tuple(path), place=place)


def _path(untrusted: Any, place: str) -> Path:
    """A path as text, its parts parted by dots, or as a list of them."""
    if isinstance(untrusted, str):
        return tuple(untrusted.split(".")) if untrusted else ()
    if isinstance(untrusted, list) and all(type(part) in (str, int) for part in untrusted):
        return tuple(str(part) for part in untrusted)
    raise Invalid('must be a path, as "list.result.entries.0", or a list of its parts', field=place)


def holes(template: Any) -> Any:
    """The template with holes in place of what is not known yet."""
    if is_form(template):
        return template["$literal"] if "$literal" in template else Hole(is_text="$text" in template)
    if isinstance(template, dict):
        return {name: holes(inside) for name, inside in template.items()}
    return [holes(inside) for inside in template] if isinstance(template, list) else template


def filled(template: Any, values: Values) -> Any:
    """The template with values in place of its references.

    Raises:
        Missing: one leads nowhere.
        Invalid: together they are too long: a short template may name a long result many times.
    """
    return _Filling(values).filled(template)


class _Filling:
    """One template on its way, and how much may still be put into it."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._left = _MOST_FILLED

    def filled(self, template: Any) -> Any:
        if is_form(template):
            return self._form(template)
        if isinstance(template, dict):
            return {name: self.filled(inside) for name, inside in template.items()}
        return [self.filled(inside) for inside in template] if isinstance(template, list) else template

    def _form(self, form: dict[str, Any]) -> Any:
        if "$literal" in form:
            return form["$literal"]
        if "$text" in form:
            return "".join(as_text(self.filled(part)) for part in form["$text"])
        try:
            found = looked_up(_reference(form, ""), self._values)
        except Missing:
            if "$else" not in form:
                raise
            return self.filled(form["$else"])
        self._left -= len(as_text(found))
        if self._left < 0:
            hint = "refer to less of them, or keep what is long in a file"
            raise Invalid(f"what is referred to has more than {_MOST_FILLED:,} characters", hint=hint)
        return found


def as_text(value: Any) -> str:
    """A value as text: texts of a list one below the other, and what else is no text as JSON."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "\n".join(each.removesuffix("\n") for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def looked_up(reference: Reference, values: Values) -> Any:
    """What a reference leads to.

    Raises:
        Missing: nothing.
    """
    if not reference.step:
        return _within(values.item, reference.path, "the item", "")
    end = values.steps.get(reference.step)
    if end is None:
        raise Missing(f"{reference.step} has not ended", reference.step)
    return _within(end, reference.path, reference.step, reference.step)


def _within(value: Any, path: Path, name: str, step: str) -> Any:
    for at, part in enumerate(path):
        if part == ALL and isinstance(value, list):
            return [
                _within(each, path[at + 1 :], f"{name}.{number}", step) for number, each in enumerate(value)
            ]
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, Sequence) and not isinstance(value, str) and _is_in(part, value):
            value = value[int(part)]
        else:
            raise Missing(f"{name} has no {part!r:.80}{_there(value)}", step)
        name = f"{name}.{part}"[:_SHOWN]
    return value


def _is_in(part: str, items: Sequence[Any]) -> bool:
    digits = part.removeprefix("-")
    return digits.isascii() and digits.isdigit() and -len(items) <= int(part) < len(items)


def _there(value: Any) -> str:
    """What there is instead."""
    if isinstance(value, Mapping):
        return f"; there are: {', '.join(map(str, value))[:_SHOWN] or 'none'}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f" in a list of {len(value)}"
    return f" in {json.dumps(value, default=str)[:_SHOWN]}"
