"""The `policy` subcommand: check it, explain, test and reload it, suggest rules from a ledger."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from wand_hostagent.control import ask
from wand_hostagent.model import FileAct, FileVerb, Job
from wand_hostagent.policy import cases, moving, refusing, suggest
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.policy.model import Answer, Permit, Policy, Question
from wand_hostagent.policy.paths import resolved
from wand_hostagent.policy.survey import Survey, survey
from wand_hostagent.settings import let_name, load
from wand_proto.context import Caller
from wand_proto.errors import Invalid

_ACTIONS = (*(verb.value for verb in FileVerb), *moving.ACTIONS)


def main(words: Sequence[str]) -> int:
    """Run `policy check|explain|test|reload|suggest`; the exit status."""
    asked = _parser().parse_args(words)
    if asked.act == "suggest":
        return _say(suggest.suggested(suggest.runs(asked.ledger), asked.principal))
    settings = load(asked.settings)
    if asked.act == "reload":
        return _say([f"read, digest {ask(settings.control_socket, {'do': 'reload'})['policy']}"])
    policy = PolicyFolder(settings.policy_directory, development=settings.development).current
    if asked.act == "test":
        found = cases.read_folder(settings.policy_directory)
        wrong = list(cases.failures(policy, found))
        return _say([*wrong, _counted(len(found), len(wrong))]) or bool(wrong)
    if asked.act == "check":
        return _say(checked(policy))
    return _say(explained_file(policy, asked) if asked.file else explained(policy, asked))


def _say(lines: Iterable[str]) -> int:
    for line in lines:
        sys.stdout.write(line + "\n")
    return 0


def _counted(cases: int, wrong: int) -> str:
    if wrong:
        return f"{wrong} of {cases} not as meant"
    return f"{cases} cases, all as they were meant" if cases > 1 else "1 case, as it was meant"


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


def explained_file(policy: Policy, asked: argparse.Namespace) -> list[str]:
    """What the policy says of a use of a file, or of the first of several that is not permitted."""
    caller = Caller(principal=asked.principal, groups=tuple(asked.group), request_id="explain")
    uses = list(_uses(asked))
    verdict = decide(policy, caller, uses[0])
    if isinstance(verdict, Permit):
        said = (moving.objection(policy, caller, use, verdict.profile) for use in uses[1:])
        verdict = next((one for one in said if one), verdict)
    told = [f"{use.verb.value} {use.path}" for use in uses]
    return [*told, "", *_said(verdict), *([verdict.source] if verdict.source else [])]


def _uses(asked: argparse.Namespace) -> Iterable[FileAct]:
    path, *to = asked.argv or [""]
    is_whole = all(one.startswith("/") for one in (path, *to))
    if not is_whole or len(to) != (asked.file in {"move", "copy"}):
        raise Invalid("give an absolute path after --, and with move and copy a second one")
    there = resolved(to[0], "/") if to else ""
    if asked.file in moving.ACTIONS:
        return moving.acts(asked.file, resolved(path, "/"), there)
    return [FileAct(id="explain", verb=FileVerb(asked.file), path=resolved(path, "/"))]


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
    return Job(id="explain", argv=argv or (asked.shell,), shell=not argv, backend=asked.backend)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent policy", description="Check, explain, test and reload the policy."
    )
    let_name(parser)
    acts = parser.add_subparsers(dest="act", required=True)
    check = acts.add_parser("check", help="read it, and say what is wrong with it")
    explain = acts.add_parser("explain", help="say whether a command is permitted, and why")
    test = acts.add_parser(
        "test", help="decide the cases of the *.cases files beside it; 1 where one is not as meant"
    )
    reload = acts.add_parser(
        "reload", help="have the host agent read it again, all of it or nothing; as root"
    )
    suggesting = acts.add_parser("suggest", help="print rules that would permit what a ledger saw")
    suggesting.add_argument(
        "ledger", type=Path, metavar="LEDGER", help="the ledger's folder, or a file of it"
    )
    suggesting.add_argument("--principal", default="", metavar="NAME", help="only what this principal ran")
    for act in (check, explain, test, reload):
        let_name(act, again=True)
    explain.add_argument(
        "--principal", default="anybody", metavar="NAME", help="who asks; default: %(default)s"
    )
    explain.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="a group that the principal is in"
    )
    explain.add_argument(
        "--shell", default="", metavar="TEXT", help="shell text, instead of a program and its arguments"
    )
    explain.add_argument("--backend", default="", metavar="NAME", help="where it would run; default: native")
    explain.add_argument(
        "--file",
        default="",
        metavar="ACTION",
        choices=_ACTIONS,
        help=f"a use of a file instead, after -- its path (and a second one): {', '.join(_ACTIONS)}",
    )
    explain.add_argument("argv", nargs="*", metavar="WORD", help="a program and its arguments, after --")
    return parser
