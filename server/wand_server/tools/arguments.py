"""Arguments as a client sent them, read into a tool; what does not fit is said field by field."""

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wand_proto.errors import Invalid

AnyModel = TypeVar("AnyModel", bound=BaseModel)

_SHOWN_CHARACTERS = 80
_SHOWN_ERRORS = 10


def read(model: type[AnyModel], untrusted: dict[str, Any]) -> AnyModel:
    """The arguments as a model; null stands for an argument that is left out.

    Raises:
        Invalid: names every argument that does not fit, what was wrong, and what would be right.
    """
    given = {name: value for name, value in untrusted.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=True)
        raise Invalid(_explain(model, problems), field=_place(problems[0]["loc"])) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """Ask whether something known and near was meant; empty where nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else ""


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
        case _:
            given = _shown(problem["input"])
            return f"{place}: {problem['msg'][:1].lower()}{problem['msg'][1:]}, not {given}"


def _known(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """What would be right instead; of values inside an argument, the problems beside this one tell it."""
    if len(location) > 1:
        return ""
    names = list(model.model_fields)
    return "; " + (nearest(str(location[0]), names) or f"there are: {', '.join(names) or 'none'}")


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _shown(value: object) -> str:
    text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
