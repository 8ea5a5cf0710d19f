"""The `policy` subcommand: `policy check`, and `policy explain -- PROGRAM ARGUMENT…`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wand_hostagent.model import Job
from wand_hostagent.policy import refusing
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.policy.model import Answer, Permit, Policy, Question
from wand_hostagent.policy.survey import Survey, survey
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
    job = _job(asked)
    caller = Caller(principal=asked.principal, groups=tuple(asked.group), request_id="explain")
    verdict = decide(policy, caller, job)
    return [*_seen(survey(job)), "", *_said(verdict), *([verdict.source] if verdict.source else [])]


def _seen(surveyed: Survey) -> list[str]:
    """A line for each command that would run, and what it may do."""
    if surveyed.unread:
        return [f"cannot be read: {surveyed.unread}"]
    return [f"{refusing.shown(one)}  ({', '.join(sorted(one.effects))})" for one in surveyed.seen]


def _said(verdict: Answer) -> list[str]:
    if isinstance(verdict, Permit):
        profile = verdict.profile or "that is the default"
        said = f"permitted by the rule {verdict.rule!r}, with the profile {profile}"
        sets = [f"with {name}={value}" for name, value in verdict.environment.items()]
        return [said, *([f"{', '.join(sets)}: keeps pagers, prompts and hooks away"] if sets else [])]
    if isinstance(verdict, Question):
        return [f"asked: {verdict.message}"]
    return [f"denied: {verdict.message}", *([verdict.hint] if verdict.hint else [])]


def _job(asked: argparse.Namespace) -> Job:
    argv = tuple(asked.argv)
    if bool(argv) == bool(asked.shell):
        raise Invalid("give either a program and its arguments, after --, or --shell TEXT")
    return Job(id="explain", argv=argv or (asked.shell,), shell=not argv)


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
        "--group", action="append", default=[], metavar="NAME", help="a group that the principal is in"
    )
    explain.add_argument(
        "--shell", default="", metavar="TEXT", help="shell text, instead of a program and its arguments"
    )
    explain.add_argument("argv", nargs="*", metavar="WORD", help="a program and its arguments, after --")
    return parser
