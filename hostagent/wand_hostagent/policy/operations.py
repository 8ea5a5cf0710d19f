"""Whether somebody may have the server ask a service outside for something: rules with `operations`.

A rule that denies wins. Where rules let some of them be done, all others are denied; a policy in which no
rule does so leaves it to the server's own settings, which name every service on purpose.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from wand_hostagent.policy.index import rules_for
from wand_hostagent.policy.model import Policy, Rule, Verdict
from wand_proto.context import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whether it may be done, by which rule, and what is told to whom may not."""

    permitted: bool
    rule: str = ""  # empty: no rule speaks of it
    message: str = ""
    hint: str = ""


def decide(policy: Policy, caller: Caller, operation: str, *, changes: bool) -> Ruling:
    """Whether `caller` may have that operation done, which changes something or does not."""
    concerning = rules_for(policy, caller).of_operations
    matching = [rule for rule in concerning if _matches(rule, operation, changes=changes)]
    for rule in matching:
        if rule.verdict is not Verdict.ALLOW:  # nobody can be asked about these, so that is a no
            message = f"{operation} is denied by the rule {rule.name!r}"
            return Ruling(permitted=False, rule=rule.name, message=message, hint=rule.say)
    if matching:
        return Ruling(permitted=True, rule=matching[0].name)
    if not any(rule.operations and rule.verdict is Verdict.ALLOW for rule in policy.rules):
        return Ruling(permitted=True)
    return Ruling(permitted=False, message=f"no rule allows {operation}", hint=_permitted(concerning))


def _matches(rule: Rule, operation: str, *, changes: bool) -> bool:
    if rule.changes is not None and rule.changes is not changes:
        return False
    return not rule.operations or any(fnmatchcase(operation, glob) for glob in rule.operations)


def _permitted(rules: Iterable[Rule]) -> str:
    globs = [glob for rule in rules if rule.verdict is Verdict.ALLOW for glob in rule.operations]
    return f"permitted are: {', '.join(dict.fromkeys(globs))}" if globs else "none is permitted"
