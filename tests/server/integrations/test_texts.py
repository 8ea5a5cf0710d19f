"""Kinds of text that many services take: what is one passes as it is, everything else is refused."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from wand_server.integrations.kit.texts import Date, DateTime, Email


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Date, "2026-01-31"),
        (Date, "2024-02-29"),
        (DateTime, "2026-01-02T03:04:05Z"),
        (DateTime, "2026-01-02T03:04:05.1234567+05:30"),
        (Email, "ann@example.com"),
    ],
)
def test_what_is_one_passes_as_it_is(kind: Any, text: str) -> None:
    assert TypeAdapter(kind).validate_python(text) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Date, "2026-02-30"),  # there is no such day
        (Date, "2026-13-01"),
        (Date, "2025-02-29"),
        (Date, "20260131"),
        (Date, "2026-01-31T00:00:00Z"),
        (Date, "2026-W05-6"),
        (DateTime, "2026-02-30T03:04:05Z"),
        (DateTime, "2026-01-02T24:04:05Z"),
        (DateTime, "2026-01-02T03:04:05"),  # where?
        (DateTime, "2026-01-02T03:04:05+25:00"),
        (DateTime, "2026-01-02 03:04:05Z"),
        (Email, "ann"),
        (Email, "ann@@example.com"),
        (Email, "ann @example.com"),
    ],
)
def test_what_is_none_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)
