"""The words of a refusal and of a question: what happened, and what is permitted instead.

Only rules that concern the caller are told of, and of them only what they permit.
"""

import posixpath
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from wand_hostagent.model import FileAct, Job
from wand_hostagent.policy.backends import NATIVE, speaks_of
from wand_hostagent.policy.index import CallerRules
from wand_hostagent.policy.model import Permit, Policy, Question, Refusal, Rule, Verdict
from wand_hostagent.policy.survey import Seen
from wand_proto.context import Caller

MOST_NAMED = 12
MOST_TRIED = 16


@dataclass(frozen=True, slots=True)
class Case:
    """Who asks, and the rules that concern them."""

    policy: Policy
    rules: CallerRules
    caller: Caller


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for; `seen` is the command of a job that stands in the way."""

    act: Job | FileAct
    seen: Seen | None = None


def refusal(case: Case, subject: Subject, rule: Rule | None, is_permitted: Callable[[Job], bool]) -> Refusal:
    """The answer no; without a rule, because none permits it."""
    name, act = _named(subject.act, subject.seen), subject.act
    return Refusal(
        caller=case.caller,
        act=act,
        rule=rule.name if rule else "",
        source=rule.source if rule else "",
        message=f"{name} is denied by the rule {rule.name!r}" if rule else f"no rule permits {name}",
        hint=(rule.say if rule else "") or nearest(act, is_permitted) or _permitted(case.rules, act),
        policy_digest=case.policy.digest,
    )


def cannot_be_read(case: Case, job: Job, why: str) -> Refusal:
    """The answer no to shell text that is no shell text as it is read here."""
    return Refusal(
        caller=case.caller,
        act=job,
        rule="",
        source="",
        message=f"this shell text cannot be read, so nothing in it is permitted: {why}",
        hint="give each program with its arguments as argv, or write the text more simply",
        policy_digest=case.policy.digest,
    )


def question(permit: Permit, rule: Rule, seen: Seen | None, verdict: Verdict) -> Question:
    """A person must say whether: the rule asks, or it is not to be seen whether one denies."""
    subject = _named(permit.act) if seen is None else shown(seen)
    if verdict is Verdict.ASK:
        message = f"{subject} needs the approval of a person, by the rule {rule.name!r}"
    else:
        message = f"{subject} may be what the rule {rule.name!r} denies, so it needs the approval of a person"
    return Question(permit=permit, rule=rule.name, source=rule.source, message=message)


def unread(permit: Permit, rule: Rule, why: str) -> Question:
    """A person must say whether, because the text cannot be read."""
    message = f"this shell text cannot be read, so it needs the approval of a person: {why}"
    return Question(permit=permit, rule=rule.name, source=rule.source, message=message)


def shown(seen: Seen) -> str:
    """A command as a person would write it; an ellipsis is what shows only when it runs."""
    command = seen.command
    if not command.program:
        return f"a program that cannot be told ({command.why})"
    if command.reads_from or command.writes_to:
        opened = [*(f"< {one}" for one in command.reads_from), *(f"> {one}" for one in command.writes_to)]
        return _short(" ".join(opened).replace("\0\0", "\0").replace("\0", "…"))
    words = (word.replace("\0\0", "\0").replace("\0", "…") for word in (command.program, *command.arguments))
    text = " ".join(word if "…" in word and " " not in word else shlex.quote(word) for word in words)
    return _short(text)


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"


def nearest(act: Job | FileAct, is_permitted: Callable[[Job], bool]) -> str:
    """The same command with fewer options, where that is permitted."""
    if isinstance(act, FileAct) or act.shell or len(act.argv) > MOST_TRIED:
        return ""
    given = [place for place, word in enumerate(act.argv) if place and word.startswith("-")]
    for dropped in [*([place] for place in given), given]:
        argv = tuple(word for place, word in enumerate(act.argv) if place not in dropped)
        if dropped and is_permitted(replace(act, argv=argv)):
            return f"permitted: {shlex.join(argv)}"
    return ""


def _named(act: Job | FileAct, seen: Seen | None = None) -> str:
    if isinstance(act, FileAct):
        path = act.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return f"{act.verb.value} of {path or 'the workspace'}"
    if act.shell:
        return f"{shown(seen)} in this shell text" if seen else "this shell text"
    if seen is None or seen.command.program == act.argv[0]:
        return shlex.quote(act.argv[0])
    return f"{shown(seen)} (run by {shlex.quote(act.argv[0])})"


def _permitted(rules: CallerRules, act: Job | FileAct) -> str:
    """What is permitted instead, the nearest first."""
    if isinstance(act, FileAct):
        (text,) = rules.remembered(("files", act.profile), lambda: (_permitted_files(rules, act.profile),))
        return text
    begins = "" if act.shell else posixpath.basename(act.argv[0])[:1]
    key = ("commands", act.shell, act.profile, act.backend, begins)
    (text,) = rules.remembered(key, lambda: (_permitted_commands(rules, act, begins),))
    return text


def _permitted_files(rules: CallerRules, profile: str) -> str:
    allowing = [rule for rule in rules.of_files if rule.verdict is Verdict.ALLOW]
    if not allowing:
        return "the policy permits you no file tool"
    fitting = [rule for rule in allowing if profile in ("", rule.profile)]
    if not fitting:
        return _with_profiles(allowing)
    return "permitted: " + "; ".join(dict.fromkeys(map(_folders, fitting[:MOST_NAMED])))


def _permitted_commands(rules: CallerRules, job: Job, begins: str) -> str:
    allowing = [rule for rule in rules.of_commands if rule.verdict is Verdict.ALLOW]
    if not allowing:
        return "the policy permits you no command"
    here = [rule for rule in allowing if speaks_of(rule, job.backend)]
    if not here:
        return _with_backends(allowing)
    allowing = here
    fitting = [rule for rule in allowing if job.profile in ("", rule.profile)]
    if not fitting:
        return _with_profiles(allowing)
    fitting = [rule for rule in fitting if rule.shell in (None, job.shell)]
    if not fitting:
        return "only shell text is permitted" if not job.shell else "only argv is permitted, no shell text"
    named = dict.fromkeys(form for rule in fitting for form in _forms(rule))
    return "permitted: " + _listed(sorted(named, key=lambda form: not form.startswith(begins)))


def _with_backends(rules: list[Rule]) -> str:
    named = (name for rule in rules for name in (rule.backends or (rule.backend or NATIVE,)))
    return f"permitted on the backend {_listed(named)}"


def _with_profiles(rules: list[Rule]) -> str:
    named = (rule.profile or "that is the default, by naming none" for rule in rules)
    return f"permitted with the profile {_listed(named)}"


def _forms(rule: Rule) -> list[str]:
    rest = "".join(f" {glob}" for glob in rule.arguments)
    does = f" that does no more than {_listed(rule.effects)}" if rule.effects else ""
    only = f" with no options but {_listed(rule.options)}" if rule.options else ""
    return [("any program" if glob == "*" else glob) + rest + does + only for glob in rule.programs or ("*",)]


def _folders(rule: Rule) -> str:
    return f"{_listed(rule.verbs or ('everything',))} in {_listed(rule.paths or ('any folder',))}"


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = len(every) - MOST_NAMED
    return ", ".join(every[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
