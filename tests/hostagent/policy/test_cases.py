"""Cases beside the policy, and rules suggested from a ledger."""

import json
import tomllib
from pathlib import Path

import pytest

from support.people import ANN, job, shell
from support.rules import allow, deny
from wand_hostagent import cli
from wand_hostagent.policy import cases, suggest
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import load
from wand_hostagent.policy.model import Permit, Policy, Rule, Verdict
from wand_proto.errors import Invalid

POLICY = Policy(
    rules=(
        allow("git", programs=("git",), principals=("ann",)),
        deny("no force", programs=("git",), options=("--force",)),
        Rule(name="a person", verdict=Verdict.ASK, programs=("make",), groups=("team",)),
        allow("files", paths=("/srv",)),
    ),
    digest="d",
)


@pytest.mark.parametrize(
    ("line", "fails"),
    [
        ("allow ann argv git status", False),
        ("deny  ann argv git push --force", False),
        ("deny  ann shell git log && git push --force", False),
        ("ask   group:team argv make all", False),
        ("deny  bob argv make", False),
        ("allow bob read /srv/x", False),
        ("# deny nobody", False),
        ("", False),
        ("deny  ann argv git status", True),
        ("allow group:team argv make", True),
    ],
)
def test_a_case_holds_or_not(line: str, *, fails: bool) -> None:
    assert bool(list(cases.failures(POLICY, cases.read(line, "a.cases")))) is fails


def test_a_case_that_fails_says_what_it_is() -> None:
    (told,) = cases.failures(POLICY, cases.read("\nallow ann argv git push --force", "a.cases"))
    assert told.splitlines() == [
        "a.cases:2: allow ann argv git push --force",
        "    but it is deny: git is denied by the rule 'no force'",
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("allow ann argv", r"VERDICT WHO argv.*a\.cases:1"),
        ("may ann argv ls", "one of allow, deny, ask"),
        ("allow ann run ls", "must be argv, shell or one of"),
        ("allow ann argv 'ls", "cannot be split"),
    ],
)
def test_a_case_that_cannot_be_read_is_named(line: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        list(cases.read(line, "a.cases"))


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.mark.parametrize(("verdict", "status"), [("allow", 0), ("deny", 1)])
def test_the_command_fails_where_a_case_does(
    tmp_path: Path, verdict: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.d").mkdir(mode=0o700)
    write(tmp_path / "hostagent.toml", 'policy_directory = "policy.d"\ndevelopment = true\n')
    write(tmp_path / "policy.d/a.toml", 'allowed_commands = ["ls"]\n')
    write(tmp_path / "policy.d/a.cases", f"{verdict} ann argv ls -l\n")

    assert cli.run(["policy", "test", "--settings", str(tmp_path / "hostagent.toml")]) == status
    said = {0: "1 case, as it was meant", 1: "1 of 1 not as meant"}
    assert said[status] in capsys.readouterr().out


def run(*argv: str, principal: str = "ann", form: str = "argv") -> dict[str, object]:
    why = {"principal": principal, "form": form}
    return {"event": "run", "fields": {"argv": argv, "profile": "developer", "why": why}}


def test_what_the_ledger_saw_is_permitted_by_what_is_suggested_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = [
        run("git", "status"),
        run("git", "log", "-3"),
        run("/bin/bash", "-c", "make && ls | wc -l", form="shell"),
        run("rm", "x", principal="bob"),
        {"event": "end", "fields": {}},
    ]
    lines = [json.dumps(record) + "\n" for record in seen]
    write(tmp_path / "ledger-000000000000.jsonl", "".join(lines[:2]))
    write(tmp_path / "ledger.jsonl", "".join(lines[2:]))
    assert cli.run(["policy", "suggest", str(tmp_path), "--principal", "ann"]) == 0
    written = capsys.readouterr().out
    (tmp_path / "policy.d").mkdir(mode=0o700)
    write(tmp_path / "policy.d/suggested.toml", written)
    policy = load(tmp_path / "policy.d", {(tmp_path / "policy.d").stat().st_uid})

    assert "# 2 times: git status, git log" in written
    permitted = (job("git", "diff"), shell("make && ls | wc -l"), job("wc", "x"))
    assert all(isinstance(decide(policy, ANN, one), Permit) for one in permitted)
    refused = (job("git", "commit"), job("rm", "x"), shell("make; rm x"))
    assert not any(isinstance(decide(policy, ANN, one), Permit) for one in refused)


@pytest.mark.parametrize("told", ["no json", '{"event": "run"}', '{"event": "run", "fields": 3}'])
def test_what_is_no_ledger_suggests_nothing(
    tmp_path: Path, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["policy", "suggest", str(tmp_path)]) == cli.FAILURE
    write(tmp_path / "ledger.jsonl", told + "\n")
    assert cli.run(["policy", "suggest", str(tmp_path)]) == cli.FAILURE
    assert capsys.readouterr().err.count("cannot be read as a ledger") == 2


def test_a_suggestion_is_toml_whatever_the_ledger_says() -> None:
    odd = {"argv": ["a\nb\"'\u2028", "x"], "profile": 'p"', "why": {"principal": "q\n[[rule]]"}}

    (rule,) = tomllib.loads("\n".join(suggest.suggested([odd])))["rule"]
    assert rule["programs"] == ["a\nb\"'\u2028"]
