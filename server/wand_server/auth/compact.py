"""A signed token in its compact form (RFC 7515, 7519): taken apart, and verified by one key."""

import json
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuedAtError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from wand_server.auth.asked import BadToken, TooLate
from wand_server.auth.tokens import PublicKey

BYTES_CEILING = 16 * 1024
LEEWAY_SECONDS = 30  # by which our clock and an issuer's may differ
_KID_CEILING = 256
_OWN_KEYS = ("jwk", "jku", "x5u")
_WORDS: dict[type[PyJWTError], str] = {
    ImmatureSignatureError: "the token does not count yet",
    InvalidIssuedAtError: "the token was issued in the future",
    InvalidAudienceError: "the token was issued for somebody else (aud)",
    InvalidIssuerError: "the token was issued by somebody else (iss)",
    InvalidSignatureError: "the token's signature is wrong",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say to be for us."""

    issuer: str
    audiences: Sequence[str]
    types: Collection[str]  # of `typ`, in lower case; an empty one stands for a token that says none


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A token's header and claims as they were read, before anything is known of whether they are true."""

    header: dict[str, Any]
    unverified: dict[str, Any]

    @property
    def kid(self) -> str:
        """The id of the key that is said to have signed it; empty where it says none."""
        return str(self.header.get("kid", ""))


def looks_signed(token: str) -> bool:
    """Whether that has the form of a signed token, which no API key and no opaque token has."""
    return token.count(".") == 2 and token.startswith("ey")


def apart(untrusted: str) -> Parts:
    """The token in its parts; its header may not bring its own key, nor ask for what we do not know.

    Raises:
        BadToken: it is too large, or no token.
    """
    if len(untrusted) > BYTES_CEILING:
        raise BadToken(f"the token has more than {BYTES_CEILING} characters")
    head, _, rest = untrusted.partition(".")
    header, claims = _object(head), _object(rest.partition(".")[0])
    if brought := [name for name in _OWN_KEYS if name in header]:
        raise BadToken(f"the token brings its own key ({brought[0]}), which counts for nothing here")
    if "crit" in header:
        raise BadToken("the token asks for an extension that is unknown here (crit)")
    kid = header.get("kid", "")
    if not isinstance(kid, str) or len(kid) > _KID_CEILING:
        raise BadToken(f"kid must be text of at most {_KID_CEILING} characters")
    return Parts(header=header, unverified=claims)


def verified(untrusted: str, parts: Parts, key: PublicKey, expected: Expected) -> dict[str, Any]:
    """The claims, once they are known to be true and for us.

    Raises:
        BadToken: the signature, the algorithm, the type, the issuer, the audience or the time is wrong.
    """
    if parts.header.get("alg") != key.algorithm:
        raise BadToken(f"the token is not signed by {key.algorithm}, which its key is for")
    kind = str(parts.header.get("typ", "")).lower().removeprefix("application/")
    if kind not in expected.types:
        raise BadToken(f"typ must be {' or '.join(filter(None, expected.types))}")
    required = ["iss", "aud", "sub", "exp"]
    try:
        return jwt.decode(
            untrusted, key.key, algorithms=[key.algorithm], audience=list(expected.audiences),
            issuer=expected.issuer, leeway=LEEWAY_SECONDS, options={"require": required},
        )  # fmt: skip
    except MissingRequiredClaimError as why:
        raise BadToken(f"the token says no {why.claim}") from why
    except ExpiredSignatureError as why:  # of a good signature, which is verified first
        raise TooLate("the token has expired") from why
    except PyJWTError as why:
        raise BadToken(_WORDS.get(type(why), "the token is malformed")) from why
    except (ValueError, TypeError, OverflowError) as why:
        raise BadToken("the token is malformed") from why


def _object(untrusted: str) -> dict[str, Any]:
    try:
        text = urlsafe_b64decode(untrusted.encode("ascii") + b"=" * (-len(untrusted) % 4))
        read = json.loads(text, object_pairs_hook=_once)
    except (NotBase64, ValueError, RecursionError) as why:
        raise BadToken("the token is malformed") from why
    if not isinstance(read, dict):
        raise BadToken("the token is malformed")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice")
    return read
