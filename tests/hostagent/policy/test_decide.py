"""Who may do what: these tables are the documentation of a policy's meaning."""

from typing import Any

import pytest

from support.people import ANN, BOB, act, job, shell
from support.rules import allow, deny, said
from wand_hostagent.model import FileAct, Job, Limits
from wand_hostagent.policy import decide as deciding
from wand_hostagent.policy.decide import decide, lower
from wand_hostagent.policy.model import Permit, Policy, Question, Refusal, Rule, Verdict
from wand_hostagent.policy.survey import Survey, survey

SOME_PROGRAMS = [
    allow("git", programs=("git",)),
    deny("no force", programs=("git",), arguments=("push", "--force*")),
    allow("list", programs=("ls", "/srv/tools/*"), shell=False),
    allow("python module", programs=("python3*",), arguments=("-m", "pytest")),
    deny("no editors", programs=("vi*", "emacs"), say="use the file tools"),
    allow("vim for all the same", programs=("vim",)),
]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (job("git", "status"), "+git"),
        (job("git"), "+git"),
        (job("/usr/bin/git", "status"), "+git"),
        (job("/tmp/git", "status"), "-"),  # not a folder of the system: the name alone proves nothing
        (job("./git"), "-"),
        (job("bin/git"), "-"),
        (job("GIT"), "-"),
        (job("git", "push"), "+git"),
        (job("git", "push", "--force"), "-no force"),
        (job("git", "push", "--force-with-lease", "origin"), "-no force"),
        (job("git", "push", "origin", "--force"), "+git"),  # arguments are matched from the left
        (job("/tmp/git", "push", "--force"), "-no force"),  # what denies sees every spelling
        (job("env", "git", "push", "--force"), "-no force"),
        (job("bash", "-c", "cd x && git push --force"), "-no force"),
        (job("/srv/tools/check", "-a"), "+list"),
        (job("check"), "-"),
        (job("python3", "-m", "pytest", "-q"), "+python module"),
        (job("/usr/bin/python3.11", "-m", "pytest"), "+python module"),
        (job("python3", "-c", "x"), "-"),
        (job("python3"), "-"),
        (job("vim", "x"), "-no editors"),  # a rule that denies wins, wherever it stands
        (job("rm", "-rf", "/"), "-"),
        (job(""), "-"),
        (shell("git status"), "+git"),  # shell text is what it runs
        (shell("cd src && git log | git diff"), "+git"),
        (shell("git status; make"), "-"),
        (shell("git $x"), "?no force"),
        (shell("$x status"), "-"),
        (shell("git push --force"), "-no force"),
        (shell("ls"), "-"),
    ],
)
def test_particular_programs(asked: Job, answer: str) -> None:
    assert said(SOME_PROGRAMS, asked) == answer


