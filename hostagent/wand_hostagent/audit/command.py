"""The `audit` subcommand: `audit verify FILE` and `audit show FILE`."""

import sys
from collections.abc import Sequence

from wand_hostagent.audit import show, verify

_USAGE = """\
usage: wand-hostagent audit verify FILE   is every line whole, and in its place?
       wand-hostagent audit show FILE     tell it in words

wand-hostagent audit verify --help, and audit show --help, tell more.
"""
_COMMANDS = {"verify": verify.main, "show": show.main}


def main(argv: Sequence[str]) -> int:
    """Check or show a ledger; the exit code says what came of it."""
    if not argv or argv[0] not in _COMMANDS:
        is_help = bool(argv) and argv[0] in {"-h", "--help"}
        (sys.stdout if is_help else sys.stderr).write(_USAGE)
        return 0 if is_help else 2
    return _COMMANDS[argv[0]](argv[1:])
