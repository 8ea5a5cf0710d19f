"""How often the operation that was meant is among the first five found.

    ./dev queries [FILE.jsonl…] [--embeddings local]

A row is `{"query": "tell #general that …", "operation": "slack.send_message"}`; `a|b` means either. Every
service of Wand's own is looked through, as if all were configured. Without a file, those beside this one.
With embeddings, words are joined with meaning as a server does it; `./dev services` brings the model.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.notes import mini_lm
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.finding import Search, in_words, text_of
from wand_server.integrations.kit.manifest import Manifest
from wand_server.memory.embeddings.local import MiniLm
from wand_server.memory.meaning import ByMeaning
from wand_server.ports import Embeddings

FIVE = 5
HOME = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """One request, and the operations of which any would do."""

    query: str
    meant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Score:
    """How often the first was right, how often one of five, and what was not."""

    first: int
    five: int
    missed: Sequence[tuple[Row, Sequence[str]]]


def known() -> list[tuple[str, str, Manifest | None]]:
    """All operations of all services of Wand's own: names, summaries, manifests."""
    catalog = Catalog()
    return [
        (f"{service}.{name}", entry.summary, catalog.manifests.get(service))
        for service, one in catalog.known.items()
        for name, entry in one.operations.items()
    ]


def everything() -> Search:
    """Those operations, to be found by words."""
    return Search([text_of(*one) for one in known()])


async def by_meaning_too(asked: Sequence[Row], embeddings: Embeddings) -> Mapping[str, Sequence[str]]:
    """What is found for each request by words and by meaning."""
    search, texts = everything(), {one[0]: in_words(*one) for one in known()}
    with tempfile.TemporaryDirectory() as folder:
        meaning = ByMeaning(embeddings, Path(folder) / "meaning.json", seconds=30)
        meaning.take_up(texts)
        await meaning.joined("", [], [])  # who asks first has the vectors made
        await meaning.settled()
        return {row.query: await meaning.joined(row.query, search.find(row.query), texts) for row in asked}


def rows(file: Path) -> Iterator[Row]:
    """The rows of a file; ends the program with the line that is none."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield Row(str(row["query"]), frozenset(row["operation"].split("|")))
        except (ValueError, TypeError, KeyError, AttributeError):
            sys.exit(f'{file}:{number}: must be {{"query": "…", "operation": "a.b"}}, not {line[:60]}')


def score(asked: Sequence[Row], find: Callable[[str], Sequence[str]]) -> Score:
    """What was found for each."""
    found = [(row, find(row.query)[:FIVE]) for row in asked]
    return Score(
        first=sum(not row.meant.isdisjoint(names[:1]) for row, names in found),
        five=sum(not row.meant.isdisjoint(names) for row, names in found),
        missed=[(row, names) for row, names in found if row.meant.isdisjoint(names)],
    )


def main(words: Sequence[str]) -> int:
    """Print what was missed, then the score."""
    parser = argparse.ArgumentParser(prog="./dev queries")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.jsonl")
    parser.add_argument("--embeddings", choices=("local",))
    given = parser.parse_args(words)
    files = given.files or sorted(HOME.glob("*.jsonl"))
    asked = [row for file in files for row in rows(file)]
    find: Callable[[str], Sequence[str]] = everything().find
    if given.embeddings:
        folder = mini_lm()
        if folder is None:
            sys.exit("the model's files are not there: ./dev services")
        find = asyncio.run(by_meaning_too(asked, MiniLm(folder))).__getitem__
    told = score(asked, find)
    for row, names in told.missed:
        print(f"{row.query!r} is {'|'.join(sorted(row.meant))}, found {', '.join(names) or 'nothing'}")
    print(f"first {told.first}, in five {told.five}, of {len(asked)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
