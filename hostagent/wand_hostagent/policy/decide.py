"""Whether somebody may do something: a rule that denies wins over any that allows, and silence denies.

Pure: values in, a Permit or a Refusal out. What a rule cannot see it does not allow, and it does deny: shell
text that hides a program's name matches every denied program, and a search matches every denied folder in it.
"""

import posixpath
import shlex
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TypeVar

from wand_hostagent.model import FileAct, FileVerb, Job, Limits
from wand_hostagent.policy import commands
from wand_hostagent.policy.commands import Command
from wand_hostagent.policy.model import Permit, Policy, Refusal, Rule, Verdict
from wand_hostagent.policy.paths import is_within, resolved
from wand_proto.context import Caller

Amount = TypeVar("Amount", int, float)

SYSTEM_FOLDERS = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
MOST_NAMED = 12


def decide(policy: Policy, caller: Caller, act: Job | FileAct) -> Permit | Refusal:
    """Whether `caller` may do `act`: the first rule that denies it, else the first that allows it."""
    concerning = [rule for rule in policy.rules if _concerns(rule, caller, act)]
    for rule in concerning:
        if rule.verdict is Verdict.DENY and _denies(rule, act):
            return _refusal(policy, caller, act, rule)
    for rule in concerning:
        if rule.verdict is Verdict.ALLOW and _allows(rule, act):
            return Permit(
                caller=caller,
                act=act,
                rule=rule.name,
                profile=rule.profile,
                limits=lower(act.limits, rule.limits) if isinstance(act, Job) else rule.limits,
                policy_digest=policy.digest,
            )
    return _refusal(policy, caller, act, None)


def file_profile(policy: Policy, caller: Caller) -> str:
    """The profile in whose workspace this caller's relative paths begin: that of the first rule for files."""
    anywhere = FileAct(id="", verb=FileVerb.LIST, path="/")
    rules = (rule for rule in policy.rules if rule.verdict is Verdict.ALLOW)
    return next((rule.profile for rule in rules if _concerns(rule, caller, anywhere)), "")


def lower(one: Limits, other: Limits) -> Limits:
    """The lower of each limit; None is no limit but the profile's."""
    return Limits(
        wall_seconds=_least(one.wall_seconds, other.wall_seconds),
        memory_bytes=_least(one.memory_bytes, other.memory_bytes),
        cpu_seconds=_least(one.cpu_seconds, other.cpu_seconds),
        processes=_least(one.processes, other.processes),
        open_files=_least(one.open_files, other.open_files),
        file_size_bytes=_least(one.file_size_bytes, other.file_size_bytes),
        output_bytes=_least(one.output_bytes, other.output_bytes),
        disk_bytes=_least(one.disk_bytes, other.disk_bytes),
        cpu_percent=_least(one.cpu_percent, other.cpu_percent),
    )


def _least(one: Amount | None, other: Amount | None) -> Amount | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


# -- matching --------------------------------------------------------------------------------------------


def _concerns(rule: Rule, caller: Caller, act: Job | FileAct) -> bool:
    """Whether the rule speaks of this caller, and of this kind of act."""
    everybody = not rule.principals or "*" in rule.principals
    if not everybody and not _any_glob(rule.principals, caller.principal):
        return False
    if isinstance(act, Job):
        return not (rule.paths or rule.verbs) and rule.shell in (None, act.shell)
    return not (rule.programs or rule.arguments) and rule.shell is None


def _allows(rule: Rule, act: Job | FileAct) -> bool:
    if act.profile not in ("", rule.profile):
        return False
    if isinstance(act, FileAct):
        return _verb_fits(rule, act) and _any_path(rule, act)
    if act.shell:
        return set(rule.programs) <= {"*"} and not rule.arguments
    return _program_fits(rule, act.argv[0], trusting=True) and _arguments_fit(rule, act.argv[1:])


def _denies(rule: Rule, act: Job | FileAct) -> bool:
    if isinstance(act, FileAct):
        return _verb_fits(rule, act) and _any_path(rule, act)
    if not rule.programs and not rule.arguments:
        return True
    reading = commands.read(act)
    return reading.hidden or any(_command_fits(rule, command) for command in reading.commands)


