"""Rankings: the words of a question as each full-text search reads them, and several rankings as one."""

import re
from collections.abc import Hashable, Iterable, Sequence
from itertools import repeat
from typing import TypeVar

_CLOSENESS = 60  # as in "Reciprocal Rank Fusion outperforms Condorcet" (Cormack and others, 2009)
_WORD = re.compile(r"\w+")
_MOST_WORDS = 32

Item = TypeVar("Item", bound=Hashable)


def joined(
    rankings: Iterable[Sequence[Item]], closeness: int = _CLOSENESS, weights: Iterable[float] = repeat(1)
) -> list[Item]:
    """One ranking of all: what stands high in several comes first (reciprocal rank).

    The less the closeness, the more the first few are worth.
    """
    scores: dict[Item, float] = {}
    for ranking, weight in zip(rankings, weights, strict=False):
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (closeness + rank)
    return sorted(scores, key=lambda item: -scores[item])


def words(question: str) -> tuple[str, ...]:
    """The words of a question, each once; nothing in them means anything to a database."""
    return tuple(dict.fromkeys(_WORD.findall(question.casefold())))[:_MOST_WORDS]


def for_fts5(places: Iterable[int], asked: Iterable[str]) -> str:
    """Any of the words, in notes of those places, as FTS5 reads it."""
    where = " OR ".join(f'"{place}"' for place in places)
    what = " OR ".join(f'"{word}"' for word in asked)
    return f"{{place}} : ({where}) AND {{text}} : ({what})"


def for_tsquery(asked: Iterable[str]) -> str:
    """Any of the words, as `to_tsquery` reads it."""
    return " | ".join(f"'{word}'" for word in asked)
