"""The `audit` subcommand, and what it has below it."""

import sys
from collections.abc import Sequence

from wand_hostagent.audit import keeping, match, show, verify

_USAGE = """\
usage: wand-hostagent audit verify FILE   is every line whole, and in its place?
       wand-hostagent audit show FILE     tell it in words
       wand-hostagent audit tail FILE     tell the end of it, and with -f what comes
       wand-hostagent audit match FILE    find a command by its true words, secrets and all
       wand-hostagent audit key FOLDER    print what verifies it elsewhere, once
       wand-hostagent audit prune FOLDER  remove old files, if all is whole

FILE is the ledger's folder, or its files. Each of them tells more after --help.
"""
_COMMANDS = {
    "verify": verify.main,
    "show": show.main,
    "tail": show.tail,
    "match": match.main,
    "key": keeping.give_key,
    "prune": keeping.prune,
}


def main(argv: Sequence[str]) -> int:
    """Check or show a ledger; the exit code says what came of it."""
    if not argv or argv[0] not in _COMMANDS:
        is_help = bool(argv) and argv[0] in {"-h", "--help"}
        (sys.stdout if is_help else sys.stderr).write(_USAGE)
        return 0 if is_help else 2
    return _COMMANDS[argv[0]](argv[1:])
