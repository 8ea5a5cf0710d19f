"""Loads the module of a subcommand and runs it; what it raises becomes a word and an exit status."""

import importlib
import sys

from wand_proto import garbage
from wand_proto.errors import WandError

_FAILURE, _INTERRUPTED = 1, 130  # as a shell reports SIGINT


def run(chosen: str, module: str, function: str, words: list[str]) -> int:
    """The exit status of a function of a module, given the words that follow the subcommand."""
    try:
        with garbage.unsearched():
            loaded = importlib.import_module(module)
        return int(getattr(loaded, function)(words))
    except WandError as error:
        sys.stderr.write(f"wand-server {chosen}: {error}\n")
        return _FAILURE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone
        return _FAILURE
