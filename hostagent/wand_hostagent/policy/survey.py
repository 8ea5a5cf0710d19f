"""What a job would do, as far as its words tell: each command that it would run, and the effects of each."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from wand_hostagent.model import Job
from wand_hostagent.policy import builtins, shell
from wand_hostagent.policy.effects import (
    READ,
    UNKNOWN,
    Effect,
    Effects,
    Program,
    Use,
    effects_of,
    possible_effects,
    run_texts,
    use_of,
)  # fmt: skip
from wand_hostagent.policy.places import moves_of
from wand_hostagent.policy.programs.table import PROGRAMS
from wand_hostagent.policy.reading import Command, Unreadable
from wand_hostagent.policy.touching import Touch, touches
from wand_hostagent.policy.wrappers import look_through

SYSTEM_FOLDERS = frozenset(
    {"", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}
)
MOST_NESTED = 8
_NETWORK = re.compile(r"/dev/(?:tcp|udp)/")  # bash connects where a redirection opens one of these
_FROM_ROOT = re.compile(r"^/+proc/+[^/]+/+(?:root|cwd)/")
_UP_TO_THE_SYSTEM = re.compile(r"\.\./(?:.*/)?usr/(?:local/)?s?bin/[^/]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A command, what it may do, and its words from the verb on, where the program has verbs."""

    command: Command
    effects: Effects
    possible: Effects  # what it may come to do beside, by words that show only when it runs
    in_shell: bool
    verb_words: tuple[str, ...] = ()
    touches: tuple[Touch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Every command of a job; `unread` says why its text could not be read."""

    seen: tuple[Seen, ...] = ()
    unread: str = ""
    moves: tuple[str, ...] = ()  # the folders to which its commands go; a hole where one does not say
    neutral: Mapping[str, str] = field(default_factory=dict)


def survey(job: Job) -> Survey:
    """What a job would do."""
    return _survey(job.argv, job.shell, tuple(filter(builtins.is_steering, job.environment)))


@dataclass(frozen=True, slots=True)
class _Found:
    """A command, with what is known of its program and how its words are sorted."""

    command: Command
    program: Program | None
    use: Use | None


@lru_cache(maxsize=64)  # asked, answered, approved: the same job comes by more than once
def _survey(argv: tuple[str, ...], in_shell: bool, variables: tuple[str, ...]) -> Survey:  # noqa: FBT001 - a key
    try:
        found = list(
            _text(argv[0], 0) if in_shell else _expanded(Command(program=argv[0], arguments=argv[1:]), 0)
        )
    except Unreadable as error:
        return Survey(unread=str(error))
    except RecursionError:
        return Survey(unread="it is nested too deeply")
    if not builtins.HOLDS_TEXT.isdisjoint(variables):
        found.append(_Found(Command(program="", why="a variable holds what a shell runs"), None, None))
    found = found or [_Found(Command(program=":", carries=True), None, None)]  # a comment
    seen = tuple(_seen(one, in_shell, variables) for one in found)
    moves = tuple(move for one in found for move in moves_of(one.command))
    return Survey(seen=seen, moves=moves, neutral=_neutral(found, seen))


def forget() -> None:
    """Remember nothing of jobs that came by, as if each were the first."""
    _survey.cache_clear()


def _text(text: str, depth: int) -> Iterable[_Found]:
    if depth > MOST_NESTED:
        raise Unreadable("text in text is nested too deeply")
    for command in shell.read(text):
        own = command.program in builtins.HARMLESS and not builtins.is_opaque(command)
        yield from _expanded(replace(command, carries=True) if own else command, depth)


def _expanded(command: Command, depth: int) -> Iterable[_Found]:
    """The command, and every one that it would run for its words."""
    for one in look_through(command, lambda text: [found.command for found in _text(text, depth + 1)]):
        program = _known(one)
        use = use_of(program, one) if program is not None and not one.carries else None
        yield _Found(one, program, use)
        if program is not None and use is not None:
            for text in run_texts(program, use):
                yield from _text(text, depth + 1)


def _known(command: Command) -> Program | None:
    """What is known of the program; a file of that name in some other folder is not it."""
    if "/" not in command.program:
        return PROGRAMS.get(command.program)
    return PROGRAMS.get(command.name) if _meant_folder(command.program) in SYSTEM_FOLDERS else None


def _meant_folder(program: str) -> str:
    """The folder that a path most likely leads to, by whatever way it goes."""
    direct = posixpath.normpath("/" + _FROM_ROOT.sub("/", program).lstrip("/"))
    if not program.startswith("/"):
        direct = "/usr/bin/x" if _UP_TO_THE_SYSTEM.search(program) else program
    return posixpath.dirname(direct)


def _seen(found: _Found, in_shell: bool, variables: tuple[str, ...]) -> Seen:  # noqa: FBT001 - a value
    command, program, use = found.command, found.program, found.use
    if not command.program:
        return Seen(command=command, effects=UNKNOWN, possible=frozenset(Effect), in_shell=in_shell)
    does: Effects = READ if command.carries else UNKNOWN
    possible: Effects = frozenset()
    if program is not None and use is not None:
        does, possible = effects_of(program, use), possible_effects(program, use)
        if posixpath.dirname(command.program) not in SYSTEM_FOLDERS:  # it may be another file after all
            does |= UNKNOWN
    if command.writes:
        does |= {Effect.WRITE}
    if any(map(_NETWORK.match, (*command.reads_from, *command.writes_to))):
        does |= {Effect.SEND}
    if variables or any(map(builtins.is_steering, command.variables)):
        does |= {Effect.RUN}
    return Seen(
        command=command,
        effects=does - READ if len(does) > 1 else does,
        possible=possible - does,
        in_shell=in_shell,
        verb_words=_from_verb(command, use) if use is not None else (),
        touches=touches(command, use),
    )


def _from_verb(command: Command, use: Use) -> tuple[str, ...]:
    """The words from the verb on."""
    first = use.verb.partition(" ")[0]
    if not first or first not in command.arguments:
        return ()
    return command.arguments[command.arguments.index(first) :]


def _neutral(found: Iterable[_Found], seen: Iterable[Seen]) -> Mapping[str, str]:
    """Variables that keep pagers, prompts and, where a job only reads, hooks away from its programs."""
    variables: dict[str, str] = {}
    only_reads = all(one.effects == READ for one in seen)
    for one in found:
        if one.program is not None:
            variables |= {**one.program.neutral, **(one.program.still if only_reads else {})}
    return variables
