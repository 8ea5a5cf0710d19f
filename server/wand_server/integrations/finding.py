"""Which operations fit a request in plain words: BM25 over their names, what they do, what people call it.

Okapi BM25 as in Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), 3.2.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_K1, _B = 1.2, 0.6
_WORD = re.compile(r"[a-z0-9]+")
_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ed", "es", "s", "e", "y")
_SHORTEST = 3
_SILENT = frozenset(
    """
    a an the of to in on for with and or my me our we i is are be do does it its this that from at by as all
    please can you could would want need how what which who some any into up out
    """.split()  # noqa: SIM905 - a text is easier to read
)
_ALIKE = """
    list show display browse enumerate
    get fetch read retrieve view look open see
    create add make new
    delete remove drop erase trash
    update change edit modify set rename
    send post write tell notify message
    search find query lookup
    start run launch trigger execute kick
    stop cancel abort kill halt
    restart reboot redeploy
    enable activate
    disable deactivate suspend
    approve accept confirm
    invite share
    upload put store save
    download export
    user person member people colleague account employee
    repository repo
    ticket issue incident case bug
    picture image photo
    email mail
    chat conversation
    channel room
    secret password credential
    payment charge
    customer client contact
    deployment rollout
    folder directory
    file document
"""  # what people say in each other's place
_ALIKE_WEIGHT = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is known of one thing that can be found: words, and how much each counts."""

    name: str
    parts: tuple[tuple[str, float], ...]


class Search:
    """An index of texts."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._names = [text.name for text in texts]
        self._where: dict[str, list[tuple[int, float]]] = defaultdict(list)
        lengths: list[float] = []
        for number, text in enumerate(texts):
            counts = _counted(text)
            lengths.append(sum(counts.values()))
            for word, count in counts.items():
                self._where[word].append((number, count))
        average = sum(lengths) / len(lengths) if lengths else 1.0
        self._norm = [_K1 * (1 - _B + _B * length / average) for length in lengths]

    def find(self, query: str) -> list[str]:
        """The names of what fits, the best first; what shares no word is left out."""
        scores: dict[int, float] = defaultdict(float)
        for word, weight in _asked(query).items():
            found = self._where.get(word, ())
            rarity = math.log(1 + (len(self._names) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                scores[number] += weight * rarity * count * (_K1 + 1) / (count + self._norm[number])
        best = sorted(scores.items(), key=lambda item: (-item[1], self._names[item[0]]))
        return [self._names[number] for number, _ in best]


def _counted(text: Text) -> Mapping[str, float]:
    counts: Counter[str] = Counter()
    for part, weight in text.parts:
        for word in stems(part):
            counts[word] += weight  # type: ignore[assignment] # a Counter of weights
    return counts


def _asked(query: str) -> Mapping[str, float]:
    """The words of a query, and at less weight those that are said in their place."""
    words = dict.fromkeys(stems(query), 1.0)
    for word in list(words):
        for other in _ALIKE_TO.get(word, ()):
            words.setdefault(other, _ALIKE_WEIGHT)
    return words


def stems(text: str) -> Iterator[str]:
    """The words of a text without their endings, and without those that say nothing."""
    for word in _WORD.findall(text.lower()):
        if word not in _SILENT:
            yield _stem(word)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word[: -len(ending)]
    return word


def _groups(lines: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in lines:
        words = tuple(map(_stem, line.split()))
        for word in words:
            table[word] = (*table.get(word, ()), *(other for other in words if other != word))
    return table


_ALIKE_TO = _groups(filter(None, map(str.strip, _ALIKE.splitlines())))
