"""Asks at the administrator's socket of a host agent that runs: for commands that a person types."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wand_proto import desk

_ANSWER_SECONDS = 15.0


def ask(path: Path, question: Mapping[str, str]) -> dict[str, Any]:
    """What the host agent answers at its administrator's socket.

    Raises:
        Unavailable: nobody listens there, or we may not connect.
        WandError: what the host agent said is wrong.
    """
    hint = "is the host agent running, and are you root?"
    return desk.ask(path, question, seconds=_ANSWER_SECONDS, hint=hint)
