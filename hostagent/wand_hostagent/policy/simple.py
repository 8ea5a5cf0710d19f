"""The simple form of a policy: lists of commands and folders, at the top of a file and without rules.

allowed_commands = ["git", "npm", "python3", "ls"]
blocked_commands = ["rm", "dd", "sudo"]
path_restrictions = ["/srv/work"]
resource_limits = { max_memory = "2GB", max_cpu = 2.0, max_execution_time = 300 }
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wand_hostagent.model import FileVerb, Limits
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto import tomlfile
from wand_proto.errors import Invalid

KEYS = frozenset({"allowed_commands", "blocked_commands", "path_restrictions", "resource_limits", "profile"})
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Amounts:
    """`resource_limits`, each of which may be written as a number or as text."""

    max_memory: str = ""
    max_cpu: str = ""
    max_execution_time: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    allowed_commands: tuple[str, ...] = ()
    blocked_commands: tuple[str, ...] = ()
    path_restrictions: tuple[str, ...] = ()
    resource_limits: _Amounts = field(default_factory=_Amounts)
    profile: str = ""


def rules(written: Mapping[str, Any], where: str) -> list[Rule]:
    """The rules that the simple form stands for.

    Raises:
        Invalid: a key is of the wrong type, or cannot be meant.
    """
    if not written:
        return []
    form = tomlfile.fill(_Form, _as_text(written), where=where)
    limits = _limits(form.resource_limits, where)
    for path in form.path_restrictions:
        if not path.startswith("/"):
            raise Invalid(
                f"holds {path!r}, which does not begin with /, in {where}", field="path_restrictions"
            )
    return [
        *_commands(form, "allowed_commands", Verdict.ALLOW, limits, where),
        *_commands(form, "blocked_commands", Verdict.DENY, Limits(), where),
        *_folders(form, where),
    ]


def _commands(form: _Form, key: str, verdict: Verdict, limits: Limits, where: str) -> list[Rule]:
    programs = getattr(form, key)
    if not programs:
        return []
    profile = form.profile if verdict is Verdict.ALLOW else ""
    return [
        Rule(
            name=f"{key} in {where}",
            verdict=verdict,
            programs=programs,
            profile=profile,
            limits=limits,
            source=where,
        )
    ]


def _folders(form: _Form, where: str) -> list[Rule]:
    if not form.path_restrictions:
        return []
    name = f"path_restrictions in {where}"
    return [
        Rule(
            name=name,
            verdict=Verdict.ALLOW,
            paths=form.path_restrictions,
            verbs=tuple(FileVerb),
            profile=form.profile,
            source=where,
        )
    ]


def _as_text(written: Mapping[str, Any]) -> dict[str, Any]:
    """The form with its amounts as text, for 2 may be written as "2.0"."""
    amounts = written.get("resource_limits")
    if not isinstance(amounts, dict):
        return dict(written)
    plain = {
        key: str(value) if key in ("max_memory", "max_cpu") and type(value) in (int, float) else value
        for key, value in amounts.items()
    }
    return {**written, "resource_limits": plain}


def _limits(amounts: _Amounts, where: str) -> Limits:
    wall = amounts.max_execution_time
    if wall is not None and not 0 < wall < math.inf:
        raise Invalid(f"must be above 0, in {where}", field="resource_limits.max_execution_time")
    cpus = _cpus(amounts.max_cpu, where) if amounts.max_cpu else 0.0
    return Limits(
        wall_seconds=wall,
        cpu_percent=max(1, round(cpus * 100)) if cpus else None,
        memory_bytes=_bytes(amounts.max_memory, where) if amounts.max_memory else None,
    )


def _cpus(text: str, where: str) -> float:
    try:
        cpus = float(text)
    except ValueError:
        cpus = 0.0
    if not 0 < cpus < 10_000:
        raise Invalid(
            f"must be a number of CPUs, as 2.0, not {text!r}, in {where}", field="resource_limits.max_cpu"
        )
    return cpus


def _bytes(text: str, where: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    amount = float(found[1]) * 1024 ** _POWERS[found[2].upper()] if found else 0.0
    if not 1 <= amount < 2**63:
        raise Invalid(f"must be a size, as 2GB, not {text!r}, in {where}", field="resource_limits.max_memory")
    return int(amount)
