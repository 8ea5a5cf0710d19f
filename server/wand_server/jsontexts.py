"""JSON with each of its texts put through a function, names of members too."""

from collections.abc import Callable
from typing import Any


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same value, its texts as `change` makes them."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [changed(each, change) for each in value]
    if isinstance(value, dict):
        return {change(name): changed(each, change) for name, each in value.items()}
    return value
