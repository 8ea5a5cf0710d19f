"""What a policy is made of, and the three answers that it can give.

Only `policy.decide` makes a Permit, and only a Permit opens a backend or a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from wand_hostagent.model import FileAct, FileVerb, Job, Limits
from wand_hostagent.policy.effects import Effect
from wand_proto.context import Caller

NETWORKS = ("none", "loopback")  # that a rule may name, the narrowest first


class Verdict(StrEnum):
    """What a rule says of what it matches."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; an empty tuple matches everything of its kind, and every part must match.

    Who: `principals`, `groups`, `clients` and `on_behalf_of` are globs. Where: `backends` are globs, see
    `policy.backends`. What, of commands: `programs` are
    globs on the program as written and on its last part, which a rule that allows trusts only bare or in the
    system's own folders; `arguments` are globs on the words after it from the left, or from its verb on;
    `options` stand anywhere among them; `effects` are what it may do. What, of files: `paths` are folders,
    `names` globs on the end of a path, `verbs` the uses of file tools. What, of services outside:
    `operations` are globs on `slack.send_message`, `github:work.*`. A rule speaks of commands, of files or of
    operations.
    """

    name: str
    verdict: Verdict
    principals: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    backend: str = ""  # where a job runs that names none
    programs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    shell: bool | None = None  # True: shell text only; False: argv only; None: both
    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    verbs: tuple[FileVerb, ...] = ()
    operations: tuple[str, ...] = ()
    changes: bool | None = None  # True: operations that change something; False: others; None: both
    profile: str = ""
    limits: Limits = field(default_factory=Limits)
    network: str = ""  # instead of a wider one of the profile; see NETWORKS
    environment: dict[str, str] = field(default_factory=dict)
    say: str = ""  # told to whom it denies: what is permitted instead
    source: str = ""  # file:line

    @property
    def speaks_of_files(self) -> bool:
        """Whether it says anything of file tools."""
        return bool(self.paths or self.names or self.verbs)

    @property
    def speaks_of_operations(self) -> bool:
        """Whether it says anything of services outside."""
        return bool(self.operations or self.changes is not None)

    @property
    def speaks_of_commands(self) -> bool:
        """Whether it says anything of commands."""
        return bool(self.programs or self.arguments or self.options or self.effects or self.shell is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All the rules, and the digest by which a verdict names them."""

    rules: tuple[Rule, ...]
    digest: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name: globs on principals
    worked_out: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)


class PolicySource(Protocol):
    """Where the policy is; what cannot be read raises BrokenPolicy."""

    @property
    def current(self) -> Policy: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The ticket to act: what was asked, by whom, and the rule that lets it."""

    caller: Caller
    act: Job | FileAct
    rule: str
    profile: str
    limits: Limits
    policy_digest: str
    source: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)  # set for it, beside what the caller sets
    network: str = ""  # the narrowest that a rule names; empty: that of the profile
    approval: str = ""  # the one that a person gave for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The answer that a person must give: what would be permitted, if they do."""

    permit: Permit
    rule: str
    source: str
    message: str


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


Answer = Permit | Question | Refusal
