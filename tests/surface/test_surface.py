"""A run that saw only refusals proves nothing, and is said to have failed."""

import json

from surface.__main__ import DESCRIBED, MUST_REACH, unreached


def test_what_was_answered_too_seldom_is_named() -> None:
    enough = dict(MUST_REACH)

    assert unreached(enough) == []
    assert unreached({}) == list(MUST_REACH)
    assert unreached({**enough, "DELETE /mcp 200 -": 9}) == ["DELETE /mcp 200 -"]


def test_nobody_gets_by_with_a_guarded_operation_that_was_never_asked_without_a_key() -> None:
    paths = json.loads(DESCRIBED.read_text())["paths"]
    guarded = [
        (method, path) for path, table in paths.items() for method in table if "security" in table[method]
    ]

    assert guarded
    assert all(f"{method.upper()} {path} 401 application/json" in MUST_REACH for method, path in guarded)
