"""The `wand-hostagent` command: which subcommand is in which module; each is loaded when it is chosen."""

import importlib
import logging
import sys
from collections.abc import Sequence
from typing import TextIO

from wand_hostagent import VERSION
from wand_proto.errors import WandError

COMMANDS = {
    "serve": ("wand_hostagent.daemon", "run the host agent"),
    "policy": ("wand_hostagent.policy.command", "check, explain, test and reload the policy"),
    "approve": ("wand_hostagent.approve", "see what waits for a person, and say yes or no to it"),
    "jobs": ("wand_hostagent.running", "see which jobs run now"),
    "backends": ("wand_hostagent.whereto", "see where jobs can run, and change where they do by default"),
    "audit": ("wand_hostagent.audit.command", "verify or show a ledger"),
    "pki": ("wand_hostagent.pki", "make, show or renew certificates"),
    "doctor": ("wand_hostagent.doctor", "tell what is missing on this machine, and how to get it"),
}
FAILURE, USAGE = 1, 2


def main() -> None:
    """Run the subcommand that the command line names, and leave with its exit status."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """The exit status of a command line: 0, 1 where it failed, 2 where it cannot be read."""
    if not words:
        _help(sys.stderr)
        return USAGE
    chosen, *rest = words
    if chosen in {"-h", "--help", "help"}:
        _help(sys.stdout)
        return 0
    if chosen == "--version":
        sys.stdout.write(f"wand-hostagent {VERSION}\n")
        return 0
    if chosen not in COMMANDS:
        sys.stderr.write(f"wand-hostagent: {chosen!r} is no command; there are: {', '.join(COMMANDS)}\n")
        return USAGE
    return _run(chosen, rest)


def _run(chosen: str, words: Sequence[str]) -> int:
    module = importlib.import_module(COMMANDS[chosen][0])
    if not (
        root := logging.getLogger()
    ).handlers:  # commands say what they have to say; `serve` sets up its log
        root.addHandler(logging.NullHandler())
    try:
        return int(module.main(words))
    except WandError as error:
        sys.stderr.write(f"wand-hostagent {chosen}: {error}\n")
        return FAILURE
    except KeyboardInterrupt:
        return 130  # as a shell reports SIGINT
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone
        return FAILURE


def _help(out: TextIO) -> None:
    lines = "".join(f"  {name:8} {does}\n" for name, (_, does) in COMMANDS.items())
    out.write(f"usage: wand-hostagent COMMAND …\n\n{lines}\nwand-hostagent COMMAND --help tells more.\n")
