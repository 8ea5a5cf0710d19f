"""What is kept of a task is bounded, in bytes of JSON: what is longer is cut, and says so."""

import json
from typing import Any

RESULT_BYTES = 384 * 1024  # of one act, and of all that comes of a task
TEXT_BYTES = 192 * 1024
_SHOWN = 2000
_MOST_BYTES_EACH = 12  # of a letter beyond the first 65,536


def fitted(value: Any, most_bytes: int = RESULT_BYTES) -> Any:
    """The value, or where it is longer or no JSON, what is said in its place."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return {"left_out": "it is no JSON"}
    if len(text) <= most_bytes:
        return value
    return {"left_out": f"{len(text)} bytes of JSON, of which {most_bytes} are kept", "begins": text[:_SHOWN]}


def clipped(text: str, most_bytes: int = TEXT_BYTES) -> str:
    """The text, without its middle where it is longer."""
    if len(text) * _MOST_BYTES_EACH <= most_bytes or (size := _bytes(text)) <= most_bytes:
        return text
    bytes_each = size / len(text)
    half = int(most_bytes / bytes_each) // 2
    while half and _bytes(text[:half]) + _bytes(text[-half:]) > most_bytes:
        half = half * 3 // 4  # letters take more where they are kept than where they are left out
    left_out = len(text) - 2 * half
    return (
        f"{text[:half]}\n[{left_out} characters left out: ask for less at once]\n{text[len(text) - half :]}"
    )


def _bytes(text: str) -> int:
    return len(json.dumps(text)) - 2
