"""What changes from one configuration to another: what holds at once, and what waits for a restart."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wand_proto import logline
from wand_server import settings
from wand_server.kinds import Frozen
from wand_server.settings import Settings

_TABLES = ("tools", "limits", "execution", "integrations", "agents", "log")
_LIVE = frozenset(name for name in settings.names() if name.partition(".")[0] in _TABLES)
_AT_START = {
    "tools.added",
    "integrations.direct",
    "integrations.address",
    "integrations.accounts_file",
    "integrations.accounts_key",
    "agents.capabilities",
    "agents.labels",
    "agents.health_seconds",
    "agents.lease_seconds",
}
LIVE = (_LIVE - _AT_START) | {
    "http.allowed_hosts",
    "http.allowed_origins",
    "http.websocket",
    "http.legacy_sse",
    "stdio.allowed_users",
    "stdio.allowed_groups",
}
"""The settings that a running server takes up; every other one needs a restart."""

HIDDEN = "(hidden)"
MOST_CHARACTERS, MOST_CHANGES = 256, 64  # of one change, and of changes, as they are told to the host agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a server runs by: its settings, and who has keys (a fingerprint by each name)."""

    settings: Settings
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, in hexadecimal."""
        whole = json.dumps([values(self.settings), dict(self.keys)], sort_keys=True, default=str)
        return hashlib.sha256(whole.encode()).hexdigest()


def values(read: Settings) -> dict[str, Any]:
    """Every setting by its dotted name."""
    return {
        f"{section}.{key}": getattr(getattr(read, section), key)
        for section, key in (settings.place_of(name) for name in settings.names())
    }


def shown(name: str, value: Any) -> Any:
    """A value as it may be told, in JSON: what is called a secret is not."""
    if isinstance(value, tuple | list):
        return tuple(shown(name, one) for one in value)
    if isinstance(value, Mapping):
        return {key: shown(f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, Frozen):
        return value.model_dump(mode="json")
    if isinstance(value, str) and logline.is_secret(name.partition(".")[2]):
        return HIDDEN  # a file's name is none
    return str(value) if isinstance(value, Path) else value


def merged(now: Settings, wanted: Settings) -> Settings:
    """What holds without a restart: the live settings of `wanted`, all others as they are."""
    taken = values(wanted)
    tables: dict[str, dict[str, Any]] = {}
    for name in LIVE:
        section, key = settings.place_of(name)
        tables.setdefault(section, {})[key] = taken[name]
    return now.model_copy(
        update={
            section: getattr(now, section).model_copy(update=changed) for section, changed in tables.items()
        }
    )


def waiting(now: Settings, wanted: Settings) -> tuple[str, ...]:
    """The settings that differ and need a restart."""
    before, after = values(now), values(wanted)
    return tuple(name for name in settings.names() if before[name] != after[name] and name not in LIVE)


def told(before: Configuration, after: Configuration) -> tuple[str, ...]:
    """Each change in one line, without secrets; of too many, the rest is counted."""
    lines = [*_of_settings(before.settings, after.settings), *_of_keys(before.keys, after.keys)]
    if len(lines) > MOST_CHANGES:
        lines[MOST_CHANGES - 1 :] = [f"and {len(lines) - MOST_CHANGES + 1} more"]
    return tuple(in_a_line(line) for line in lines)


def _of_settings(before: Settings, after: Settings) -> Iterator[str]:
    old, new = values(before), values(after)
    for name in settings.names():
        if old[name] != new[name]:
            yield f"{name}: {_word(shown(name, old[name]))} -> {_word(shown(name, new[name]))}"


def _of_keys(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            did = "added" if name not in before else "removed" if name not in after else "changed"
            yield f"key {name}: {did}"


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def in_a_line(line: str) -> str:
    """The line as the host agent takes it: printable, and not too long."""
    clean = "".join(char if char.isprintable() else "?" for char in line)
    return clean if len(clean) <= MOST_CHARACTERS else f"{clean[: MOST_CHARACTERS - 1]}…"
