"""What every program that is known does, word by word: programs.txt says it a second time, in words to read.

A name and what a use of it does, another use of it than those that follow; below it verbs, and for all
verbs (`*`)
or one of them the options: `=` takes a value, `!` has it run as shell text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wand_hostagent.policy.effects import Effects, Program, Use, effects, effects_of, run_texts, use_of
from wand_hostagent.policy.programs.table import PROGRAMS
from wand_hostagent.policy.reading import HOLE, Command


@dataclass
class Told:
    """A paragraph of programs.txt."""

    names: list[str]
    does: str
    verbs: dict[str, str] = field(default_factory=dict)
    options: dict[tuple[str, str], str] = field(default_factory=dict)  # by verb and option


def paragraphs() -> Iterator[Told]:
    for block in Path(__file__).with_name("programs.txt").read_text().split("\n\n"):
        head, *lines = block.strip().splitlines()
        names, _, does = head.partition(": ")
        told = Told(names.split(), does)
        for line in lines:
            what, _, words = line.strip().partition(": ")
            kind, _, does = what.partition(" ")
            if kind == "verbs":
                told.verbs |= {word.replace("/", " "): does for word in words.split()}
            else:
                verb, _, does = does.partition(" ")
                told.options |= {(verb.strip("*").replace("/", " "), word): does for word in words.split()}
        yield told


ALL = list(paragraphs())
EACH = [pytest.param(told, name, id=name) for told in ALL for name in told.names]


def use(program: Program, *words: str) -> Use:
    return use_of(program, Command(program="", arguments=words))


def said(found: Effects) -> str:
    return " ".join(sorted(found)) or "nothing"


def test_every_program_is_told_of_once() -> None:
    assert sorted(name for told in ALL for name in told.names) == sorted(PROGRAMS)


@pytest.mark.parametrize(("told", "name"), EACH)
def test_a_program_does_what_is_told_of_it(told: Told, name: str) -> None:
    program = PROGRAMS[name]
    assert said(effects_of(program, use(program, "another"))) == told.does
    assert {
        verb: said(effects_of(program, use(program, *verb.split()))) for verb in program.verbs
    } == told.verbs


@pytest.mark.parametrize(("told", "name"), EACH)
def test_an_option_adds_what_is_told_of_it(told: Told, name: str) -> None:
    program = PROGRAMS[name]
    assert {
        (verb, option + "=" * one.takes_value + "!" * one.runs): said(one.effects)
        for verb, known in program.options.items()
        for option, one in known.items()
    } == told.options


@pytest.mark.parametrize(("told", "name"), EACH)
def test_an_option_is_sorted_and_counted(told: Told, name: str) -> None:
    program = PROGRAMS[name]
    for (verb, spelled), adds in told.options.items():
        option = spelled.rstrip("=!")
        found = use(program, *verb.split(), option, "value")
        taken = next(value for given, value in reversed(found.options) if given == option)
        assert (taken == "value") is ("=" in spelled), spelled
        assert ("value" in run_texts(program, found)) is ("!" in spelled), spelled
        assert adds == "nothing" or effects(adds) <= effects_of(program, found), spelled


USES = [line.partition("|") for line in Path(__file__).with_name("uses.txt").read_text().splitlines()]


@pytest.mark.parametrize(("does", "text"), [(does.strip(), text.strip()) for does, _, text in USES])
def test_a_use_does_what_is_told_of_it(does: str, text: str) -> None:
    """uses.txt has them, `$X` for what shows only when it runs, and `%20` for a blank in a word."""
    name, *words = text.replace("$X", HOLE).split()
    found = use(PROGRAMS[name], *(word.replace("%20", " ") for word in words))
    assert said(effects_of(PROGRAMS[name], found)) == does


PLAIN_SETTINGS = """user.x color.x advice.x init.defaultbranch core.quotepath core.autocrlf core.abbrev log.x
commit.gpgsign tag.gpgsign push.default pull.rebase merge.conflictstyle diff.algorithm diff.context
diff.renames
diff.noprefix status.x branch.sort tag.sort column.x safe.directory grep.x blame.x protocol.version gc.auto
pull.ff
fetch.prune core.eol core.safecrlf core.sparsecheckout rebase.autosquash rerere.x submodule.recurse
core.filemode
core.longpaths core.ignorecase"""


@pytest.mark.parametrize("setting", PLAIN_SETTINGS.split())
def test_a_setting_of_git_that_names_no_program_runs_none(setting: str) -> None:
    git = PROGRAMS["git"]
    assert said(effects_of(git, use(git, "-c", f"{setting}=x", "log"))) == "read"
    assert said(effects_of(git, use(git, "config", setting, "x"))) == "write"
    assert said(effects_of(git, use(git, "-c", f"x{setting}=x", "log"))) == "read run"
