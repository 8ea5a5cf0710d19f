"""The policy as files: `policy.d/*.toml`, read all or nothing."""

import hashlib
import json
import logging
import math
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from wand_hostagent.model import Limits
from wand_hostagent.policy import simple
from wand_hostagent.policy.model import NETWORKS, Policy, Rule, Verdict
from wand_proto import tomlfile
from wand_proto.errors import BrokenPolicy, Invalid, WandError

log = logging.getLogger(__name__)

_HEADING = re.compile(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """[groups] as it is written: globs on principals, by the name of the group."""

    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)


class PolicyFolder:
    """The policy of a folder, as it was at the last `reload`; broken, it denies everything."""

    def __init__(self, folder: Path, *, development: bool = False) -> None:
        self._folder = folder
        self._owners = {0, os.geteuid()} if development else {0}
        self._state: Policy | BrokenPolicy
        self.reload()

    @property
    def current(self) -> Policy:
        """The policy.

        Raises:
            BrokenPolicy: it cannot be read; the message names file, line and what is wrong.
        """
        if isinstance(self._state, BrokenPolicy):
            raise BrokenPolicy(self._state.message, hint=self._state.hint)
        return self._state

    @property
    def digest(self) -> str:
        """The digest of the policy; empty where it is broken."""
        return "" if isinstance(self._state, BrokenPolicy) else self._state.digest

    @property
    def wrong(self) -> str:
        """What is wrong with the policy; empty where nothing is."""
        return self._state.message if isinstance(self._state, BrokenPolicy) else ""

    def reload(self) -> None:
        """Read it again, all of it; where that fails, the policy is broken until the next time."""
        self._state = BrokenPolicy("the policy is being read")  # whatever happens next, it is not the old one
        try:
            self._state = load(self._folder, self._owners)
            log.info("policy read", extra={"rules": len(self._state.rules), "digest": self._state.digest})
        except BrokenPolicy as error:
            self._state = error
            log.error("policy broken", extra={"error": str(error)})  # noqa: TRY400 - one line says it


def load(folder: Path, owners: set[int], host: str = "") -> Policy:
    """The policy of a folder for a host, this one; `owners` are the user ids that may have written it.

    Raises:
        BrokenPolicy: it cannot be read or understood, or somebody else could have written it.
    """
    try:
        tables = tomlfile.read_folder(folder, owners=owners)
        rules = tuple(rule for path, table in tables.items() for rule in _rules(path, table))
        _no_name_twice(rules)
        groups = _groups(tables)
    except WandError as error:
        where = f"{error.field}: " if error.field else ""
        raise BrokenPolicy(f"{where}{error.message}", hint=error.hint) from error
    meaning = [*map(str, rules), *map(str, groups.items())]
    digest = hashlib.sha256(json.dumps(meaning, separators=(",", ":")).encode()).hexdigest()
    name = host or socket.gethostname()
    here = (rule for rule in rules if not rule.hosts or any(fnmatchcase(name, glob) for glob in rule.hosts))
    return Policy(rules=tuple(here), digest=digest, groups=groups)


def _rules(path: Path, table: Mapping[str, Any]) -> list[Rule]:
    for key in table.keys() - {"rule", "groups"} - simple.KEYS:
        known = ", ".join(sorted(simple.KEYS))
        raise Invalid(
            f"is not known, in {path}; a policy holds [[rule]] tables, [groups], {known}", field=key
        )
    written = table.get("rule", [])
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise Invalid(f"must be written as [[rule]], in {path}", field="rule")
    lines = _lines(path, len(written))
    plain = simple.rules({key: table[key] for key in simple.KEYS & table.keys()}, str(path))
    return [*plain, *(_rule(one, f"{path}:{line}") for one, line in zip(written, lines, strict=True))]