ANY_PROGRAM = [
    allow("anything", programs=("*",)),
    deny("no sudo", programs=("sudo",)),
    deny("no force", programs=("git",), arguments=("push", "--force*")),
]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("make test", "+anything"),
        ("ls *.py | grep -v '^#' > out.txt 2>&1; echo $HOME $? `date`", "+anything"),
        ('for f in a b; do echo "$f"; done', "+anything"),
        ("if [ -f x ]; then cat x; fi", "+anything"),
        ("x=1 make", "+anything"),
        ("git commit -m 'no sudo please'", "+anything"),
        ("grep -r sudo .", "+anything"),
        ("cat <<'END'\nhello\nEND", "+anything"),
        ("find . -name '*.py' -exec wc -l {} +", "+anything"),
        ("sudo ls", "-no sudo"),
        ("/usr/bin/sudo ls", "-no sudo"),
        ("cd x && sudo ls", "-no sudo"),
        ("ls;sudo ls", "-no sudo"),
        ("ls\nsudo ls", "-no sudo"),
        ("ls | sudo tee x", "-no sudo"),
        ("ls & sudo ls", "-no sudo"),
        ("(sudo ls)", "-no sudo"),
        ("{ sudo ls; }", "-no sudo"),
        ("! sudo ls", "-no sudo"),
        ("A=1 B=2 sudo ls", "-no sudo"),
        (">out sudo ls", "-no sudo"),
        ("2>/dev/null sudo ls", "-no sudo"),
        ("if true; then sudo ls; fi", "-no sudo"),
        ("echo $(sudo ls)", "-no sudo"),
        ('echo "$(sudo ls)"', "-no sudo"),
        ("echo `sudo ls`", "-no sudo"),
        ("cat <(sudo ls)", "-no sudo"),
        ("su'd'o ls", "-no sudo"),
        (r"sud\o ls", "-no sudo"),
        ("echo a#; sudo ls", "-no sudo"),
        ("env -i sudo ls", "-no sudo"),
        ("xargs -n1 sudo", "-no sudo"),
        ("find . -exec sudo rm {} ;", "-no sudo"),
        ("bash -c 'sudo ls'", "-no sudo"),
        ("nice bash -c 'ls; sudo ls'", "-no sudo"),
        ("eval 'sudo ls'", "-no sudo"),
        ("git push --force", "-no force"),
        ("git push >log --force", "-no force"),
        ("git -C x push --force", "-no force"),
    ],
)
def test_a_denied_program_is_seen_in_shell_text(text: str, answer: str) -> None:
    assert said(ANY_PROGRAM, shell(text)) == answer


@pytest.mark.parametrize(
    ("rules", "asked", "answer"),
    [
        ([], job("ls"), "-"),
        ([allow("argv", programs=("*",), shell=False)], shell("ls"), "-"),
        ([allow("argv", programs=("*",), shell=False)], job("ls"), "+argv"),
        ([allow("text", programs=("*",), shell=True)], shell("ls"), "+text"),
        ([allow("text", programs=("*",), shell=True)], job("ls"), "-"),
        ([allow("any"), deny("no text", shell=True)], shell("ls"), "-no text"),
        ([allow("any"), deny("no text", shell=True)], job("ls"), "+any"),
        ([allow("any"), deny("nothing")], job("ls"), "-nothing"),
        ([allow("first"), allow("second")], job("ls"), "+first"),
    ],
)
def test_form_and_order(rules: list[Rule], asked: Job, answer: str) -> None:
    assert said(rules, asked) == answer


@pytest.mark.parametrize(
    ("principals", "who", "permitted"),
    [
        ((), ANN, True),
        (("*",), ANN, True),
        (("ann",), ANN, True),
        (("ann",), BOB, False),
        (("a*", "bob"), BOB, True),
        (("ANN",), ANN, False),
    ],
)
def test_principals(principals: tuple[str, ...], who: Any, *, permitted: bool) -> None:
    policy = Policy(rules=(allow("some", principals=principals, programs=("*",)),), digest="d")

    assert isinstance(decide(policy, who, job("ls")), Permit) is permitted


@pytest.mark.parametrize(
    ("asked", "rule", "permitted"),
    [
        ("", "developer", True),
        ("developer", "developer", True),
        ("root", "developer", False),
        ("root", "", False),
    ],
)
def test_a_caller_gets_the_profile_of_the_rule_or_none(asked: str, rule: str, *, permitted: bool) -> None:
    answer = decide(Policy(rules=(allow("any", profile=rule),), digest="d"), ANN, job("ls", profile=asked))

    assert isinstance(answer, Permit) is permitted
    if isinstance(answer, Permit):
        assert answer.profile == rule
    else:
        assert isinstance(answer, Refusal)
        assert "profile" in answer.hint


