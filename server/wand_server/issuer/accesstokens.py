"""Access tokens: written for a grant (RFC 9068), and read again to find the grant."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from wand_server.issuer.model import Grant
from wand_server.issuer.signing import ALGORITHM, Signing

MOST_SECONDS = 900
_TYPE = "at+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokens:
    """Writes tokens that are good for so long."""

    issuer: str
    signing: Signing
    seconds: int
    clock: Callable[[], float] = time.time

    def write(self, grant: Grant, groups: tuple[str, ...]) -> str:
        """A token of that grant, signed."""
        key, now = self.signing.current(), int(self.clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": grant.user,
            "aud": grant.resource,
            "client_id": grant.client_id,
            "scope": " ".join(grant.scopes),
            "groups": list(groups),
            "jti": f"{grant.id}.{secrets.token_hex(8)}",
            "iat": now,
            "exp": now + self.seconds,
            **({"cnf": {"jkt": grant.key}} if grant.key else {}),
        }
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"typ": _TYPE, "kid": key.kid})

    def grant_of(self, untrusted: str) -> str | None:
        """The id of the grant of a token that is ours; None where it is not, or has expired."""
        try:
            key = self.signing.public(str(jwt.get_unverified_header(untrusted).get("kid")))
            if key is None:
                return None
            read = jwt.decode(untrusted, key, algorithms=[ALGORITHM], options={"verify_aud": False})
        except jwt.PyJWTError:
            return None
        return grant_in(str(read.get("jti", "")))


def grant_in(jti: str) -> str:
    """The id of the grant that a token's own id begins with."""
    return jti.partition(".")[0]
