"""Conditions of steps: an object with one member, which says what is asked; or a reference to a yes or no.

{"equals": [A, B]}  {"contains": [A, B]}  {"less": [A, B]}  {"exists": {"$from": …}}
{"not": C}  {"all": [C, …]}  {"any": [C, …]}  {"$from": "build.failed"}
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wand_proto.errors import Invalid
from wand_server.orchestrator.work import references
from wand_server.orchestrator.work.references import Missing, Reference, Values

_THERE_ARE = 'equals, contains, less, exists, not, all, any, or a reference such as {"$from": "build.failed"}'
_OF_TWO = frozenset({"equals", "contains", "less"})
_OF_CONDITIONS = frozenset({"not", "all", "any"})


def found(condition: Any, place: str) -> Iterator[Reference]:
    """Every reference in a condition.

    Raises:
        Invalid: it is none.
    """
    if references.is_form(condition):
        yield from references.found(condition, place)
        return
    if not isinstance(condition, dict) or len(condition) != 1:
        raise Invalid(f"must be an object with one member: {_THERE_ARE}", field=place)
    [(name, inside)] = condition.items()
    yield from _inside(name, inside, f"{place}.{name}")


def _inside(name: str, inside: Any, place: str) -> Iterator[Reference]:
    if name in _OF_TWO:
        if not isinstance(inside, list) or len(inside) != 2:
            raise Invalid("must be a list of the two that are compared", field=place)
        yield from references.found(inside, place)
    elif name == "exists":
        if not references.is_form(inside):
            raise Invalid('must be a reference, as {"$from": "build.result.url"}', field=place)
        yield from references.found(inside, place)
    elif name in _OF_CONDITIONS:
        yield from _each(name, inside, place)
    else:
        raise Invalid(f"is no condition; there are: {_THERE_ARE}", field=place)


def _each(name: str, inside: Any, place: str) -> Iterator[Reference]:
    if name == "not":
        yield from found(inside, place)
        return
    if not isinstance(inside, list) or not inside:
        raise Invalid("must be a list of conditions", field=place)
    for at, each in enumerate(inside):
        yield from found(each, f"{place}[{at}]")


def holds(condition: dict[str, Any], values: Values) -> bool:
    """Whether a condition holds.

    Raises:
        Missing: a reference in it leads nowhere.
        Invalid: what it compares cannot be compared.
    """
    if references.is_form(condition):
        said = references.filled(condition, values)
        if not isinstance(said, bool):
            raise Invalid(
                f"must be true or false, not {said!r:.80}", hint="compare it: equals, contains, less"
            )
        return said
    [(name, inside)] = condition.items()
    return _ASKED[name](inside, values)


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Values], bool]:
    def ask(two: list[Any], values: Values) -> bool:
        left, right = (references.filled(each, values) for each in two)
        return compare(left, right)

    return ask


def _equal(left: Any, right: Any) -> bool:
    """As JSON has it: 1 is not true, nor is it in lists and objects."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    if isinstance(whole, list):
        return any(_equal(each, part) for each in whole)
    if isinstance(whole, dict):
        return isinstance(part, str) and part in whole
    raise Invalid(f"contains: must be a text, a list or an object, not {whole!r:.80}")


def _less(left: Any, right: Any) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (left, right))
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        raise Invalid(f"less: must be two numbers or two texts, not {left!r:.80} and {right!r:.80}")
    return bool(left < right)


def _exists(reference: Any, values: Values) -> bool:
    try:
        return references.filled(reference, values) is not None
    except Missing:
        return False


_ASKED: Mapping[str, Callable[[Any, Values], bool]] = {
    "equals": _compared(_equal),
    "contains": _compared(_contains),
    "less": _compared(_less),
    "exists": _exists,
    "not": lambda inside, values: not holds(inside, values),
    "all": lambda inside, values: all(holds(each, values) for each in inside),
    "any": lambda inside, values: any(holds(each, values) for each in inside),
}