def _groups(tables: Mapping[Path, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Who is in which group, by all files together."""
    found: dict[str, tuple[str, ...]] = {}
    for path, table in tables.items():
        written = tomlfile.fill(_Groups, {"groups": table.get("groups", {})}, where=str(path)).groups
        for name, principals in written.items():
            found[name] = found.get(name, ()) + principals
    return found


def _lines(path: Path, count: int) -> list[str]:
    """The line of each rule's heading, to be shown; its number where the headings cannot be told apart."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):  # it has changed since it was read
        text = ""
    found = [str(text.count("\n", 0, heading.start()) + 1) for heading in _HEADING.finditer(text)]
    return found if len(found) == count else [f"rule {number}" for number in range(1, count + 1)]


def _rule(written: Mapping[str, Any], source: str) -> Rule:
    if "source" in written:
        raise Invalid(f"is not a setting, in {source}", field="source")
    for key, value in written.items():
        if value == [] or (isinstance(value, list) and "" in value):
            raise Invalid(
                f"is empty, or holds an empty text; what is left out means any, in {source}", field=key
            )
    rule = replace(tomlfile.fill(Rule, written, where=source), source=source)
    for wrong, what in _wrongs(rule):
        if wrong:
            raise Invalid(f"{what}, in {source}", field=f"rule {rule.name!r}")
    return rule


def _wrongs(rule: Rule) -> list[tuple[bool, str]]:
    """What a rule cannot mean; each would be read as more than its author thought."""
    denies, allows = rule.verdict is Verdict.DENY, rule.verdict is Verdict.ALLOW
    says_what = rule.speaks_of_commands or rule.speaks_of_files or rule.speaks_of_operations
    return [
        (not rule.name, "has no name"),
        (denies and bool(rule.backend), "denies, so nothing of it runs on a backend; say backends"),
        (
            "=" in rule.backend and not rule.backends,
            "has a backend by labels; say in backends which ones it lets it be",
        ),
        (
            rule.speaks_of_files and bool(rule.backend or rule.backends),
            "speaks of files, which are those of this host; leave the backends out",
        ),
        (
            rule.speaks_of_commands and rule.speaks_of_files,
            "speaks of commands and of files; write two rules",
        ),
        *_wrongs_of_operations(rule),
        (allows and not says_what, 'allows everything; say programs = ["*"], or paths and verbs'),
        (denies and bool(rule.profile), "denies, which it does under every profile; leave profile out"),
        (denies and rule.limits != Limits(), "denies, so it has no use for limits"),
        (denies and bool(rule.environment), "denies, so it has no use for environment"),
        (denies and bool(rule.network), "denies, so it has no use for network"),
        (rule.speaks_of_files and bool(rule.network), "speaks of files, which need no network"),
        (rule.network not in ("", *NETWORKS), f"has a network that is none of {', '.join(NETWORKS)}"),
        (not denies and bool(rule.say), "has say, which is told to whom a rule denies"),
        (
            rule.speaks_of_files and bool(rule.environment),
            "speaks of files, which have no environment",
        ),
        (any(not path.startswith("/") for path in rule.paths), "has a path that does not begin with /"),
        (any("\0" in path for path in rule.paths), "has a path with a NUL"),
        (
            any(
                not name or set(name) & {"=", "\0"} or "\0" in text for name, text in rule.environment.items()
            ),
            "has a variable with = or a NUL in its name, or a NUL in its value",
        ),
        (any(name.startswith("/") for name in rule.names), "has a name that begins with /; that is a path"),
        (
            any(not option.startswith("-") or "=" in option for option in rule.options),
            "has an option that is not written as - or -- and its name alone",
        ),
        (
            any(amount is not None and not 0 < amount < math.inf for amount in _amounts(rule)),
            "has a limit that is not above 0, or is no number",
        ),
    ]


def _wrongs_of_operations(rule: Rule) -> list[tuple[bool, str]]:
    if not rule.speaks_of_operations:
        return []
    return [
        (
            rule.speaks_of_commands or rule.speaks_of_files,
            "speaks of operations of services, and of commands or files; write two rules",
        ),
        (
            rule.verdict is Verdict.ASK,
            "asks about operations of services, which wait for nobody; allow or deny them",
        ),
        (not rule.operations, 'has changes without operations; say operations = ["*"]'),
        (
            _of_this_host(rule),
            "speaks of operations of services, which have no profile, network or environment",
        ),
    ]


def _of_this_host(rule: Rule) -> bool:
    """Whether it says how something runs here."""
    said = (rule.profile, rule.network, rule.environment, rule.backend, rule.backends)
    return any(said) or rule.limits != Limits()


def _amounts(rule: Rule) -> list[float | None]:
    return [getattr(rule.limits, each.name) for each in fields(rule.limits)]


def _no_name_twice(rules: tuple[Rule, ...]) -> None:
    seen: dict[str, str] = {}
    for rule in rules:
        if rule.name in seen:
            raise Invalid(
                f"is the name of two rules: in {seen[rule.name]} and in {rule.source}", field=rule.name
            )
        seen[rule.name] = rule.source
