"""Asks at the administrator's socket of a host agent that runs: for commands that a person types."""

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wand_proto.errors import Unavailable, named

_ANSWER_SECONDS = 15.0
_MOST_BYTES = 8 * 1024 * 1024


def ask(path: Path, question: Mapping[str, str]) -> dict[str, Any]:
    """What the host agent answers at its administrator's socket.

    Raises:
        Unavailable: nobody listens there, or we may not connect.
        WandError: what the host agent said is wrong.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(_ANSWER_SECONDS)
            link.connect(str(path))
            with suppress(BrokenPipeError):  # it has answered already: that we may not ask
                link.sendall(json.dumps(question).encode() + b"\n")
            with link.makefile("rb") as replies:
                answer = json.loads(replies.readline(_MOST_BYTES))
    except (OSError, ValueError) as error:
        hint = "is the host agent running, and are you root?"
        raise Unavailable(f"no answer at {path}: {error}", hint=hint) from error
    if "error" in answer:
        raise named(answer["error"], answer["message"], hint=answer["hint"])
    return dict(answer)