FILES = [
    allow("work", paths=("/srv/work",), verbs=("read", "write", "edit", "list", "search")),
    allow("look", paths=("/usr/share/", "/opt"), verbs=("read", "list", "search")),
    deny("secrets", paths=("/srv/work/secrets",)),
    deny("no edits of the lock", paths=("/srv/work/lock",), verbs=("write", "edit")),
]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (act("read", "/srv/work/a.txt"), "+work"),
        (act("list", "/srv/work"), "+work"),
        (act("list", "/srv/work/"), "+work"),
        (act("write", "/srv/work/./b//c/../d"), "+work"),
        (act("read", "/srv/work/../work/a"), "+work"),
        (act("read", "/srv/work/../other"), "-"),
        (act("read", "/srv/workshop/a"), "-"),  # a folder, not a beginning of a name
        (act("read", "/"), "-"),
        (act("read", "//srv/work/a"), "+work"),
        (act("read", "/usr/share/doc"), "+look"),
        (act("write", "/usr/share/doc"), "-"),
        (act("read", "/srv/work/secrets"), "-secrets"),
        (act("read", "/srv/work/secrets/key"), "-secrets"),
        (act("read", "/srv/work/x/../secrets/key"), "-secrets"),
        (act("read", "/srv/work/secrets.txt"), "+work"),
        (act("search", "/srv/work"), "-secrets"),  # it would show what is in them
        (act("search", "/srv/work/src"), "+work"),
        (act("read", "/srv/work/lock"), "+work"),
        (act("edit", "/srv/work/lock"), "-no edits of the lock"),
        (act("read", "relative"), "-secrets"),  # the gate makes paths absolute; what is not, is denied
        (act("read", ""), "-secrets"),
    ],
)
def test_paths(asked: FileAct, answer: str) -> None:
    assert said(FILES, asked) == answer


def test_rules_of_commands_say_nothing_of_files_and_the_other_way_round() -> None:
    assert said([allow("commands", programs=("*",))], act("read", "/x")) == "-"
    assert said([allow("files", paths=("/",))], job("ls")) == "-"


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        (Limits(), Limits(), Limits()),
        (Limits(wall_seconds=5), Limits(), Limits(wall_seconds=5)),
        (Limits(), Limits(wall_seconds=5), Limits(wall_seconds=5)),
        (
            Limits(wall_seconds=9, processes=1),
            Limits(wall_seconds=5, processes=2),
            Limits(wall_seconds=5, processes=1),
        ),
        (Limits(output_bytes=1), Limits(memory_bytes=2), Limits(output_bytes=1, memory_bytes=2)),
    ],
)
def test_the_lower_limit_wins(one: Limits, other: Limits, least: Limits) -> None:
    assert lower(one, other) == least


def test_a_permit_holds_what_was_asked_clamped() -> None:
    rule = allow("any", limits=Limits(wall_seconds=600))
    asked = job("ls", limits=Limits(wall_seconds=9000, output_bytes=5))
    answer = decide(Policy(rules=(rule,), digest="d"), ANN, asked)

    assert isinstance(answer, Permit)
    assert (answer.act, answer.caller, answer.policy_digest) == (asked, ANN, "d")
    assert answer.limits == Limits(wall_seconds=600, output_bytes=5)


@pytest.mark.parametrize(
    ("rules", "asked", "message", "hint"),
    [
        ([], job("ls"), "no rule permits ls", "the policy permits you no command"),
        ([], act("read", "/x"), "no rule permits read of /x", "the policy permits you no file tool"),
        (SOME_PROGRAMS, job("vi", "x"), "vi is denied by the rule 'no editors'", "use the file tools"),
        (
            [allow("a", programs=("git", "ls")), allow("b", programs=("make",), arguments=("test",))],
            job("meson"),
            "no rule permits meson",
            "permitted: make test, git, ls",
        ),
        (
            [allow("a", programs=("git",)), allow("b", programs=("*",), shell=True)],
            job("rm -rf", "x"),
            "no rule permits 'rm -rf'",
            "permitted: git",
        ),
        (
            [allow("a", programs=("git",))],
            shell("git log; make -j2 all"),
            "no rule permits make -j2 all in this shell text",
            "permitted: git",
        ),
        (
            [allow("a", programs=("*",), shell=True)],
            job("ls"),
            "no rule permits ls",
            "only shell text is permitted",
        ),
        (
            [allow("a", programs=("git",)), deny("b", programs=("git",), arguments=("push", "--force*"))],
            job("git", "push", "--force", "-q", "origin"),
            "git is denied by the rule 'b'",
            "permitted: git push -q origin",  # the same with fewer options
        ),
        (
            [allow("a", programs=("git",)), deny("b", programs=("git",), arguments=("push",))],
            job("git", "push", "--force"),
            "git is denied by the rule 'b'",
            "permitted: git",
        ),
        (
            [allow("a", paths=("/srv",), verbs=("read", "list"))],
            act("write", "/srv/x"),
            "no rule permits write of /srv/x",
            "permitted: read, list in /srv",
        ),
    ],
)
def test_a_refusal_says_what_is_permitted(
    rules: list[Rule], asked: Job | FileAct, message: str, hint: str
) -> None:
    answer = decide(Policy(rules=tuple(rules), digest="d"), ANN, asked)

    assert isinstance(answer, Refusal)
    assert (answer.message, answer.hint) == (message, hint)


