"""Programs that run another one which their words name: that one, so that it can be judged as well."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from wand_hostagent.policy import builtins
from wand_hostagent.policy.forms import (
    CARRIERS,
    FOREIGN_SHELLS,
    LOADER,
    POWERS,
    RUNNERS,
    SHELLS,
    TERMINALS,
    Form,
)
from wand_hostagent.policy.forms import form as form_of
from wand_hostagent.policy.reading import HOLE, SPLITS, Command, is_plain

_STREAMS = frozenset({"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
ReadText = Callable[[str], Iterable[Command]]
Step = Callable[[Command, ReadText], list[Command]]


def look_through(command: Command, read_text: ReadText) -> list[Command]:
    """The command, and every one that it would run for its words."""
    if not command.program:
        return [command]
    if step := _step(command.name):
        return step(command, read_text)
    if form := _form(command.name):
        return _wrapper(command, form, read_text)
    return _builtin(command)


def _step(name: str) -> Step | None:
    if name in FOREIGN_SHELLS | TERMINALS:
        return _foreign
    if name in SHELLS:
        return _shell
    return _STEPS.get(name) or (_runner if name in RUNNERS else None)


def _form(name: str) -> Form | None:
    return CARRIERS.get(name) or POWERS.get(name) or (LOADER if name.startswith("ld-linux") else None)


def _builtin(command: Command) -> list[Command]:
    if command.program in builtins.MAY_BE_OPAQUE and builtins.is_opaque(command):
        return [Command(program="", why=f"{command.program} runs what does not stand here")]
    return [command]


def _foreign(command: Command, _: ReadText) -> list[Command]:
    """What is text in a language that is not read here; the name of a script is none."""
    is_text = command.name in TERMINALS or any(word.startswith("-") for word in command.arguments)
    if not (command.arguments and is_text):
        return [command]
    return [command, Command(program="", why=f"what {command.name} runs is not read here")]


def _runner(command: Command, read_text: ReadText) -> list[Command]:
    """A tool that runs a program in surroundings of its own, and keeps what it may do itself."""
    for verb, form in RUNNERS[command.name].items():
        parts = tuple(verb.split())
        for place in range(len(command.arguments) - len(parts) + 1):
            if command.arguments[place : place + len(parts)] == parts:
                rest = replace(command, arguments=command.arguments[place + len(parts) :])
                return [command, *_text_or_wrapper(rest, form, read_text)]
    return [command]


def _text_or_wrapper(command: Command, form: Form, read_text: ReadText) -> list[Command]:
    """What a runner runs: a program and its words, or shell text in one word."""
    words, _ = _after(command.arguments, form)
    if len(words) == 1 and is_plain(words[0]) and " " in words[0]:
        return list(read_text(words[0]))
    return _wrapper(command, form, read_text)[1:]


def _flock(command: Command, read_text: ReadText) -> list[Command]:
    """flock, whose -c holds shell text."""
    words, _ = _after(command.arguments, CARRIERS["flock"])
    if words[:1] in (("-c",), ("--command",)):
        return _shell_text(command, list(words[1:]), read_text)
    return _wrapper(command, CARRIERS["flock"], read_text)


def _script(command: Command, read_text: ReadText) -> list[Command]:
    """script, which runs a shell, or the text after -c."""
    for place, word in enumerate(command.arguments):
        if word in ("-c", "--command") or word.startswith("--command="):
            text = word.partition("=")[2] or "".join(command.arguments[place + 1 : place + 2])
            return _shell_text(command, [text], read_text)
        if word.startswith("-") and not word.startswith("--") and "c" in word:
            text = word.partition("c")[2] or "".join(command.arguments[place + 1 : place + 2])
            return _shell_text(command, [text], read_text)
    return [command, Command(program="", why="script runs what it reads")]


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
        if word in ("-O", "--rcfile", "--init-file"):
            return [command, Command(program="", why=f"{command.name} {word} changes what its text means")]
        if word in ("-o", "+o", "+O") and words:
            words.pop(0)
        elif not word.startswith("--") and "c" in word:
            return _shell_text(command, words, read_text)
        elif not word.startswith(("--", "+")) and "s" in word:
            words = ["/dev/stdin"]  # what follows is for the text that it reads
            break
    if words[:1] == ["-"]:  # as --
        words.pop(0)
    if words and not words[0].startswith(HOLE) and words[0] not in _STREAMS:
        # The shell runs the script; a rule that denies the script by its name bites all the same.
        return [command, Command(program=words[0], arguments=tuple(words[1:]), carries=True)]
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
    form = form_of(
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
    form = form_of("-b -B -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w")
    words, _ = _after(command.arguments, form)
    if len(words) < 2:
        return [command]
    if not all(map(is_plain, words[1:])):
        return [command, Command(program="", why="what ssh runs there shows only then")]
    return [command, *read_text(" ".join(words[1:]))]


_STEPS: Mapping[str, Step] = {
    "flock": _flock,
    "script": _script,
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
