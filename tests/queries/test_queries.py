"""Requests in plain words find the operation that was meant, among all services."""

from pathlib import Path

import pytest

from queries.__main__ import HOME, Row, everything, rows, score
from wand_server.integrations.catalog import Catalog

FIVE_OF_A_HUNDRED = 0.05  # may be missed


def test_ours_are_found() -> None:
    there = {f"{service}.{name}" for service, known in Catalog().known.items() for name in known.operations}
    asked = [row for file in HOME.glob("*.jsonl") for row in rows(file)]
    assert [row for row in asked if not row.meant <= there] == [], "these mean what there is not"
    told = score(asked, everything().find)
    assert len(told.missed) <= FIVE_OF_A_HUNDRED * len(asked), told.missed


def test_every_word_is_said_of_an_operation() -> None:
    catalog = Catalog()
    for service, about in catalog.manifests.items():
        assert about.words.keys() <= catalog.known[service].operations.keys()


def test_a_row_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text('{"query": "hello", "operation": "slack.send_message|a.b"}\n{"query": "no operation"}\n')
    with pytest.raises(SystemExit, match=f"{file}:2: must be"):
        list(rows(file))


def test_what_is_found_late_or_not_at_all_is_told() -> None:
    asked = [
        Row("post something on slack", frozenset({"slack.send_message"})),
        Row("xyzzy", frozenset({"a.b"})),
    ]
    told = score(asked, everything().find)
    assert (told.first, told.five) == (1, 1)
    assert told.missed == [(asked[1], [])]
