"""The rules that concern a caller, laid out so that a command meets only those that may speak of it."""

import posixpath
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from wand_hostagent.policy.model import Policy, Rule, Verdict
from wand_proto.context import Caller

MOST_CALLERS = 256
MOST_NAMES = 2048
_WILD = frozenset("*?[")


class CallerRules:
    """What concerns one caller."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        concerning = tuple(rules)
        self.of_operations = tuple(
            rule for rule in concerning if not rule.speaks_of_commands and not rule.speaks_of_files
        )
        of_this_host = tuple(rule for rule in concerning if not rule.speaks_of_operations)
        self.of_files = tuple(rule for rule in of_this_host if not rule.speaks_of_commands)
        self.guarding = tuple(
            rule for rule in self.of_files if rule.speaks_of_files and rule.verdict is not Verdict.ALLOW
        )
        self.of_commands = tuple(rule for rule in of_this_host if not rule.speaks_of_files)
        self.choosing = tuple(rule for rule in self.of_commands if rule.backend)
        self._by_name: dict[str, list[int]] = {}
        self._wild: dict[str, list[tuple[str, int]]] = {}
        self._anything: list[int] = []
        for place, rule in enumerate(self.of_commands):
            self._lay_out(rule, place)
        self._found: dict[str, tuple[Rule, ...]] = {}
        self._worked_out: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def remembered(self, key: tuple[Any, ...], work_out: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """What has been worked out under a key, now or before."""
        if key not in self._worked_out:
            if len(self._worked_out) >= MOST_CALLERS:
                self._worked_out.clear()
            self._worked_out[key] = work_out()
        return self._worked_out[key]

    def _lay_out(self, rule: Rule, place: int) -> None:
        if not rule.programs or "*" in rule.programs:
            self._anything.append(place)
            return
        for glob in rule.programs:
            if _WILD & set(glob):
                first = glob[0] if glob[0] not in _WILD else ""
                self._wild.setdefault(first, []).append((glob, place))
            else:
                self._by_name.setdefault(glob, []).append(place)

    def for_program(self, program: str) -> tuple[Rule, ...]:
        """The rules that may speak of a program, in their order; all of them, where it cannot be seen."""
        if not program:
            return self.of_commands
        found = self._found.get(program)
        if found is None:
            if len(self._found) >= MOST_NAMES:
                self._found.clear()
            found = self._found[program] = self._look_up(program)
        return found

    def _look_up(self, program: str) -> tuple[Rule, ...]:
        places = set(self._anything)
        for text in {program, posixpath.basename(program)}:
            places.update(self._by_name.get(text, ()))
            for first in {"", text[:1]}:
                places.update(place for glob, place in self._wild.get(first, ()) if fnmatchcase(text, glob))
        return tuple(self.of_commands[place] for place in sorted(places))


def rules_for(policy: Policy, caller: Caller) -> CallerRules:
    """The rules that concern a caller; worked out once."""
    key = (caller.principal, caller.groups, caller.client, caller.on_behalf_of)
    found = policy.worked_out.get(key)
    if found is None:
        if len(policy.worked_out) >= MOST_CALLERS:
            policy.worked_out.clear()
        groups = (*caller.groups, *groups_of(policy, caller.principal))
        found = CallerRules(rule for rule in policy.rules if concerns(rule, caller, groups))
        policy.worked_out[key] = found
    assert isinstance(found, CallerRules)
    return found


def groups_of(policy: Policy, principal: str) -> tuple[str, ...]:
    """The groups to which the policy itself counts a principal."""
    return tuple(
        name for name, globs in policy.groups.items() if any(fnmatchcase(principal, glob) for glob in globs)
    )


def concerns(rule: Rule, caller: Caller, groups: tuple[str, ...]) -> bool:
    """Whether a rule speaks of a caller who is in these groups."""
    return (
        _any(rule.principals, (caller.principal,))
        and _any(rule.groups, groups)
        and _any(rule.clients, (caller.client,))
        and _any(rule.on_behalf_of, (caller.on_behalf_of,))
    )


def _any(globs: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(text, glob) for glob in globs for text in texts)
