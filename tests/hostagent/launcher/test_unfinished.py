"""What has begun and not ended, by the records alone."""

from typing import Any

import pytest

from wand_hostagent.launcher.unfinished import Unfinished

Records = list[tuple[str, dict[str, Any]]]


@pytest.mark.parametrize(
    ("records", "open_"),
    [
        ([], []),
        ([("run", {"job": "a"})], ["job a"]),
        ([("worker", {"job": "a"}), ("file", {"act": "a"})], ["job a", "act a"]),
        ([("run", {"job": "a"}), ("end", {"job": "a"})], []),
        ([("run", {"job": "a"}), ("end", {"job": "b"})], ["job a"]),
        ([("run", {"job": "a"}), ("file_end", {"act": "a"})], ["job a"]),  # another kind of name
        ([("file", {"act": "a"}), ("end", {"job": "a"})], ["act a"]),
        ([("file", {"act": "a"}), ("file_end", {"act": "a"})], []),
        ([("run", {"job": "a"}), ("file", {"act": "b"}), ("ambiguous", {"act": "b"})], ["job a"]),
        ([("run", {"job": "a"}), ("file", {"act": "b"}), ("ambiguous", {"job": "a"})], ["act b"]),
        ([("connect", {"job": "a"}), ("reload", {})], []),
        ([("end", {"job": "a"}), ("run", {"job": "a"})], ["job a"]),
    ],
)
def test_what_has_no_end_is_open(records: Records, open_: list[str]) -> None:
    unfinished = Unfinished()
    for event, fields in records:
        unfinished.note(event, fields)

    assert unfinished.names() == open_


def test_a_list_that_a_record_holds_takes_the_place_of_what_was_known() -> None:
    unfinished = Unfinished()
    unfinished.note("run", {"job": "old"})
    unfinished.replace(["job a b", "act c"])

    assert unfinished.names() == ["job a b", "act c"]
    assert unfinished.as_fields() == [{"job": "a b"}, {"act": "c"}]
