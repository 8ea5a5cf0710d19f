"""How often the operation that was meant is among the first five found: `./dev queries [FILE.jsonl]`.

A row is `{"query": "tell #general that …", "operation": "slack.send_message"}`; `a|b` means either. Every
service of Wand's own is looked through, as if all were configured. Without a file, those beside this one.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wand_server.integrations.catalog import Catalog
from wand_server.integrations.finding import Search, text_of

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


def everything() -> Search:
    """All operations of all services of Wand's own."""
    catalog = Catalog()
    return Search(
        [
            text_of(f"{service}.{name}", entry.summary, catalog.manifests.get(service))
            for service, known in catalog.known.items()
            for name, entry in known.operations.items()
        ]
    )


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


def score(asked: Sequence[Row], search: Search) -> Score:
    """What was found for each."""
    found = [(row, search.find(row.query)[:FIVE]) for row in asked]
    return Score(
        first=sum(not row.meant.isdisjoint(names[:1]) for row, names in found),
        five=sum(not row.meant.isdisjoint(names) for row, names in found),
        missed=[(row, names) for row, names in found if row.meant.isdisjoint(names)],
    )


def main(words: Sequence[str]) -> int:
    """Print what was missed, then the score."""
    files = [Path(word) for word in words] or sorted(HOME.glob("*.jsonl"))
    asked = [row for file in files for row in rows(file)]
    told = score(asked, everything())
    for row, names in told.missed:
        print(f"{row.query!r} is {'|'.join(sorted(row.meant))}, found {', '.join(names) or 'nothing'}")
    print(f"first {told.first}, in five {told.five}, of {len(asked)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
