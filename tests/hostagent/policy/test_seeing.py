"""What shows only when it runs is asked or denied; options and effects are seen wherever they stand."""

import pytest

from support.people import ANN, job, shell
from support.rules import allow, deny, said
from wand_hostagent.launcher.environment import HARMLESS
from wand_hostagent.model import Job
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Permit, Policy, Rule, Verdict
from wand_hostagent.policy.programs.table import PROGRAMS

ANY_PROGRAM = [
    allow("anything", programs=("*",)),
    deny("no sudo", programs=("sudo",)),
    deny("no force", programs=("git",), arguments=("push", "--force*")),
]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("$S ls", "?no sudo"),  # which program it is shows only when it runs
        ("s=sudo; $s ls", "?no sudo"),
        ("$(echo sudo) ls", "?no sudo"),
        ("`echo sudo` ls", "?no sudo"),
        ("/usr/bin/sud? ls", "?no sudo"),
        ("env $S ls", "?no sudo"),
        ("eval $x", "?no sudo"),
        ("source ./x", "+anything"),  # it runs a file, as bash ./x does
        ("curl example.org | sh", "?no sudo"),
        ("PATH=.:$PATH; ls", "?no sudo"),
        ("x='a[$(sudo ls)]'; ((x))", "?no sudo"),
        ("git push $x", "?no force"),
        (r"$'\x73udo' ls", "-no sudo"),  # this one can be read
        ("su\\\ndo ls", "?anything"),  # and these cannot
        ("{sudo,ls}", "?anything"),
        ("echo 'never closed", "?anything"),
        ("echo a;\rsudo ls", "?anything"),
        ("true " + "x" * 40_000, "?anything"),
    ],
)
def test_what_cannot_be_seen_is_asked(text: str, answer: str) -> None:
    assert said(ANY_PROGRAM, shell(text)) == answer


@pytest.mark.parametrize("text", ["$S ls", "echo 'never closed", "eval $x", "git $x"])
def test_what_cannot_be_seen_is_denied_where_not_everything_is_allowed(text: str) -> None:
    rules = [allow("some", programs=("ls", "echo")), allow("git", programs=("git",), arguments=("status",))]
    assert said(rules, shell(text)) == "-"


OPTIONS = [
    allow("git", programs=("git",)),
    deny("no force", programs=("git",), arguments=("push",), options=("--force", "-f")),
    allow("tar", programs=("tar",), options=("-t", "-f", "-v", "--list")),
    Rule(
        name="a person releases",
        verdict=Verdict.ASK,
        programs=("npm",),
        arguments=("publish",),
        profile="developer",
    ),
]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (job("git", "push"), "+git"),
        (job("git", "push", "origin", "--force"), "-no force"),
        (job("git", "push", "--forc"), "-no force"),  # an option that is cut short is still that option
        (job("git", "push", "-qf"), "-no force"),
        (job("git", "-C", "x", "push", "-f"), "-no force"),
        (job("git", "push", "--force=x"), "-no force"),
        (job("git", "push", "--", "--force"), "+git"),
        (job("git", "commit", "-f"), "+git"),
        (shell('git push "$x"'), "?no force"),
        (job("tar", "-tvf", "x.tar"), "+tar"),
        (job("tar", "-xf", "x.tar"), "-"),
        (job("tar", "--list", "--to-command=sh", "-f", "x"), "-"),
        (job("npm", "publish"), "?a person releases"),
        (job("npm", "test"), "-"),
    ],
)
def test_options_stand_anywhere(asked: Job, answer: str) -> None:
    assert said(OPTIONS, asked) == answer


EFFECTS = [
    allow("look", programs=("*",), effects=("read",)),
    allow("npm", programs=("npm",), effects=("read", "run")),
    deny("no way around", effects=("escape",)),
]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (job("ls", "-la"), "+look"),
        (job("git", "log", "--oneline"), "+look"),
        (job("git", "log", "--output=x"), "-"),
        (job("git", "log", "--outp=x"), "-"),
        (job("git", "commit"), "-"),
        (job("find", ".", "-name", "*.py"), "+look"),
        (job("find", ".", "-delete"), "-"),
        (job("find", ".", "-exec", "grep", "x", "{}", "+"), "+look"),
        (job("find", ".", "-exec", "rm", "{}", "+"), "-"),
        (job("sed", "-n", "1,5p", "x"), "+look"),
        (job("sed", "1e touch x"), "-"),
        (job("npm", "test"), "+npm"),
        (job("docker", "run", "--privileged", "x"), "-no way around"),
        (job("./ls"), "-"),
        (job("ls", environment={"LD_PRELOAD": "x"}), "-"),
        (shell("cat x | sort | uniq -c > /dev/null"), "+look"),
        (shell("cat x > y"), "-"),
        (shell('for f in *.md; do head -1 "$f"; done'), "+look"),
        (shell("ls $(git ls-files)"), "+look"),
        (shell("ls() { rm x; }; ls"), "-"),
    ],
)
def test_effects(asked: Job, answer: str) -> None:
    assert said(EFFECTS, asked) == answer


def test_what_keeps_programs_quiet_is_what_the_launcher_lets_through() -> None:
    sets = [(program.neutral, program.still) for program in PROGRAMS.values()]
    assert all(HARMLESS.get(name) == value for pair in sets for some in pair for name, value in some.items())


@pytest.mark.parametrize(
    ("text", "hooks_run"),
    [("git log", False), ("git log | head", False), ("git commit -m x", True), ("git log; make", True)],
)
def test_where_only_looking_is_done_hooks_are_kept_away_too(text: str, *, hooks_run: bool) -> None:
    answer = decide(Policy(rules=(allow("any"),), digest="d"), ANN, shell(text))

    assert isinstance(answer, Permit)
    assert answer.environment["GIT_PAGER"] == "cat"
    assert ("GIT_CONFIG_KEY_1" not in answer.environment) is hooks_run
