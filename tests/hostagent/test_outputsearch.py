"""What a job wrote is searched piece by piece: each line whole, numbered from the start, and drawn over."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wand_hostagent import outputsearch
from wand_hostagent.backends.base import ExecutionBackend
from wand_hostagent.filesystem import scanning
from wand_hostagent.filesystem.model import Answer, Scan, Search
from wand_hostagent.filesystem.paths import Roots
from wand_hostagent.model import Output
from wand_hostagent.past import Bygone
from wand_hostagent.runs import Origin, Run
from wand_hostagent.service import translate_files
from wand_hostagent.spool import Room, Spool

NOWHERE: ExecutionBackend = Bygone("native")
ROOTS = Roots([], [])


def written(folder: Path, data: bytes) -> Run:
    room = Room(100_000_000)
    origin = Origin(
        job="j1", principal="ann", argv=("x",), profile="", backend=NOWHERE, began_unix_seconds=0.0
    )
    run = Run(origin, (Spool(str(folder / "j1.stdout"), room), Spool(str(folder / "j1.stderr"), room)), None)
    run.take(Output(stream="stdout", data=data, offset=0))
    return run


async def found(run: Run, pattern: str, offset: int = 0, **how: Any) -> list[tuple[int, str]]:
    asked: list[int] = []

    async def ask(scan: Scan) -> Answer:
        asked.append(len(scan.data))
        return scanning.scan(ROOTS, scan)

    answer = await outputsearch.search(run, "stdout", offset, Search(path="", pattern=pattern, **how), ask)
    assert all(size <= outputsearch.PIECE_BYTES for size in asked)
    return [(match.line, match.text) for match in answer.matches]


async def test_lines_are_numbered_through_all_pieces(tmp_path: Path) -> None:
    lines = [f"line {number} {'x' * 60}" for number in range(1, 60_001)]
    run = written(tmp_path, "\n".join(lines).encode())
    assert run.offsets()[0] > 3 * outputsearch.PIECE_BYTES

    numbers = [1, 20_000, 40_000, 60_000]
    pattern = "|".join(f"^line {number} " for number in numbers)
    assert [line for line, _ in await found(run, pattern)] == numbers
    assert [line for line, _ in await found(run, pattern, skip=2)] == numbers[2:]
    assert [line for line, _ in await found(run, pattern, skip=1, max_matches=2)] == numbers[1:3]


@pytest.mark.parametrize("size", [10, outputsearch.PIECE_BYTES + 5])
async def test_a_line_without_an_end_is_searched_too(tmp_path: Path, size: int) -> None:
    run = written(tmp_path, b"x" * size + b"Password: ")

    assert [line for line, _ in await found(run, "word: $")] == [1]


async def test_what_a_terminal_has_drawn_over_is_not_found(tmp_path: Path) -> None:
    drawn = b"10%\r50%\r\x1b[32m100%\x1b[0m\r\n" * 9000
    run = written(tmp_path, drawn + b"\x1b[1mdone\x1b[0m\r\n")

    assert await found(run, "50%") == []
    assert len(await found(run, "^100%$", max_matches=2000)) == 2000
    assert await found(run, "^done$") == [(9001, "done")]


async def test_the_search_begins_where_it_is_told(tmp_path: Path) -> None:
    run = written(tmp_path, b"a\na\na\n")

    assert await found(run, "a", 2) == [(1, "a"), (2, "a")]
    assert await found(run, "a", 6) == []


async def test_what_is_found_fits_into_one_message(tmp_path: Path) -> None:
    shown = "x" * 450 + "\n"
    run = written(tmp_path, (shown * 29 + f"M{shown}").encode() * 600)

    async def ask(scan: Scan) -> Answer:
        return scanning.scan(ROOTS, scan)

    wanted = Search(path="", pattern="M", max_matches=2000, context_lines=10)
    first = await outputsearch.search(run, "stdout", 0, wanted, ask)
    rest = replace(wanted, skip=len(first.matches))
    second = await outputsearch.search(run, "stdout", 0, rest, ask)

    assert translate_files.found_to_wire(first).ByteSize() < 2 * 2**20
    assert first.truncated
    lines = [match.line for match in (*first.matches, *second.matches)]
    assert lines == [30 * number for number in range(1, len(lines) + 1)]
