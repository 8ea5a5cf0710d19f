"""The page docs/reference/containment.md, written from a run."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from containment.score import Score, last_line

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "containment.md"
_BEGIN, _END = "<!-- written by ./dev corpus --write -->", "<!-- end -->"


def text(scores: Sequence[Score]) -> str:
    """The generated part."""
    return "\n".join([_BEGIN, *_tables(scores), _END])


def _tables(scores: Sequence[Score]) -> Iterator[str]:
    yield f"\nLinux {platform.release().split('-')[0]}, {platform.machine()}.\n"
    for score in scores:
        yield f"**As {score.mode}**\n"
        head, *lines = score.table()
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' + '---:|' * (len(head) - 1)}"
        yield from (f"| {' | '.join(line)} |" for line in lines)
        yield ""
        yield from (f"- effect of {row.id}: {one.note or one.how}" for row, one in score.effects)
        yield from (f"- refused: `{command}`: {wrong}" for command, wrong in score.refused)
    yield f"{last_line(scores)}\n"


def write(tables: str, page: Path = PAGE) -> None:
    """Put the generated part into the page, and leave the rest of it as it is."""
    before, _, rest = page.read_text().partition(_BEGIN)
    page.write_text(before + tables + rest.partition(_END)[2])
