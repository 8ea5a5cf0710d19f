"""Kinds of text that many services take."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


DateTime = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
        json_schema_extra={"format": "date-time"},
    ),
    AfterValidator(_moment),  # behind the pattern, which would not be in the schema else
]
"""A moment (RFC 3339), such as 2026-01-02T03:04:05Z."""

Date = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d\d-\d\d$", json_schema_extra={"format": "date"}),
    AfterValidator(_day),
]
"""A day (RFC 3339), such as 2026-01-02."""

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", json_schema_extra={"format": "email"})]
"""An e-mail address."""
