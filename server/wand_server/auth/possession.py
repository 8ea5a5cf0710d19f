"""Tokens that are bound to a key: whoever brings one proves to have the key (RFC 9449 DPoP, RFC 8705)."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Protocol

from wand_server.auth.asked import Asked, BadToken, Presented

_BY_KEY, _BY_CERTIFICATE = "jkt", "x5t#S256"
_KNOWN = frozenset({_BY_KEY, _BY_CERTIFICATE})


class Proofs(Protocol):
    """What reads the proofs of DPoP."""

    def check(self, token: str, thumbprint: str, asked: Asked) -> None:
        """Let a request pass that brings a proof for that token by the key of that thumbprint.

        Raises:
            BadToken: it does not.
        """
        ...


class Possession:
    """Whether whoever brings a token may be the one to whom it was given."""

    def __init__(self, proofs: Proofs | None, *, required: bool = False) -> None:
        """With `required`, a token that anybody could use who finds it lets nobody in."""
        self._proofs = proofs
        self._required = required

    def check(self, confirmation: Mapping[str, Any], presented: Presented, asked: Asked) -> None:
        """Let pass what is bound to nothing, or proven.

        Raises:
            BadToken: it is bound and not proven, proven and not bound, or bound in a way that is unknown.
        """
        if not confirmation and presented.scheme == "bearer" and not self._required:
            return
        is_text = all(isinstance(one, str) for one in confirmation.values())
        if not confirmation.keys() <= _KNOWN or not is_text:
            raise BadToken("the token is bound in a way that is unknown here (cnf)")
        self._check_key(str(confirmation.get(_BY_KEY, "")), presented, asked)
        if (wanted := confirmation.get(_BY_CERTIFICATE)) is not None:
            _check_certificate(wanted, asked)
        if self._required and not confirmation:
            raise BadToken("a token must be bound to a key here: ask for it with a DPoP proof")

    def _check_key(self, thumbprint: str, presented: Presented, asked: Asked) -> None:
        if not thumbprint and presented.scheme == "dpop":
            raise BadToken("the token is bound to no key, and DPoP proves nothing of it")
        if not thumbprint:
            return
        if presented.scheme != "dpop" or self._proofs is None:
            raise BadToken("the token is bound to a key: send Authorization: DPoP, with a proof")
        self._proofs.check(presented.token, thumbprint, asked)


def _check_certificate(wanted: str, asked: Asked) -> None:
    if asked.certificate is None:
        raise BadToken("the token is bound to a client certificate, and none came with it")
    digest = hashlib.sha256(asked.certificate).digest()
    if urlsafe_b64encode(digest).rstrip(b"=").decode() != wanted:
        raise BadToken("the token is bound to another client certificate")
