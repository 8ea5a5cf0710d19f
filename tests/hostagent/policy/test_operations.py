"""Who may have which service asked for what."""

from pathlib import Path

import pytest

from support.people import ANN, BOB
from support.rules import allow, deny
from wand_hostagent.model import Job
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import load
from wand_hostagent.policy.model import Permit, Policy, Rule, Verdict
from wand_hostagent.policy.operations import decide as ruling
from wand_proto.context import Caller
from wand_proto.errors import BrokenPolicy

LOOK = allow("look", profile="", operations=("*",), changes=False)
ANNS = allow("ann's", profile="", principals=("ann",), operations=("slack.send_*", "github:work.*"))
NO_DELETING = deny("no deleting", operations=("*.delete_*",), say="ask an administrator")
BOB_NOTHING = deny("bob does nothing", principals=("bob",))
COMMANDS = allow("anything", programs=("*",))


@pytest.mark.parametrize(
    ("rules", "caller", "operation", "said"),
    [
        ([], ANN, "slack.send_message", "+"),  # as the server's settings say
        ([COMMANDS], ANN, "slack.send_message", "+"),
        ([NO_DELETING], ANN, "slack.send_message", "+"),
        ([NO_DELETING], ANN, "github:work.delete_file", "-no deleting"),
        ([LOOK], ANN, "slack.list_users", "+look"),
        ([LOOK], ANN, "slack.send_message", "-"),
        ([LOOK, ANNS], ANN, "slack.send_message", "+ann's"),
        ([LOOK, ANNS], ANN, "github:work.create_issue", "+ann's"),
        ([LOOK, ANNS], ANN, "github:home.create_issue", "-"),
        ([ANNS], BOB, "slack.send_message", "-"),  # rules for others make silence a no for all
        ([ANNS, NO_DELETING], ANN, "github:work.delete_file", "-no deleting"),
        ([BOB_NOTHING], BOB, "slack.list_users", "-bob does nothing"),
        ([BOB_NOTHING], ANN, "slack.list_users", "+"),
        ([Rule(name="all", verdict=Verdict.ASK)], ANN, "slack.list_users", "-all"),
    ],
)
def test_a_rule_lets_an_operation_be_done_or_does_not(
    rules: list[Rule],
    caller: Caller,
    operation: str,
    said: str,
) -> None:
    found = ruling(Policy(rules=tuple(rules), digest="d"), caller, operation, changes="list" not in operation)
    assert f"{'+' if found.permitted else '-'}{found.rule}" == said


def test_a_refusal_says_what_is_permitted() -> None:
    policy = Policy(rules=(LOOK, ANNS, NO_DELETING), digest="d")
    silent = ruling(policy, ANN, "github:home.create_issue", changes=True)
    assert silent.hint == "permitted are: *, slack.send_*, github:work.*"
    assert ruling(policy, ANN, "a.delete_b", changes=True).hint == "ask an administrator"


def test_a_rule_for_operations_lets_nothing_run_here() -> None:
    policy = Policy(rules=(LOOK, ANNS), digest="d")
    assert not isinstance(decide(policy, ANN, Job(id="j1", argv=("ls",))), Permit)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('operations = ["*"]\nprograms = ["*"]', "write two rules"),
        ('operations = ["*"]\npaths = ["/"]', "write two rules"),
        ('operations = ["*"]\nprofile = "developer"', "have no profile"),
        ('operations = ["*"]\nnetwork = "none"', "have no profile"),
        ("changes = true", "changes without operations"),
        ('operations = ["*"]\nverdict = "ask"', "wait for nobody"),
        ('operations = [""]', "holds an empty text"),
    ],
)
def test_what_a_rule_for_operations_cannot_mean_is_refused(tmp_path: Path, more: str, said: str) -> None:
    verdict = "" if "verdict" in more else 'verdict = "allow"\n'
    (tmp_path / "a.toml").write_text(f'[[rule]]\nname = "a"\n{verdict}{more}\n')
    (tmp_path / "a.toml").chmod(0o644)
    with pytest.raises(BrokenPolicy, match=said):
        load(tmp_path, {0, tmp_path.stat().st_uid})
