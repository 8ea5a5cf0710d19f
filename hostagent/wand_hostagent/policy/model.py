"""What a policy is made of, and the two answers that it can give.

Only `policy.decide` makes a Permit, and only a Permit opens a backend or a file.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from wand_hostagent.model import FileAct, Job, Limits
from wand_proto.context import Caller


class Verdict(StrEnum):
    """What a rule says of what it matches."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; an empty tuple matches everything of its kind, and every part must match.

    `programs` are globs on the program as written and on its last part, which a rule that allows trusts only
    bare or in the system's own folders; `arguments` are globs that must match the words after the program
    from the left; `paths` are folders that file tools may use; `verbs` are file verbs. A rule with `programs`
    speaks of commands only, one with `paths` or `verbs` of files only. Particular programs are never allowed,
    and always denied, in shell text that runs them or hides what it runs.
    """

    name: str
    verdict: Verdict
    principals: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    shell: bool | None = None  # True: shell text only; False: argv only; None: both
    paths: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    profile: str = ""
    limits: Limits = field(default_factory=Limits)
    say: str = ""  # told to whom it denies: what is permitted instead
    source: str = ""  # file:line


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All the rules, and the digest by which a verdict names them."""

    rules: tuple[Rule, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The ticket to act: what was asked, by whom, and the rule that lets it."""

    caller: Caller
    act: Job | FileAct
    rule: str
    profile: str
    limits: Limits
    policy_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer no: which rule, and what is permitted instead."""

    caller: Caller
    act: Job | FileAct
    rule: str  # empty: no rule allows it
    source: str
    message: str
    hint: str
    policy_digest: str
