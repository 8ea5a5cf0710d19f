"""Where a note comes from: what was said of it, held against what tools have told its author lately.

A model may say that a person said it. What stands word for word in a result that it was given is not trusted
on its word.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Iterator

_PERSON = frozenset({"person", "user", "the person", "the user", "me"})
_RUN_WORDS = 6  # so many words in a row, and not by chance
_RESULTS_OF_ONE = 16
_BYTES_OF_ONE = 128 * 1024
_MOST_OWNERS = 64
_WORD = re.compile(r"\w+")


class Seen:
    """The last results of tools that each caller was given; so much of them, and no more."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[tuple[str, str]]] = OrderedDict()

    def told(self, owner: str, tool: str, text: str) -> None:
        """A tool has told them that."""
        results = self._of.setdefault(owner, deque(maxlen=_RESULTS_OF_ONE))
        self._of.move_to_end(owner)
        results.append((tool, text[:_BYTES_OF_ONE]))
        while len(results) > 1 and sum([len(text) for _, text in results]) > _BYTES_OF_ONE:
            results.popleft()
        while len(self._of) > _MOST_OWNERS:
            self._of.popitem(last=False)

    def tool_that_told(self, owner: str, text: str) -> str:
        """The tool in whose results a part of the text stands; empty where it stands in none."""
        runs = tuple(_runs(text))
        if not runs:
            return ""
        for tool, told in reversed(self._of.get(owner, ())):
            words = f" {' '.join(_words(told))} "
            if any(run in words for run in runs):
                return tool
        return ""


def is_trusted(source: str) -> bool:
    """Whether a source is a person who said it."""
    return source.strip().casefold() in _PERSON


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _runs(text: str) -> Iterator[str]:
    """Each run of words in the text: all of it, where it has fewer."""
    words = _words(text)
    if len(words) < _RUN_WORDS // 2:
        return
    for first in range(max(1, len(words) - _RUN_WORDS + 1)):
        yield f" {' '.join(words[first : first + _RUN_WORDS])} "
