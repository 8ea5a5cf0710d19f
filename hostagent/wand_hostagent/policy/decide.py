"""Whether somebody may do something: a rule that denies wins, then one that asks, and silence denies.

Pure: values in, a Permit, a Question or a Refusal out. A job is allowed where every command that it
would run is allowed under one profile. What cannot be read, or might be what a rule denies, is never
allowed: a person is asked, or the answer is no.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from wand_hostagent.model import FileAct, Job, Limits
from wand_hostagent.policy import refusing
from wand_hostagent.policy.backends import speaks_of
from wand_hostagent.policy.index import CallerRules, rules_for
from wand_hostagent.policy.matching import Match, command_match, file_match, touch_match
from wand_hostagent.policy.model import NETWORKS, Answer, Permit, Policy, Question, Rule, Verdict
from wand_hostagent.policy.places import places_of
from wand_hostagent.policy.refusing import Case
from wand_hostagent.policy.survey import Seen, Survey, survey
from wand_proto.context import Caller

Amount = TypeVar("Amount", int, float)

_NO_LIMITS = Limits()


def decide(policy: Policy, caller: Caller, act: Job | FileAct) -> Answer:
    """Whether `caller` may do `act`."""
    case = Case(policy, rules_for(policy, caller), caller)
    if isinstance(act, FileAct):
        return _decide_file(case, act)
    surveyed = survey(act)
    return _decide_unread(case, act, surveyed.unread) if surveyed.unread else _decide_job(case, act, surveyed)


@dataclass(frozen=True, slots=True)
class _View:
    """A command, and the rules that match it."""

    seen: Seen
    matching: Sequence[tuple[Rule, Match]]
    guarding: Sequence[tuple[Rule, Match]]  # rules about files that it opens; they let nothing run

    def first(self, verdict: Verdict, match: Match) -> Rule | None:
        for rule, sure in (*self.matching, *self.guarding):
            if sure is match and rule.verdict is verdict:
                return rule
        return None

    @property
    def may_run(self) -> bool:
        """Whether any rule lets it run, under whichever profile."""
        return any(sure is Match.SURELY and rule.verdict is not Verdict.DENY for rule, sure in self.matching)

    def permitting(self, profile: str) -> Rule | None:
        """The rule by whose terms it runs under a profile: the first that asks, else the first."""
        rules = [
            rule
            for rule, sure in self.matching
            if sure is Match.SURELY and rule.verdict is not Verdict.DENY and rule.profile == profile
        ]
        asking = (rule for rule in rules if rule.verdict is Verdict.ASK)
        return next(asking, rules[0] if rules else None)


def _decide_job(case: Case, job: Job, surveyed: Survey) -> Answer:
    judged = _judged(case, job, surveyed)
    return _refusal(case, job, judged.rule, judged.seen) if isinstance(judged, _No) else judged


@dataclass(frozen=True, slots=True)
class _No:
    """A refusal before its words: to find what is permitted instead, as much has to be judged again."""

    rule: Rule | None = None  # none: no rule permits it
    seen: Seen | None = None  # the command that stands in the way


def _judged(case: Case, job: Job, surveyed: Survey) -> Permit | Question | _No:
    begins = places_of(job.directory, surveyed.moves)
    views = [_view(case.rules, job, seen, begins) for seen in surveyed.seen]
    for view in views:
        if rule := view.first(Verdict.DENY, Match.SURELY):
            return _No(rule, view.seen)
    needed = [view for view in views if not view.seen.command.carries] or views
    used = _one_profile(needed, job.profile)
    if used is None:
        return _No(seen=next((view.seen for view in needed if not view.may_run), None))
    permit = _permit(case, job, used, surveyed.neutral)
    for view in views:
        for verdict, match in _DOUBTS:
            if rule := view.first(verdict, match):
                return refusing.question(permit, rule, view.seen, verdict)
    return permit


_DOUBTS = ((Verdict.ASK, Match.SURELY), (Verdict.DENY, Match.PERHAPS), (Verdict.ASK, Match.PERHAPS))


def _view(rules: CallerRules, job: Job, seen: Seen, begins: tuple[str, ...]) -> _View:
    matching = [
        (rule, match)
        for rule in rules.for_program(seen.command.program)
        if speaks_of(rule, job.backend)
        if (match := command_match(rule, seen))
    ]
    guarding = [
        (rule, match)
        for rule in (rules.guarding if seen.touches else ())
        if (match := touch_match(rule, seen.touches, begins))
    ]
    return _View(seen, matching, guarding)


def _one_profile(views: list[_View], asked: str) -> list[Rule] | None:
    """For each command the rule that lets it run, all of them under the first profile that does for all."""
    every = (rule.profile for view in views for rule, _ in view.matching if rule.verdict is not Verdict.DENY)
    for profile in [asked] if asked else dict.fromkeys(every):
        used = [view.permitting(profile) for view in views]
        if all(used):
            return [rule for rule in used if rule]
    return None


def _permit(case: Case, act: Job | FileAct, used: list[Rule], neutral: Mapping[str, str]) -> Permit:
    limits = act.limits if isinstance(act, Job) else Limits()
    environment = dict(neutral)
    networks = {rule.network for rule in used}
    for rule in used:
        limits = lower(limits, rule.limits)
        environment |= rule.environment
    return Permit(
        caller=case.caller,
        act=act,
        rule=used[0].name,
        source=used[0].source,
        profile=used[0].profile,
        limits=limits,
        environment=environment,
        network=next((one for one in NETWORKS if one in networks), ""),
        policy_digest=case.policy.digest,
    )


def _decide_unread(case: Case, job: Job, why: str) -> Answer:
    """A text that cannot be read might be anything: denied, or asked where anything is allowed."""
    of_commands = (rule for rule in case.rules.of_commands if speaks_of(rule, job.backend))
    concerning = [rule for rule in of_commands if rule.shell is not False]
    for rule in concerning:
        if rule.verdict is Verdict.DENY and _speaks_of_all(rule):
            return _refusal(case, job, rule)
    for rule in concerning:
        if rule.verdict is not Verdict.DENY and _speaks_of_all(rule) and job.profile in ("", rule.profile):
            return refusing.unread(_permit(case, job, [rule], {}), rule, why)
    return refusing.cannot_be_read(case, job, why)


def _speaks_of_all(rule: Rule) -> bool:
    return set(rule.programs) <= {"*"} and not (rule.arguments or rule.options or rule.effects)


def _decide_file(case: Case, act: FileAct) -> Answer:
    matching = [rule for rule in case.rules.of_files if file_match(rule, act)]
    by = {verdict: [rule for rule in matching if rule.verdict is verdict] for verdict in Verdict}
    if by[Verdict.DENY]:
        return _refusal(case, act, by[Verdict.DENY][0])
    fitting = [rule for rule in by[Verdict.ALLOW] + by[Verdict.ASK] if act.profile in ("", rule.profile)]
    if not fitting:
        return _refusal(case, act, None)
    permit = _permit(case, act, fitting[:1], {})
    return refusing.question(permit, by[Verdict.ASK][0], None, Verdict.ASK) if by[Verdict.ASK] else permit


def _refusal(case: Case, act: Job | FileAct, rule: Rule | None, seen: Seen | None = None) -> Answer:
    def is_permitted(other: Job) -> bool:
        return isinstance(_judged(case, other, survey(other)), Permit)

    return refusing.refusal(case, refusing.Subject(act, seen), rule, is_permitted)


def file_profile(policy: Policy, caller: Caller) -> str:
    """The profile in whose workspace this caller's relative paths begin: that of the first rule for files."""
    rules = (rule for rule in rules_for(policy, caller).of_files if rule.verdict is Verdict.ALLOW)
    return next((rule.profile for rule in rules), "")


def lower(one: Limits, other: Limits) -> Limits:
    """The lower of each limit; None is no limit but the profile's."""
    if other == _NO_LIMITS:
        return one
    names = [each.name for each in fields(Limits)]
    return Limits(**{name: _least(getattr(one, name), getattr(other, name)) for name in names})


def _least(one: Amount | None, other: Amount | None) -> Amount | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