def _command_fits(rule: Rule, command: Command) -> bool:
    return _program_fits(rule, command.program, trusting=False) and _arguments_fit(rule, command.arguments)


def _program_fits(rule: Rule, program: str, *, trusting: bool) -> bool:
    """Whether a glob fits; an allowed name is trusted bare or in the system's folders, nowhere else."""
    if not rule.programs or "*" in rule.programs or _any_glob(rule.programs, program):
        return True
    folder, name = posixpath.split(program)
    is_known = not trusting or folder in SYSTEM_FOLDERS
    return bool(folder) and is_known and _any_glob(rule.programs, name)


def _any_glob(globs: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def _arguments_fit(rule: Rule, arguments: tuple[str, ...]) -> bool:
    return len(arguments) >= len(rule.arguments) and all(map(fnmatchcase, arguments, rule.arguments))


def _verb_fits(rule: Rule, act: FileAct) -> bool:
    return not rule.verbs or act.verb in rule.verbs


def _any_path(rule: Rule, act: FileAct) -> bool:
    """Whether a folder of the rule holds the path; a path that is not absolute is denied and not allowed."""
    denies = rule.verdict is Verdict.DENY
    if not rule.paths:
        return True
    if not act.path.startswith("/"):
        return denies
    path = resolved(act.path, "/")
    inside_too = denies and act.verb is FileVerb.SEARCH
    return any(
        is_within(path, folder) or (inside_too and is_within(resolved(folder, "/"), path))
        for folder in rule.paths
    )


# -- refusing --------------------------------------------------------------------------------------------


def _refusal(policy: Policy, caller: Caller, act: Job | FileAct, rule: Rule | None) -> Refusal:
    subject = _subject(act)
    message = f"{subject} is denied by the rule {rule.name!r}" if rule else f"no rule permits {subject}"
    allowing = [
        one
        for one in policy.rules
        if one.verdict is Verdict.ALLOW
        and _concerns(replace(one, shell=None) if isinstance(act, Job) else one, caller, act)
    ]
    return Refusal(
        caller=caller,
        act=act,
        rule=rule.name if rule else "",
        source=rule.source if rule else "",
        message=message,
        hint=(rule.say if rule else "") or _permitted(allowing, act),
        policy_digest=policy.digest,
    )


def _subject(act: Job | FileAct) -> str:
    if isinstance(act, FileAct):
        return f"{act.verb.value} of {act.path or 'the workspace'}"
    return "this shell text" if act.shell else shlex.quote(act.argv[0])


def _permitted(allowing: list[Rule], act: Job | FileAct) -> str:
    """What is permitted instead, the nearest first."""
    if not allowing:
        return f"the policy permits {'no file tool' if isinstance(act, FileAct) else 'no command'} here"
    fitting = [rule for rule in allowing if act.profile in ("", rule.profile)]
    if not fitting:
        return f"permitted with the profile {_listed(rule.profile or 'default' for rule in allowing)}"
    if isinstance(act, FileAct):
        return "permitted: " + "; ".join(dict.fromkeys(map(_folders, fitting[:MOST_NAMED])))
    return _permitted_commands(fitting, act)


def _permitted_commands(allowing: list[Rule], job: Job) -> str:
    named = dict.fromkeys(form for rule in allowing if rule.shell is not True for form in _forms(rule))
    if not named:
        return "only shell text is permitted"
    asked = posixpath.basename(job.argv[0])
    nearest = sorted(named, key=lambda form: not form.startswith(asked[:1])) if not job.shell else list(named)
    how = "permitted as argv, program by program: " if job.shell else "permitted: "
    return how + _listed(nearest)


def _forms(rule: Rule) -> list[str]:
    rest = "".join(f" {glob}" for glob in rule.arguments)
    return [("any program" if glob == "*" else glob) + rest for glob in rule.programs or ("*",)]


def _folders(rule: Rule) -> str:
    return f"{_listed(rule.verbs or ('everything',))} in {_listed(rule.paths or ('any folder',))}"


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = len(every) - MOST_NAMED
    return ", ".join(every[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
