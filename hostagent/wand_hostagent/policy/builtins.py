"""The shell's own commands: which do nothing by themselves, and which run or rename what comes after."""

from collections.abc import Iterable
from dataclasses import replace

from wand_hostagent.policy.reading import HOLE, Command

# They print, test, count, or change the shell that ends with the text.
HARMLESS = frozenset(
    {
        ":", "[", "test", "true", "false", "echo", "printf", "cd", "pwd", "pushd", "popd", "dirs", "exit",
        "return",
        "break", "continue", "shift", "read", "export", "declare", "typeset", "local", "readonly", "unset",
        "set",
        "getopts", "wait", "jobs", "fg", "bg", "disown", "umask", "ulimit", "times", "type", "let", "hash",
        "alias",
        "unalias", "mapfile", "readarray", "suspend", "history", "logout", "caller",
    }
)  # fmt: skip
# They run what is in a file, or text that is not here to be read.
OPAQUE = frozenset({"shopt", "enable", "bind", "complete", "compgen", "fc", "compopt"})
_CALLS_BACK = {"mapfile": "C", "readarray": "C", "hash": "p"}
_SUBSCRIPTS = frozenset(
    {"unset", "test", "[", "let", "read", "printf", "declare", "typeset", "local", "export", "wait"}
)
_NAMING = frozenset(
    {
        "read",
        "mapfile",
        "readarray",
        "printf",
        "getopts",
        "declare",
        "typeset",
        "local",
        "export",
        "readonly",
        "unset",
    }
)
_DECLARES = frozenset({"declare", "typeset", "local", "readonly", "export"})
MAY_BE_OPAQUE = OPAQUE | _DECLARES | {"alias"} | _CALLS_BACK.keys() | _SUBSCRIPTS | {"let"}

# Variables that make another program of the one that is named, or load code into it.
STEERING = frozenset(
    {
        "PATH", "ENV", "BASH_ENV", "IFS", "PS4", "SHELLOPTS", "BASHOPTS", "LD_PRELOAD", "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PERL5OPT", "PERL5LIB", "PERL5DB", "RUBYOPT",
        "RUBYLIB",
        "NODE_OPTIONS", "NODE_PATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "TAR_OPTIONS", "LESSOPEN",
        "LESSCLOSE",
        "PAGER", "MANPAGER", "EDITOR", "VISUAL", "BROWSER", "SHELL", "ZDOTDIR", "PROMPT_COMMAND",
        "GREP_OPTIONS",
        "RSYNC_RSH", "CVS_RSH", "SSH_ASKPASS", "SUDO_ASKPASS", "HOSTALIASES", "GCONV_PATH", "MAKEFLAGS",
        "npm_config_script_shell", "KUBECONFIG", "DOCKER_HOST",
        "PGHOST", "PGHOSTADDR", "PGSERVICE", "MYSQL_HOST",
    }
)  # fmt: skip
HOLDS_TEXT = frozenset({"PS4", "PROMPT_COMMAND", "BASH_ENV", "ENV"})  # of which bash runs what they hold
_STEERING_STARTS = ("GIT_", "LD_", "DYLD_", "BASH_FUNC_", "npm_config_", "PIP_", "CARGO_", "UV_")


def is_steering(name: str) -> bool:
    """Whether a variable can make a program do what its words do not say."""
    return name in STEERING or name.startswith(_STEERING_STARTS)


def assigned_by(command: Command) -> set[str]:
    """The variables that a command of the shell sets, as far as its words tell."""
    if command.program not in _NAMING:
        return set()
    return {word.partition("=")[0] for word in command.arguments if word.partition("=")[0].isidentifier()}


def holds_text(commands: Iterable[Command], assigned: Iterable[str]) -> bool:
    """Whether a text sets a variable of which bash runs what it holds."""
    named = {*assigned, *(name for one in commands for name in one.variables)}
    return not named.isdisjoint(HOLDS_TEXT)


def steered(commands: Iterable[Command], assigned: Iterable[str]) -> list[Command]:
    """The commands of a text with the variables that it sets and that steer them."""
    lasting = tuple(sorted(filter(is_steering, assigned)))
    found = (replace(one, variables=(*one.variables, *lasting)) for one in commands)
    return [_unplaced(one) if "PATH" in one.variables else one for one in found]


def _unplaced(command: Command) -> Command:
    """A command whose program is looked for where the text says."""
    if not command.program or "/" in command.program or command.program in HARMLESS:
        return command
    return replace(command, program="", why="PATH is set, so any file can be meant")


def is_opaque(command: Command) -> bool:
    """Whether a command of the shell may run what does not stand in the text."""
    name, words = command.program, command.arguments
    letters = "".join(word for word in words if word.startswith("-"))
    if name in OPAQUE or (name == "let" and words):
        return True
    if name == "alias" and any("=" in word or HOLE in word for word in words):
        return True
    if name in _DECLARES and set(letters) & set("in" if name != "export" else "i"):
        return True  # what such a variable is given is a sum, or a name with a subscript
    if name in _CALLS_BACK and _CALLS_BACK[name] in letters:
        return True
    return name in _SUBSCRIPTS and _may_hold_subscript(name, words)


def _may_hold_subscript(name: str, words: tuple[str, ...]) -> bool:
    """Whether a name that it is given may have a subscript, which bash evaluates."""
    if name in ("test", "["):
        return bool({"-v", "-R"} & set(words)) and any("[" in word or HOLE in word for word in words)
    if name == "printf":
        return (
            bool(words)
            and words[0].startswith("-v")
            and any("[" in word or HOLE in word for word in words[:2])
        )
    if name == "wait" and not any(word.startswith("-") and "p" in word for word in words):
        return False
    return any("[" in word or HOLE in word.partition("=")[0] for word in words)
