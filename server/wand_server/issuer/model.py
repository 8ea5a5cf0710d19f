"""The values of the authorization server: who asks for what, and how a refusal is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

NAME_CHARACTERS = 60
# marks that take room or none, and show nothing, although Python takes all but the first for printable
_UNSEEN = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\ufe0f\uffa0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that may ask people to let it in.

    It has a document under its own id, or has registered itself; whatever it says of itself beside its id and
    its places is a claim.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    kind: Literal["document", "registered"]
    secret_sha256: str = ""  # of a confidential client; the others prove themselves by PKCE alone
    may_refresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks a person for: read whole, and in order."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    resource: str
    challenge: str
    state: str | None
    key: str = ""  # by which alone the code is to be redeemed (RFC 9449, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in, and the groups of theirs that a policy may speak of."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one person gave one client, once; every token of it ends with it."""

    id: str
    user: str
    groups: tuple[str, ...]  # of the person when they gave it
    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    resource: str
    created: int
    expires: int
    may_refresh: bool = True
    key: str = ""  # the thumbprint of the client's key that its tokens are bound to (RFC 9449)


class Refusal(Exception):
    """What a client is told by the code of a standard; the text is ours, nothing of it is a stranger's."""

    def __init__(
        self, code: str, text: str, *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.headers = dict(headers or {})


class SentBack(Exception):
    """A request that cannot be granted, of a client whose address is known: it is told there."""

    def __init__(self, redirect_uri: str, state: str | None, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.redirect_uri = redirect_uri
        self.state = state
        self.refusal = refusal


class Untrusted(Exception):
    """A request that cannot go back to the client, because nobody knows where that is: a person is told."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def readable(untrusted: str) -> str:
    """A name as it may be shown: one line, nothing that hides or turns around, not long."""
    kept = "".join(mark if mark.isprintable() and mark not in _UNSEEN else " " for mark in untrusted)
    name = " ".join(kept.split())
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"
