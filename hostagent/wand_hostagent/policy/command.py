"""The `policy` subcommand: `policy check`, and `policy explain -- PROGRAM ARGUMENT…`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wand_hostagent.model import Job
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.policy.model import Permit, Policy, Refusal
from wand_hostagent.settings import DEFAULT_PATH, load
from wand_proto.context import Caller
from wand_proto.errors import Invalid


def main(words: Sequence[str]) -> int:
    """Run `policy check|explain`; the exit status."""
    asked = _parser().parse_args(words)
    settings = load(asked.settings)
    policy = PolicyFolder(settings.policy_directory, development=settings.development).current
    lines = explained(policy, asked) if asked.act == "explain" else checked(policy)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def checked(policy: Policy) -> list[str]:
    """A line for each rule, in the order in which they speak."""
    rules = [f"{rule.verdict.value:5} {rule.name}  ({rule.source})" for rule in policy.rules]
    return [*rules, f"{len(rules)} rules, digest {policy.digest}"]


def explained(policy: Policy, asked: argparse.Namespace) -> list[str]:
    """What the policy says of the command, and which rule says it."""
    verdict = decide(policy, Caller(principal=asked.principal, request_id="explain"), _job(asked))
    source = next((rule.source for rule in policy.rules if rule.name == verdict.rule), "")
    return [
        *(_permitted(verdict) if isinstance(verdict, Permit) else _refused(verdict)),
        *([source] if source else []),
    ]


def _job(asked: argparse.Namespace) -> Job:
    argv = tuple(asked.argv)
    if bool(argv) == bool(asked.shell):
        raise Invalid("give either a program and its arguments, after --, or --shell TEXT")
    return Job(id="explain", argv=argv or (asked.shell,), shell=not argv)


def _permitted(permit: Permit) -> list[str]:
    return [
        f"permitted by the rule {permit.rule!r}, with the profile {permit.profile or 'that is the default'}"
    ]


def _refused(refusal: Refusal) -> list[str]:
    return [refusal.message, *([refusal.hint] if refusal.hint else [])]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent policy", description="Check the policy, or explain what it says of a command."
    )
    acts = parser.add_subparsers(dest="act", required=True)
    check = acts.add_parser("check", help="read it, and say what is wrong with it")
    explain = acts.add_parser("explain", help="say whether a command is permitted, and why")
    for act in (check, explain):
        act.add_argument(
            "--settings", type=Path, default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s"
        )
    explain.add_argument(
        "--principal", default="anybody", metavar="NAME", help="who asks; default: %(default)s"
    )
    explain.add_argument(
        "--shell", default="", metavar="TEXT", help="shell text, instead of a program and its arguments"
    )
    explain.add_argument("argv", nargs="*", metavar="WORD", help="a program and its arguments, after --")
    return parser
