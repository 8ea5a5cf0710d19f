"""Deciding, for a policy of 500 rules: ours beside a walk through all rules, and the price of shell text."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from support.people import ANN, job, shell
from wand_hostagent.model import Job
from wand_hostagent.policy import survey as surveying
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Policy, Rule, Verdict

NOTE = """\
µs of processor time a decision, medians of {rounds} rounds that take turns; every command is asked for the
first time, so nothing of it is remembered. "walk" looks at each rule in turn, principal and program by
fnmatch, and does not know options, effects or what a wrapper runs: the least that a policy without an index
does.\
"""
RULES = 500
GOAL_US = 50.0


def rules() -> tuple[Rule, ...]:
    """500 rules of five kinds: by program, by subcommand, by option, by effect, for other people."""
    some = []
    for n in range(RULES // 5):
        some += [
            Rule(name=f"program {n}", verdict=Verdict.ALLOW, programs=(f"tool{n}",), profile="developer"),
            Rule(name=f"verb {n}", verdict=Verdict.ASK, programs=(f"tool{n}",), arguments=(f"verb{n}", "x*")),
            Rule(name=f"option {n}", verdict=Verdict.DENY, programs=(f"py{n}*",), options=(f"--option{n}",)),
            Rule(
                name=f"folder {n}",
                verdict=Verdict.ALLOW,
                programs=(f"/srv/tools{n}/*",),
                profile="developer",
            ),
            Rule(name=f"other {n}", verdict=Verdict.DENY, principals=(f"person{n}",), programs=("*",)),
        ]
    git = Rule(name="git", verdict=Verdict.ALLOW, programs=("git",), profile="developer")
    look = Rule(name="look", verdict=Verdict.ALLOW, programs=("tool*", "ls"), profile="developer")
    return (*some[:-2], git, look)


def walk(all_rules: Sequence[Rule], asked: Job) -> Rule | None:
    """The first rule that denies, else the first that allows, by looking at each."""
    concerning = [
        rule
        for rule in all_rules
        if not rule.principals or any(fnmatchcase("ann", glob) for glob in rule.principals)
    ]
    for verdict in (Verdict.DENY, Verdict.ALLOW):
        for rule in concerning:
            if rule.verdict is verdict and any(fnmatchcase(asked.argv[0], glob) for glob in rule.programs):
                return rule
    return None


def microseconds(decide_one: Callable[[Job], object], asked: Sequence[Job]) -> float:
    """What one decision of many takes."""
    surveying.forget()
    began = time.process_time()
    for one in asked:
        decide_one(one)
    return (time.process_time() - began) / len(asked) * 1e6


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="bench policy")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args(words).rounds
    policy = Policy(rules=rules(), digest="d")
    policy_asks = {
        "argv, a known program": [job("git", "log", "--oneline", f"-{n}") for n in range(150)],
        "argv, of many rules": [job(f"tool{n % 90}", f"verb{n}", "x") for n in range(150)],
        "argv, no rule": [job(f"nothing{n}", "x") for n in range(150)],
        "shell text, 2 commands": [shell(f"cd src && git log -{n} 2>&1") for n in range(40)],
        "shell text, 6 commands": [
            shell(f'ls a{n} | ls; for f in *.md; do git log -1 "$f"; done; git diff > /dev/null && ls -{n}')
            for n in range(40)
        ],
    }  # fmt: skip
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name, asked in policy_asks.items():
            ours = microseconds(lambda one: decide(policy, ANN, one), asked)
            plain = microseconds(lambda one: walk(policy.rules, one), asked)
            times.setdefault((name, "ours"), []).append(ours)
            times.setdefault((name, "walk"), []).append(plain)
    print(NOTE.format(rounds=rounds))
    missed = 0
    for name in policy_asks:
        ours, plain = (statistics.median(times[name, who]) for who in ("ours", "walk"))
        goal = f"goal {GOAL_US:g}" if name.startswith("argv") else ""
        missed += name.startswith("argv") and ours > GOAL_US
        print(f"{name:24} ours {ours:8.1f}   walk {plain:8.1f}   ratio {ours / plain:5.2f}   {goal}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
