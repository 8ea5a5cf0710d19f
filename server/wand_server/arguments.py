"""Arguments as a client sent them, read into a tool; what does not fit is said field by field."""

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wand_proto.errors import Invalid

AnyModel = TypeVar("AnyModel", bound=BaseModel)

_SHOWN_CHARACTERS = 80
_SHOWN_ERRORS = 10
_OF_MORE = frozenset({"list_type", "tuple_type", "dict_type", "model_type"})  # what is no list, no object
_MUST = {  # what pydantic calls a problem, in the words of JSON
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    "dict_type": "must be an object of names and values",
    "string_type": "must be text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_long": "must have at most {max_length} items",
}


def read(model: type[AnyModel], untrusted: dict[str, Any]) -> AnyModel:
    """The arguments as a model; null stands for an argument that is left out.

    Some models write a list or an object as text, in JSON: where one is wanted, that is read as it is meant.

    Raises:
        Invalid: names every argument that does not fit, what was wrong, and what would be right.
    """
    given = {name: value for name, value in untrusted.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = _told_once(error.errors(include_url=False, include_context=True))
        if unpacked := _unpacked(given, problems):
            return read(model, {**given, **unpacked})
        raise Invalid(_explain(model, problems), field=_place(problems[0]["loc"])) from error


def _told_once(problems: Sequence[ErrorDetails]) -> Sequence[ErrorDetails]:
    """The problems, but not that a list is short where that is for an item that does not fit."""
    inner = {each["loc"][:-depth] for each in problems for depth in range(1, len(each["loc"]))}
    return [each for each in problems if each["type"] != "too_short" or each["loc"] not in inner]


def _unpacked(given: dict[str, Any], problems: Sequence[ErrorDetails]) -> dict[str, Any]:
    """What came as the JSON text of a list or an object where one was wanted, as what it says."""
    wanted = [str(each["loc"][0]) for each in problems if each["type"] in _OF_MORE and len(each["loc"]) == 1]
    found = {name: _parsed(given[name]) for name in wanted}
    return {name: value for name, value in found.items() if isinstance(value, list | dict)}


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def nearest(name: str, known: Iterable[str]) -> str:
    """Ask whether something known and near was meant; empty where nothing is near."""
    names = list(known)
    close = difflib.get_close_matches(name, names, cutoff=0.8) or difflib.get_close_matches(
        name, names, cutoff=0.5
    )
    return f"did you mean {' or '.join(close)}?" if close else ""


def unknown_tool(name: str, known: Iterable[str]) -> str:
    """Say that there is no such tool, and which there are."""
    near = nearest(name, known) or f"there are: {', '.join(known)}"
    return f"there is no tool {name[:_SHOWN_CHARACTERS]!r}; {near}"


def _explain(model: type[BaseModel], problems: Sequence[ErrorDetails]) -> str:
    lines = [_problem(model, problem) for problem in problems[:_SHOWN_ERRORS]]
    if len(problems) > _SHOWN_ERRORS:
        lines.append(f"and {len(problems) - _SHOWN_ERRORS} more")
    return "\n".join(lines)


def _problem(model: type[BaseModel], problem: ErrorDetails) -> str:
    place = _place(problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            return f"{place}: there is no such argument{_known(model, problem['loc'])}"
        case "missing":
            return f"{place}: is missing"
        case "value_error":
            said = str(problem["ctx"]["error"])
            return f"{place}: {said}" if place else said
        case "string_too_short" | "too_short":
            return f"{place}: must not be empty"
        case known if known in _MUST:
            bounds = {name: _whole(bound) for name, bound in problem.get("ctx", {}).items()}
            return f"{place}: {_MUST[known].format_map(bounds)}, not {_shown(problem['input'])}"
        case _:
            return f"{place}: {problem['msg']}, not {_shown(problem['input'])}"


def _whole(bound: object) -> object:
    """A bound as a person writes it: 60, not 60.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _known(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """What would be right instead."""
    names = _names(model, location[:-1])
    if names is None:
        return ""
    if not names:
        return "; the tool takes none"
    return "; " + (nearest(str(location[-1]), names) or f"there are: {', '.join(names)}")


def _names(model: type[BaseModel], path: Sequence[int | str]) -> list[str] | None:
    """The names that there are at a place: those of the model, or of one of which an argument is a list."""
    if not path:
        return list(model.model_fields)
    field = model.model_fields.get(str(path[0]))
    within = _model_in(field.annotation) if field else None
    return _names(within, [part for part in path[1:] if not isinstance(part, int)]) if within else None


def _model_in(kind: Any) -> type[BaseModel] | None:
    """The one model of which a type is, or holds; None where there are more, or none."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    found = [each for each in map(_model_in, get_args(kind)) if each]
    return found[0] if len(found) == 1 else None


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place if len(place) <= _SHOWN_CHARACTERS else f"{place[:_SHOWN_CHARACTERS]}..."


def _shown(value: object) -> str:
    text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
