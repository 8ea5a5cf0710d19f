"""Rules as a test writes them, and the one that speaks."""

from collections.abc import Iterable
from typing import Any

from support.people import ANN
from wand_hostagent.model import FileAct, Job
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Permit, Policy, Question, Refusal, Rule, Verdict
from wand_proto.context import Caller

SIGNS = {Permit: "+", Question: "?", Refusal: "-"}


def allow(name: str, **parts: Any) -> Rule:
    return Rule(name=name, verdict=Verdict.ALLOW, **{"profile": "developer", **parts})


def deny(name: str, **parts: Any) -> Rule:
    return Rule(name=name, verdict=Verdict.DENY, **parts)


def said(rules: Iterable[Rule], asked: Job | FileAct, caller: Caller = ANN) -> str:
    """The rule that speaks: `+name` permits, `-name` refuses, `?name` asks a person, `-` is silence."""
    answer = decide(Policy(rules=tuple(rules), digest="d"), caller, asked)
    return f"{SIGNS[type(answer)]}{answer.rule}"
