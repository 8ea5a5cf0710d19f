"""Which operations fit a request in plain words: BM25 over their names, what they do, what people call it.

Okapi BM25 as in Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), 3.2.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wand_server.integrations import speech
from wand_server.integrations.kit.manifest import Manifest

_K1, _B = 1.2, 0.3
_KNOWN, _NAMED = 4.0, 2.0  # how much better fits what is of a service that the request names: (score + 4) * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is known of one thing that can be found: words, and how much each counts."""

    name: str
    parts: tuple[tuple[str, float], ...]  # what it is called, then what is said of it
    names: tuple[str, ...] = ()  # what its service is called: in the first part alone such a word counts


def text_of(name: str, summary: str, about: Manifest | None) -> Text:
    """What is known of an operation, from its summary and from the manifest of its service."""
    instance, _, operation = name.rpartition(".")
    told = ((operation.replace("_", " "), 2.0), (summary, 1.0))
    called = tuple(instance.replace("_", " ").split(":"))
    if about is None:
        return Text(name=name, parts=told, names=called)
    words = ((about.words.get(operation, ""), 1.0), (" ".join(about.keywords), 0.3))
    return Text(name=name, parts=(*told, *words), names=(*called, about.name, *about.also))


def in_words(name: str, summary: str, about: Manifest | None) -> str:
    """What an operation does, in a sentence whose meaning can be compared with that of a request."""
    instance, _, operation = name.rpartition(".")
    service = about.name if about else instance.partition(":")[0]
    return f"{service}: {summary} {about.words.get(operation, '') if about else ''}".rstrip()


class Search:
    """An index of texts."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._names = [text.name for text in texts]
        self._where: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._named: dict[frozenset[str], set[int]] = defaultdict(set)
        self._usual = {
            word for text in texts for word in speech.said(text.parts[0][0])
        }  # what services do alike
        lengths: list[float] = []
        for number, text in enumerate(texts):
            counts = _counted(text)
            lengths.append(sum(counts.values()))
            for word, count in counts.items():
                self._where[word].append((number, count))
            for name in text.names:
                self._named[frozenset(speech.said(name))].add(number)
        average = sum(lengths) / len(lengths) if lengths else 1.0
        self._norm = [_K1 * (1 - _B + _B * length / average) for length in lengths]

    def find(self, query: str) -> list[str]:
        """The names of what fits, the best first, then the earlier; what shares no word is left out."""
        scores: dict[int, float] = defaultdict(float)
        words = speech.asked(query)
        for word, weight in words.items():
            found = self._where.get(word, ())
            rarity = math.log(1 + (len(self._names) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                scores[number] += weight * rarity * count * (_K1 + 1) / (count + self._norm[number])
        for number in self._of_those_named(words):
            scores[number] = (scores[number] + _KNOWN) * _NAMED
        return [
            self._names[number] for number in sorted(scores, key=lambda number: (-scores[number], number))
        ]

    def _of_those_named(self, words: Mapping[str, float]) -> set[int]:
        """Of every service that the request names whole; where there is none, of those it names most of."""
        said = {word for word, weight in words.items() if weight > speech.ALIKE_WEIGHT}
        whole = [name for name in self._named if name <= said]
        shared = {name: len(name & (said - self._usual)) for name in self._named}
        most = max(shared.values(), default=0)
        named = whole or [name for name, count in shared.items() if count == most > 0]
        return set().union(*(self._named[name] for name in named))


def _counted(text: Text) -> Mapping[str, float]:
    counts: Counter[str] = Counter()
    silent = frozenset(speech.said(" ".join(text.names)))
    for number, (part, weight) in enumerate(text.parts):
        for word in speech.said(part):
            if number == 0 or word not in silent:
                counts[word] += weight  # type: ignore[assignment] # a Counter of weights
    return counts
