"""The `wand-server` command: which subcommand is in which module; each is loaded when it is chosen.

Nothing else is loaded here: a client waits for `stdio`, which needs nothing else, at each of its starts.
"""

import importlib
import sys

_PIPE = "wand_server.pipe"
COMMANDS = {
    "serve": ("wand_server.app", "main", "run the server"),
    "stdio": (
        _PIPE,
        "main",
        "be a pipe from stdin and stdout to a server (--embedded: to one's own)",
    ),
    "embedded": ("wand_server.embedded", "main", "run server, host agent and launcher for one folder"),
    "agent": ("wand_server.agent", "main", "run agents in a process of their own, beside a server"),
    "check": ("wand_server.app", "check", "read the settings, and see whether the host agent can be reached"),
    "config": (
        "wand_server.runtime.command",
        "main",
        "show the configuration of a running server, set it, have it read again",
    ),
    "keys": ("wand_server.keycommand", "main", "add, list, rotate or remove API keys"),
    "integrations": (
        "wand_server.services",
        "main",
        "list the services outside, check those that are set up",
    ),
    "artifacts": (
        "wand_server.artifactscommand",
        "main",
        "see which files are kept for whom, share or end one",
    ),
    "people": ("wand_server.accounts", "people", "let people sign in with a password, or no more"),
    "clients": (
        "wand_server.accounts",
        "clients",
        "see which programs registered themselves, and forget one",
    ),
    "grants": ("wand_server.accounts", "grants", "see which programs people let in, and end that"),
    "setup": ("wand_server.setup", "main", "ask three questions, and write what Wand needs on this machine"),
    "doctor": ("wand_server.doctor", "main", "tell what is missing for the server here, and how to get it"),
}
FAILURE, USAGE = 1, 2


def main() -> None:
    """Run the subcommand that the command line names, and leave with its exit status."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """The exit status of a command line: 0, 1 where it failed, 2 where it cannot be read."""
    if not words:
        sys.stderr.write(_help())
        return USAGE
    chosen, *rest = words
    if chosen in {"-h", "--help", "help"}:
        sys.stdout.write(_help())
        return 0
    if chosen == "--version":
        version = importlib.import_module("importlib.metadata").version("wand-server")
        sys.stdout.write(f"wand-server {version}\n")
        return 0
    if chosen not in COMMANDS:
        sys.stderr.write(f"wand-server: {chosen!r} is no command; there are: {', '.join(COMMANDS)}\n")
        return USAGE
    return _run(chosen, rest)


def _run(chosen: str, words: list[str]) -> int:
    module, function, _ = COMMANDS[chosen]
    if chosen == "stdio" and "--embedded" in words:
        module, function = "wand_server.embedded", "stdio"
    if module == _PIPE:
        return int(importlib.import_module(_PIPE).main(words))
    return int(importlib.import_module("wand_server.loading").run(chosen, module, function, words))


def _help() -> str:
    lines = "".join(f"  {name:12} {does}\n" for name, (_, _, does) in COMMANDS.items())
    return f"usage: wand-server COMMAND …\n\n{lines}\nwand-server COMMAND --help tells more.\n"


if __name__ == "__main__":
    main()