def test_a_refusal_looks_for_what_is_permitted_among_few(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Job] = []

    def counting(asked: Job) -> Survey:
        judged.append(asked)
        return survey(asked)

    monkeypatch.setattr(deciding, "survey", counting)
    rules = [allow("another", programs=("y",))]
    assert said(rules, job("x", *["-a", "-b", "-c", "-d", "-e", "-f"])) == "-"
    assert len(judged) == 1 + 6 + 1  # itself, without each of the options, and without any


def test_a_refusal_names_no_more_than_a_dozen_programs() -> None:
    rules = [allow(str(n), programs=(f"program{n}",)) for n in range(500)]
    answer = decide(Policy(rules=tuple(rules), digest="d"), ANN, job("ls"))

    assert isinstance(answer, Refusal)
    assert answer.hint.endswith(" and 488 more")


@pytest.mark.parametrize(
    "asked", [job("make"), job("git", "push", "-f"), shell("make; $x"), act("read", "/secret/x")]
)
def test_a_refusal_tells_nothing_of_rules_for_other_people(asked: Job | FileAct) -> None:
    hidden = {"principals": ("bob",), "programs": ("bobs-program",)}
    rules = (
        allow("of bob", **hidden),
        deny("bobs secret", principals=("bob",), paths=("/secret/of/bob",)),
        allow("for a group", groups=("bobs-group",), programs=("bobs-tool",)),
        allow("git", programs=("git",), arguments=("status",)),
        allow("files", paths=("/srv",)),
    )
    answer = decide(Policy(rules=rules, digest="d"), ANN, asked)

    assert isinstance(answer, Refusal)
    assert "bob" not in f"{answer.message} {answer.hint} {answer.rule} {answer.source}"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("ls", ""),
        ("make", "loopback"),
        ("pytest", "none"),
        ("ls && make", "loopback"),
        ("make; pytest", "none"),
    ],
)
def test_the_narrowest_network_of_the_rules_that_permit_holds(text: str, network: str) -> None:
    rules = (
        allow("ls", programs=("ls",)),
        allow("make", programs=("make",), network="loopback"),
        allow("pytest", programs=("pytest",), network="none"),
    )
    permit = decide(Policy(rules=rules, digest="d"), ANN, shell(text))
    assert isinstance(permit, Permit)
    assert permit.network == network


def test_the_terms_of_a_rule_that_asks_hold_wherever_it_stands() -> None:
    rules = [
        allow("anything", programs=("*",), profile="p"),
        Rule(
            name="a person says", verdict=Verdict.ASK, programs=("make",), profile="p", network="none",
            limits=Limits(wall_seconds=5), environment={"CI": "1"},
        ),
    ]  # fmt: skip
    for ordered in (rules, rules[::-1]):
        asked = decide(Policy(rules=tuple(ordered), digest="d"), ANN, job("make"))
        assert isinstance(asked, Question)
        permit = asked.permit
        assert (permit.rule, permit.network, permit.limits.wall_seconds) == ("a person says", "none", 5)
        assert permit.environment["CI"] == "1"
