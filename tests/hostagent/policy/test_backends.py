"""Of which backends a rule speaks, and where it has a job run."""

import pytest

from support.people import ANN, job, shell
from support.rules import allow, deny, said
from wand_hostagent.model import Job
from wand_hostagent.policy.backends import chosen
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Policy, Refusal, Rule, Verdict

RULES = [
    allow("here", programs=("*",)),
    allow("there", programs=("make",), backends=("docker:*", "ssh")),
    allow("built there", programs=("npm",), backend="docker:build"),
    allow("by labels", programs=("pytest",), backend="role=test", backends=("ssh:t?",)),
    Rule(name="asked", verdict=Verdict.ASK, programs=("git",), arguments=("push",), profile="developer"),
    deny("never", programs=("rm",)),
    deny("not in containers", programs=("mount",), backends=("docker",)),
]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (job("ls"), "+here"),
        (job("ls", backend="native"), "+here"),
        (job("ls", backend="docker:build"), "-"),
        (job("make", backend="docker:build"), "+there"),
        (job("make", backend="ssh:web1"), "+there"),
        (job("make", backend="sshd:web1"), "-"),
        (job("make", backend="host"), "-"),
        (job("npm", backend="docker:build"), "+built there"),
        (job("npm", backend="docker:builder"), "-"),
        (job("pytest", backend="ssh:t1"), "+by labels"),
        (job("pytest", backend="ssh:web1"), "-"),
        (job("rm", backend="docker:build"), "-never"),
        (job("git", "push", backend="ssh:web1"), "?asked"),
        (job("mount"), "+here"),
        (job("mount", backend="docker:build"), "-not in containers"),
        (shell("make && ls", backend="docker:build"), "-"),
        (shell("make; make", backend="docker:build"), "+there"),
        (shell("echo $((", backend="docker:build"), "-"),  # it cannot be read, and not all is allowed there
        (shell("echo $(("), "?here"),
    ],
)
def test_a_rule_speaks_of_the_backends_that_it_names(asked: Job, answer: str) -> None:
    assert said(RULES, asked) == answer


def test_a_refusal_says_on_which_backends_something_is_permitted() -> None:
    refused = decide(Policy(rules=tuple(RULES[1:2]), digest="d"), ANN, job("make"))
    assert isinstance(refused, Refusal)
    assert refused.hint == "permitted on the backend docker:*, ssh"


@pytest.mark.parametrize(
    ("asked", "backend"),
    [
        (job("npm", "ci"), "docker:build"),
        (shell("npm ci && npm test"), "docker:build"),
        (job("pytest"), "role=test"),
        (job("ls"), ""),
        (shell("npm ci && ls"), ""),  # the rule does not speak of all of it
        (shell("$x ci"), ""),
    ],
)
def test_a_job_that_names_no_backend_runs_where_a_rule_for_all_of_it_says(asked: Job, backend: str) -> None:
    assert chosen(Policy(rules=tuple(RULES), digest="d"), ANN, asked) == backend
