"""Whether a rule speaks of a backend, and on which one a job runs that names none."""

from fnmatch import fnmatchcase

from wand_hostagent.model import Job
from wand_hostagent.policy.index import rules_for
from wand_hostagent.policy.matching import Match, command_match
from wand_hostagent.policy.model import Policy, Rule, Verdict
from wand_hostagent.policy.survey import survey
from wand_proto.context import Caller

NATIVE = "native"  # the backend of a job that names none


def speaks_of(rule: Rule, backend: str) -> bool:
    """Whether a rule speaks of jobs on a backend.

    Without backends, one that denies or asks speaks of all of them, and one that allows of the native one
    alone: what is allowed in the box of a profile is not thereby allowed where there is no such box.
    """
    if not rule.backends and not rule.backend:
        return rule.verdict is not Verdict.ALLOW or backend in ("", NATIVE)
    return any(fits(backend or NATIVE, glob) for glob in (*rule.backends, rule.backend) if glob)


def fits(backend: str, glob: str) -> bool:
    """Whether a glob means a backend: `ssh` means all that are called `ssh:…`, too."""
    return fnmatchcase(backend, glob) or backend.partition(":")[0] == glob


def chosen(policy: Policy, caller: Caller, job: Job) -> str:
    """Where the first rule with a `backend` that surely matches all of a job has it run; else nothing."""
    choosing = rules_for(policy, caller).choosing
    if not choosing:
        return ""
    seen = survey(job).seen
    needed = [one for one in seen if not one.command.carries] or seen
    for rule in choosing:
        if needed and all(command_match(rule, one) is Match.SURELY for one in needed):
            return rule.backend
    return ""
