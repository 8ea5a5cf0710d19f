"""The `audit` subcommand: `audit verify FILE` and `audit show FILE`."""

import sys
from collections.abc import Sequence

from wand_hostagent.audit import show, verify

_COMMANDS = {"verify": verify.main, "show": show.main}


def main(argv: Sequence[str]) -> int:
    """Check or show a ledger; the exit code says what came of it."""
    if not argv or argv[0] not in _COMMANDS:
        sys.stderr.write("usage: wand-hostagent audit verify|show FILE\n")
        return 2
    return _COMMANDS[argv[0]](argv[1:])
