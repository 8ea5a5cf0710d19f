"""What a command does, in a few words that rules can use; told by tables of programs (`programs/`)."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile
from types import MappingProxyType

from wand_hostagent.policy.reading import HOLE, Command


class Effect(StrEnum):
    """What a command may do."""

    READ = "read"  # it looks and prints
    WRITE = "write"  # it changes files here
    FETCH = "fetch"  # it gets something over the network
    SEND = "send"  # it sends what is here over the network
    RUN = "run"  # it runs programs or code that stand in files, or in its arguments in another language
    ADMINISTER = "administer"  # it changes services, packages, accounts, or another system
    ESCAPE = "escape"  # it asks for a way around what bounds it
    UNKNOWN = "unknown"  # no table tells


Effects = frozenset[Effect]
NOTHING: Effects = frozenset()
UNKNOWN: Effects = frozenset({Effect.UNKNOWN})
READ: Effects = frozenset({Effect.READ})


@dataclass(frozen=True, slots=True)
class Option:
    """What an option adds; `runs` where its value is shell text that is run."""

    effects: Effects = NOTHING
    takes_value: bool = False
    runs: bool = False


Options = Mapping[str, Option]
NO_OPTIONS: Options = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of a program: its verb, its options with their values, and the words that are neither."""

    verb: str
    options: tuple[tuple[str, str], ...]
    operands: tuple[str, ...]
    words: tuple[str, ...]
    is_open: bool  # a word may turn out to be an option, or the verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is known of a program."""

    names: str  # with blanks between them
    effects: Effects = (
        UNKNOWN  # of a use whose verb is not in the table; of all uses, where there are no verbs
    )
    verbs: Mapping[str, Effects] = field(default_factory=dict)
    options: Mapping[str, Options] = field(default_factory=dict)  # by verb; "" are those that every verb has
    refine: Callable[[Use], Effects] | None = None
    words_are_long: bool = False  # one dash begins a long option: find, openssl, terraform
    abbreviates: bool = True  # a long option may be cut short
    neutral: Mapping[str, str] = field(default_factory=dict)  # variables that keep pagers and prompts away
    still: Mapping[str, str] = field(default_factory=dict)  # those that keep hooks away where it only reads

    by_verb: dict[str, Options] = field(default_factory=dict, init=False, compare=False, repr=False)  # a memo
    sorted_long: dict[str, tuple[str, ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def options_of(self, verb: str) -> Options:
        """Every option that a verb knows."""
        found = self.by_verb.get(verb)
        if found is None:
            parts = ("", verb.partition(" ")[0], verb)
            found = {name: one for part in parts for name, one in self.options.get(part, NO_OPTIONS).items()}
            if not verb or verb in self.verbs:  # what is not in the table may be anything, without end
                self.by_verb[verb] = found
        return found

    def long_options(self, verb: str) -> tuple[str, ...]:
        """The long options that a verb knows, sorted."""
        found = self.sorted_long.get(verb)
        if found is None:
            found = tuple(sorted(name for name in self.options_of(verb) if name.startswith("--")))
            if not verb or verb in self.verbs:
                self.sorted_long[verb] = found
        return found


def effects(text: str) -> Effects:
    """The effects whose names a text holds."""
    return frozenset(map(Effect, text.split()))


def verbs(**named: str) -> dict[str, Effects]:
    """A table of verbs: `read="status log"`; two words are joined by a slash, `depends` is no effect."""
    return {
        verb.replace("/", " "): NOTHING if name == "depends" else effects(name.replace("_", " "))
        for name, text in named.items()
        for verb in text.split()
    }


def options(**named: str) -> dict[str, Option]:
    """A table of options: `run="--exec="`, where = says that it takes a value.

    `plain` adds nothing; the value of a `text` option is shell text that is run, and judged as such.
    """
    table: dict[str, Option] = {}
    for name, text in named.items():
        kinds = set(name.split("_"))
        adds = effects(" ".join(kinds - {"plain", "text"}))
        for word in text.split():
            table[word.rstrip("=")] = Option(adds, word.endswith("="), "text" in kinds)
    return table


def use_of(program: Program, command: Command) -> Use:
    """The words of a command, sorted as the program would sort them."""
    return _Sorter(program).sort(command.arguments)


class _Sorter:
    """Goes through the words of a command from the left."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known = program.options_of("")
        self._verb = ""
        self._options: list[tuple[str, str]] = []
        self._operands: list[str] = []
        self._is_open = False

    def sort(self, words: tuple[str, ...]) -> Use:
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                self._operands += rest
                break
            if word.startswith(HOLE):
                self._is_open = True
                self._operands.append(word)
            elif word.startswith("-") and len(word) > 1:
                self._option(word, rest)
            else:
                self._operand(word)
        return Use(
            verb=self._verb,
            options=tuple(self._options),
            operands=tuple(self._operands),
            words=words,
            is_open=self._is_open,
        )

    def _operand(self, word: str) -> None:
        verbs = self._program.verbs
        longer = f"{self._verb} {word}".strip()
        if verbs and not self._operands and (not self._verb or longer in verbs):
            self._verb = longer
            self._known = self._program.options_of(longer)
        else:
            self._operands.append(word)

    def _option(self, word: str, rest: list[str]) -> None:
        if word.startswith("--") or self._program.words_are_long:
            name, equals, value = word.partition("=")
            self._is_open = self._is_open or HOLE in name
            for known in self._meant(name):
                takes = self._known[known].takes_value if known in self._known else False
                if takes and not equals and rest:
                    value = rest.pop(0)
                    equals = "="
                self._options.append((known, value))
            return
        self._letters(word, rest)

    def _meant(self, name: str) -> list[str]:
        """The options that a name may stand for: itself, or those of which it is the beginning."""
        if name in self._known or not self._program.abbreviates or HOLE in name:
            return [name]
        long = self._program.long_options(self._verb)
        found = list(takewhile(lambda known: known.startswith(name), long[bisect_left(long, name) :]))
        return found if found and len(name) > 2 else [name]

    def _letters(self, word: str, rest: list[str]) -> None:
        """Short options, which may stand together behind one dash; one with a value takes what follows."""
        place = 1
        while place < len(word):
            if word[place] == HOLE:
                self._is_open = True
                return
            pair = f"-{word[place : place + 2]}"
            name = pair if pair in self._known else pair[:2]  # zip has a -TT
            option = self._known.get(name)
            place += len(name) - 1
            if option is not None and option.takes_value:
                self._options.append((name, word[place:] or (rest.pop(0) if rest else "")))
                return
            self._options.append((name, ""))


def effects_of(program: Program, use: Use) -> Effects:
    """What a use of a program may do."""
    known = program.options_of(use.verb)
    found = program.verbs.get(use.verb, program.effects) if program.verbs else program.effects
    for name, _ in use.options:
        if option := known.get(name):
            found |= option.effects
    return found | program.refine(use) if program.refine else found


def possible_effects(program: Program, use: Use) -> Effects:
    """What a use may come to do beside that, where a word may turn out to be an option or the verb."""
    if not use.is_open:
        return NOTHING
    known = program.options_of(use.verb).values()
    found = NOTHING.union(*(option.effects for option in known))
    if any(option.runs for option in known):
        found |= {Effect.RUN}
    return found | UNKNOWN if program.verbs and not use.verb else found


def run_texts(program: Program, use: Use) -> list[str]:
    """The shell texts that options of this use would have run."""
    known = program.options_of(use.verb)
    return [value for name, value in use.options if (option := known.get(name)) and option.runs]
