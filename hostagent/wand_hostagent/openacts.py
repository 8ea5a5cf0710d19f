"""What waits for a person's word, in a file that outlives the host agent: of ours alone, replaced as a whole.

A yes that was used is gone from the file before anything is done with it, so that no restart brings it back.
"""

import json
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wand_hostagent.replacing import replace
from wand_proto.errors import Unavailable

log = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024 * 1024


class OpenActs:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[dict[str, Any]]:
        """What an earlier host agent has left; nothing where another could have written it, or it is torn."""
        try:
            told = self._read()
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            told = {"path": str(self._path), "why": str(error)}
            log.error("approvals not taken up", extra=told)  # noqa: TRY400 - one line says it
            return []
        return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []

    def _read(self) -> Any:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags), "rb") as file:
            about = os.fstat(file.fileno())
            if (
                not stat.S_ISREG(about.st_mode)
                or about.st_uid not in {0, os.geteuid()}
                or about.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            ):
                raise ValueError("somebody else could have written it")
            return json.loads(file.read(MOST_BYTES))

    def save(self, acts: Sequence[dict[str, Any]]) -> None:
        """Have the disk know these, and no others.

        Raises:
            Unavailable: it does not.
        """
        content = json.dumps(acts, separators=(",", ":")).encode()
        try:
            replace(self._path, content, 0o600)
        except OSError as error:
            hint = "the host agent must be able to write there, and the disk must not be full"
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}", hint=hint) from error
