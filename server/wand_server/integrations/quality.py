"""How far a service has come: tiers by written rules, computed from what its manifest and the index say.

What a manifest claims of its tests is held to by tests/server/integrations/test_quality.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wand_server.integrations.index import Known
from wand_server.integrations.kit.base import Integration
from wand_server.integrations.kit.manifest import Manifest
from wand_server.integrations.kit.personal import OF_PEOPLE

Tier = Literal["none", "bronze", "silver", "gold", "platinum"]
_COMMON = frozenset(Integration.Config.model_fields)
_SILVER_PART, _GOLD_PART = 0.5, 0.9  # of the operations, that are tried
_MOST_CHARACTERS = 100  # of a summary, in a list that is read at a glance


@dataclass(frozen=True, slots=True)
class Rule:
    """What a tier demands, beside all that those below demand."""

    tier: Tier
    says: str
    holds: Callable[[Manifest, Known], bool]


@dataclass(frozen=True, slots=True)
class Quality:
    """The tier that a service has, and what it lacks for the next."""

    tier: Tier
    lacks: tuple[str, ...] = ()


def _foreign(manifest: Manifest) -> bool:
    return manifest.tests.against != "contract"


def _tried(manifest: Manifest, known: Known) -> float:
    own = set(known.operations) - OF_PEOPLE  # those are the kit's, and tried with it
    return 1 - len(set(manifest.tests.excused) & own) / max(1, len(own))


def _by_a_server(manifest: Manifest) -> bool:
    return manifest.tests.against == "server" or bool(manifest.tests.server)


RULES = (
    Rule(
        "bronze",
        "every operation says what it does, in at most 100 characters",
        lambda _, known: all(0 < len(one.summary) <= _MOST_CHARACTERS for one in known.operations.values()),
    ),
    Rule("bronze", "it has a word or more by which people look for it", lambda one, _: bool(one.keywords)),
    Rule(
        "silver",
        "it is tried against what others wrote: a description or a server",
        lambda one, _: _foreign(one),
    ),
    Rule("silver", "half of its operations are, or more", lambda *given: _tried(*given) >= _SILVER_PART),
    Rule("silver", "the limits of the service are said", lambda one, _: bool(one.limits)),
    Rule("gold", "nine of ten operations are tried so, or more", lambda *given: _tried(*given) >= _GOLD_PART),
    Rule(
        "gold",
        "every setting of its own that is no secret says what it is",
        lambda _, known: all(
            one.secret or one.description for name, one in known.settings.items() if name not in _COMMON
        ),
    ),
    Rule(
        "gold",
        "the least rights that it needs are said, or that there are none",
        lambda one, _: bool(one.scopes),
    ),
    Rule("platinum", "it is tried against a real server that others wrote", lambda one, _: _by_a_server(one)),
    Rule("platinum", "and every operation is", lambda *given: _tried(*given) == 1),
)
TIERS: tuple[Tier, ...] = ("none", "bronze", "silver", "gold", "platinum")


def of(manifest: Manifest, known: Known) -> Quality:
    """The tier of a service."""
    reached: Tier = "none"
    for tier in TIERS[1:]:
        lacks = tuple(rule.says for rule in RULES if rule.tier == tier and not rule.holds(manifest, known))
        if lacks:
            return Quality(reached, lacks)
        reached = tier
    return Quality(reached)
