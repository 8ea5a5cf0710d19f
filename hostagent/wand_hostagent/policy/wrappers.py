"""Programs that run another one which their words name: which word that is, so that it can be judged as well.

A wrapper of the table `CARRIERS` does nothing but run what it is given, so it needs no permission of its own;
what a wrapper of `POWERS` changes (the user, the root, the host) needs it all the same.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from wand_hostagent.policy import builtins
from wand_hostagent.policy.reading import HOLE, SPLITS, Command, is_plain

_STREAMS = frozenset({"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"})
ReadText = Callable[[str], Iterable[Command]]


@dataclass(frozen=True, slots=True)
class Form:
    """How a wrapper is written: options that take a word of their own, and words before the program."""

    values: frozenset[str] = frozenset()
    skips: int = 0
    assigns: bool = False  # NAME=VALUE may stand before the program


def _form(values: str = "", *, skips: int = 0, assigns: bool = False) -> Form:
    return Form(frozenset(values.split()), skips, assigns)


CARRIERS: Mapping[str, Form] = {
    "env": _form("-u --unset -C --chdir -a --argv0", assigns=True),
    "nice": _form("-n --adjustment"),
    "ionice": _form("-c --class -n --classdata -p -P -u"),
    "nohup": _form(),
    "setsid": _form(),
    "timeout": _form("-s --signal -k --kill-after", skips=1),
    "stdbuf": _form("-i --input -o --output -e --error"),
    "time": _form("-f --format -o --output"),
    "command": _form(),
    "builtin": _form(),
    "exec": _form("-a"),
    "chrt": _form("-T -P -D", skips=1),
    "taskset": _form("", skips=1),
    "flock": _form("-w --timeout --wait -E --conflict-exit-code", skips=1),
    "catchsegv": _form(),
    "xvfb-run": _form("-n --server-num -s --server-args -e -f -w"),
    "faketime": _form("-f", skips=1),
    "busybox": _form(),
    "toybox": _form(),
}
POWERS: Mapping[str, Form] = {
    "sudo": _form(
        "-u --user -g --group -C -D --chdir -h --host -p --prompt -R --chroot -r -t -T -U", assigns=True
    ),
    "doas": _form("-u -C -a"),
    "chroot": _form("--userspec --groups", skips=1),
    "unshare": _form("-S --setuid -G --setgid -R --root -w --wd --map-user --map-group"),
    "nsenter": _form("-t --target -S -G -W --wd"),
    "setpriv": _form("--reuid --regid --groups --inh-caps --ambient-caps --bounding-set"),
    "runuser": _form("-u --user -g --group"),
    "strace": _form("-o --output -e --trace -p --attach -s -S -O -a -b -E -I -P -u -X"),
    "ltrace": _form("-o -e -p -s -u -l -n -a -A -D -F"),
    "gdb": _form("-ex --ex -x --command -p"),
    "watch": _form("-n --interval"),
    "parallel": _form("-j --jobs -S --sshlogin -a --arg-file --colsep --joblog"),
    "systemd-run": _form(
        "-u --unit -p --property -E --setenv -t -G --uid --gid -M -H --slice -d --on-calendar"
    ),
}


def look_through(command: Command, read_text: ReadText) -> list[Command]:
    """The command, and every one that it would run for its words."""
    name = command.name
    if not command.program:
        return [command]
    if step := _STEPS.get(name):
        return step(command, read_text)
    if name in SHELLS:
        return _shell(command, read_text)
    if form := CARRIERS.get(name) or POWERS.get(name):
        return _wrapper(command, form, read_text)
    return _builtin(command)


def _builtin(command: Command) -> list[Command]:
    if command.program in builtins.MAY_BE_OPAQUE and builtins.is_opaque(command):
        return [Command(program="", why=f"{command.program} runs what does not stand here")]
    return [command]


def _wrapper(command: Command, form: Form, read_text: ReadText) -> list[Command]:
    words, variables = _after(command.arguments, form)
    if not words:
        return [command]
    inner = Command(
        program=words[0] if is_plain(words[0]) else "",
        arguments=words[1:],
        variables=(*command.variables, *variables),
        writes=command.writes,
        why="" if is_plain(words[0]) else f"what {command.name} runs shows only then",
    )
    return [replace(command, carries=command.name in CARRIERS), *look_through(inner, read_text)]


def _after(words: tuple[str, ...], form: Form) -> tuple[tuple[str, ...], list[str]]:
    """The words from the program on, and the variables set before it."""
    rest, variables, skips = list(words), [], form.skips
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--":
            break
        if word in form.values and rest:
            rest.pop(0)
    while rest and form.assigns and "=" in rest[0] and rest[0].partition("=")[0].isidentifier():
        variables.append(rest.pop(0).partition("=")[0])
    return tuple(rest[skips:]), variables


def _env(command: Command, read_text: ReadText) -> list[Command]:
    """env, whose -S holds a whole command line."""
    for place, word in enumerate(command.arguments):
        if not word.startswith("-"):
            break
        if word.startswith(("-S", "-vS", "--split-string")):
            text = word.partition("=")[2] if word.startswith("--") else word.partition("S")[2]
            rest = command.arguments[place + 1 :]
            if not text and rest:
                text, rest = rest[0], rest[1:]
            words = (*text.split(), *rest) if not set(text) & set("\\\"'$" + HOLE) else (HOLE,)
            return _wrapper(replace(command, arguments=words), CARRIERS["env"], read_text)
    return _wrapper(command, CARRIERS["env"], read_text)


def _shell(command: Command, read_text: ReadText) -> list[Command]:
    """A shell: the text after -c; a script or a pipe, which cannot be seen."""
    words = list(command.arguments)
    while words and words[0].startswith(("-", "+")) and len(words[0]) > 1:
        word = words.pop(0)
        if word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") and words:
            words.pop(0)
        elif not word.startswith("--") and "c" in word:
            return _shell_text(command, words, read_text)
    if words and not words[0].startswith(HOLE) and words[0] not in _STREAMS:
        return [command]
    return [command, Command(program="", why=f"{command.name} runs what it reads")]


def _shell_text(command: Command, words: list[str], read_text: ReadText) -> list[Command]:
    while words and words[0].startswith(("-", "+")):
        words.pop(0)
    if not words or not is_plain(words[0]):
        return [command, Command(program="", why=f"what {command.name} -c runs shows only then")]
    steering = tuple(filter(builtins.is_steering, command.variables))
    inner = [replace(one, variables=(*one.variables, *steering)) for one in read_text(words[0])]
    return [replace(command, carries=True), *inner]


def _text_of(command: Command, read_text: ReadText) -> list[Command]:
    """eval, trap, watch and su: shell text in their words."""
    words = command.arguments
    if command.name == "trap":
        words = tuple(word for word in words if word not in ("-l", "-p", "-P", "--"))[:1]
    if command.name == "su":
        places = [place for place, word in enumerate(words) if word in ("-c", "--command")]
        words = tuple(words[place + 1] for place in places if place + 1 < len(words))
    elif command.name == "watch":
        words, _ = _after(words, POWERS["watch"])
    if not all(map(is_plain, words)):
        return [command, Command(program="", why=f"what {command.name} runs shows only then")]
    return [replace(command, carries=command.name in ("eval", "trap")), *read_text(" ".join(words))]


def _xargs(command: Command, read_text: ReadText) -> list[Command]:
    form = _form(
        """-a --arg-file -d --delimiter -E -I --replace -L --max-lines -n --max-args -P --max-procs -s
            --max-chars"""
    )
    words, _ = _after(command.arguments, form)
    if not words:
        words = ("echo",)
    carried = _wrapper(replace(command, arguments=(*words, SPLITS)), Form(), read_text)
    return [replace(command, carries=True), *carried[1:]]


def _find(command: Command, read_text: ReadText) -> list[Command]:
    """find, and fd: the words between -exec and its ; or +."""
    found, words = [command], list(command.arguments)
    while words:
        word = words.pop(0)
        if word in ("-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"):
            ends = [place for place, one in enumerate(words) if one in (";", "+")] or [len(words)]
            inner = tuple(one.replace("{}", "./" + HOLE) for one in words[: ends[0]])
            found += _wrapper(Command(program="xargs", arguments=inner), Form(), read_text)[1:]
            words = words[ends[0] :]
    return found


def _ssh(command: Command, read_text: ReadText) -> list[Command]:
    """ssh, and the command that it would run on the other side."""
    form = _form("-b -B -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w")
    words, _ = _after(command.arguments, form)
    if len(words) < 2:
        return [command]
    if not all(map(is_plain, words[1:])):
        return [command, Command(program="", why="what ssh runs there shows only then")]
    return [command, *read_text(" ".join(words[1:]))]


_STEPS: Mapping[str, Callable[[Command, ReadText], list[Command]]] = {
    "env": _env,
    "source": _shell,
    ".": _shell,
    "eval": _text_of,
    "trap": _text_of,
    "watch": _text_of,
    "su": _text_of,
    "xargs": _xargs,
    "ssh": _ssh,
    "find": _find,
    "fd": _find,
    "fdfind": _find,
}
