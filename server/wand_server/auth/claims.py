"""Who a verified token speaks of: its claims as a Principal, by the names that an issuer gives them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wand_server import scopes
from wand_server.auth.asked import BadToken
from wand_server.model import Principal

_TEXT_CEILING = 256  # what travels to the host agent
_GROUPS_CEILING = 4096
_OF_OTHER_KINDS = ("at_hash", "c_hash", "events")  # OpenID Connect Core, 3.1.3.6 and 3.3.2.11; RFC 8417
_OTHER_KINDS = {
    "typ": {"id", "refresh", "offline", "logout"},
    "token_use": {"id"},
}  # as Keycloak and Cognito say


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNames:
    """Where an issuer says what."""

    name: str = "sub"
    name_prefix: str = ""  # before each name, so that no issuer can name a user of ours
    scope: str = "scope"
    groups: str = "groups"
    groups_prefix: str = ""  # the same for groups: "auditors" among them
    scope_map: Mapping[str, frozenset[str]] = field(default_factory=dict)  # what its own scopes stand for
    default_scopes: frozenset[str] = frozenset()  # of a token that says none of ours


def principal_of(claims: Mapping[str, Any], names: ClaimNames) -> Principal:
    """The principal: who acts, for whom (RFC 8693, 4.1), and what the token grants.

    Raises:
        BadToken: it names nobody, or what it says cannot be carried on.
    """
    subject, actor = _text(claims, names.name), _actor(claims)
    who, whom = (actor, subject) if actor else (subject, "")
    return Principal(
        name=_carried(names.name_prefix + who, names.name),
        means="token",
        scopes=granted(claims, names),
        groups=_groups(claims.get(names.groups), names.groups_prefix),
        on_behalf_of=_carried(names.name_prefix + whom, names.name) if whom else "",
        credential=_credential(claims),
        expires=float(claims["exp"]),
    )


def check_kind(claims: Mapping[str, Any]) -> None:
    """Let an access token pass: what an issuer signs for other ends says so, if not always by its type.

    Raises:
        BadToken: it is an ID token, a refresh token or an event.
    """
    said = [name for name in _OF_OTHER_KINDS if name in claims]
    said += [name for name, kinds in _OTHER_KINDS.items() if str(claims.get(name)).lower() in kinds]
    if said:
        raise BadToken(f"the token is no access token ({said[0]})")


def granted(claims: Mapping[str, Any], names: ClaimNames) -> frozenset[str]:
    """The scopes of ours in a token: said outright, or by the issuer's own words for them."""
    said = list(words(claims.get(names.scope)))
    mapped = frozenset[str]().union(*(names.scope_map.get(word, frozenset()) for word in said))
    return (scopes.known(said) | mapped) or names.default_scopes


def words(untrusted: Any) -> Iterable[str]:
    """Scopes as RFC 9068 writes them, in one text, or as a list."""
    if isinstance(untrusted, str):
        return untrusted.split(" ")
    return [one for one in untrusted if isinstance(one, str)] if isinstance(untrusted, list) else []


def _actor(claims: Mapping[str, Any]) -> str:
    actor = claims.get("act")
    if actor is None:
        return ""
    if not isinstance(actor, dict):
        raise BadToken("act must be an object")
    return _text(actor, "sub")


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if not isinstance(found, str) or not found:
        raise BadToken(f"{name} must name who this is")
    return found


def _carried(text: str, name: str) -> str:
    if len(text) > _TEXT_CEILING or not text.isprintable():
        raise BadToken(f"{name} must be at most {_TEXT_CEILING} printable characters")
    return text


def _groups(untrusted: Any, prefix: str) -> tuple[str, ...]:
    """All of them or none: a policy may well deny something to the one that would be left out."""
    found = [untrusted] if isinstance(untrusted, str) else [] if untrusted is None else untrusted
    if not isinstance(found, list) or not all(isinstance(one, str) and one.isprintable() for one in found):
        raise BadToken("groups must be a list of names")
    whole = tuple(prefix + one for one in found)
    if any("," in one or not one for one in found) or len(",".join(whole)) > _GROUPS_CEILING:
        raise BadToken(f"groups must hold no comma, and {_GROUPS_CEILING} characters in all")
    return whole


def _credential(claims: Mapping[str, Any]) -> str:
    """The id of the token, or of the session that it belongs to."""
    found = claims.get("jti") or claims.get("sid") or ""
    return found[:_TEXT_CEILING] if isinstance(found, str) else ""
