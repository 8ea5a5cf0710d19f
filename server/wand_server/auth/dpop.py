"""Proofs of possession (RFC 9449): each request brings one, by the client's own key, that counts once."""

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt.exceptions import PyJWTError
from jwt.types import Options

from wand_proto.errors import Invalid
from wand_server.auth import compact, jwk
from wand_server.auth.asked import Asked, BadToken

HEADER, NONCE_HEADER = "DPoP", "DPoP-Nonce"
ALGORITHMS = ("ES256", "ES384", "EdDSA", "PS256", "RS256")
AGE_SECONDS = 60  # of a proof; clocks may differ by as much as with tokens
MOST_SEEN = 100_000
NONCE_SECONDS = 300  # that a nonce counts; then a client is told another
_STAMP_BYTES, _SEAL_BYTES = 8, 16
_ID_CEILING = 256
_TIMES_ARE_OURS: Options = {
    "verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
}  # fmt: skip


class BadProof(BadToken):
    """The proof is missing, or proves nothing of this request."""

    reason = "invalid_dpop_proof"


class NeedsNonce(BadToken):
    """The proof must have a nonce of ours that is fresh: the client is to make another, with `nonce`."""

    reason = "use_dpop_nonce"

    def __init__(self, message: str, nonce: str) -> None:
        super().__init__(message)
        self.nonce = nonce


class Nonces:
    """What a proof must say to be fresh by our clock (RFC 9449, 8 and 9).

    Each tells when it was given out and is sealed, so that none need be kept.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)  # of this server, until it stops

    def fresh(self) -> str:
        """One that counts from now on for NONCE_SECONDS."""
        return self._sealed(int(self._clock()).to_bytes(_STAMP_BYTES, "big"))

    def check(self, untrusted: Any) -> None:
        """Let pass what was given out here, not long ago.

        Raises:
            NeedsNonce: it was not.
        """
        if untrusted is None:
            raise NeedsNonce("the proof must have a nonce (nonce)", self.fresh())
        if not self._is_ours(untrusted):
            raise NeedsNonce("the proof has a nonce that is not ours, or too old (nonce)", self.fresh())

    def _is_ours(self, untrusted: Any) -> bool:
        try:
            stamp = urlsafe_b64decode(f"{untrusted}===")[:_STAMP_BYTES]
        except ValueError:
            return False
        if not hmac.compare_digest(str(untrusted).encode(), self._sealed(stamp).encode()):
            return False
        return 0 <= self._clock() - int.from_bytes(stamp, "big") <= NONCE_SECONDS

    def _sealed(self, stamp: bytes) -> str:
        seal = hmac.digest(self._key, stamp, "sha256")[:_SEAL_BYTES]
        return urlsafe_b64encode(stamp + seal).rstrip(b"=").decode()


class Seen:
    """The proofs of the last minutes, none of which counts twice; where there are too many, none counts."""

    def __init__(self, clock: Callable[[], float] = time.time, *, forgets: bool = False) -> None:
        """One that `forgets` lets go of the oldest instead, where there are too many."""
        self._clock = clock
        self._forgets = forgets
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, thumbprint: str, proof_id: str) -> None:
        """Let a proof count, once.

        Raises:
            BadProof: it was seen before, or there is no room to remember it.
        """
        now = self._clock()
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        if (thumbprint, proof_id) in self._until:
            raise BadProof("the proof was used before (jti)")
        if len(self._until) >= MOST_SEEN:
            if not self._forgets:
                raise BadProof("there are too many proofs at once")
            self._until.popitem(last=False)
        self._until[thumbprint, proof_id] = now + AGE_SECONDS + 2 * compact.LEEWAY_SECONDS


class Proofs:
    """Checks the proofs that come with requests; `origin` is what clients know us by, past any proxy."""

    def __init__(
        self, origin: str = "", clock: Callable[[], float] = time.time, nonces: Nonces | None = None
    ) -> None:
        """With `nonces`, a proof must have one of them."""
        self._origin = origin
        self._clock = clock
        self._nonces = nonces
        self._seen = Seen(clock)
        # without a token anybody may bring as many as they like, and what they are brought with counts once
        self._seen_of_strangers = Seen(clock, forgets=True)

    def key_of(self, asked: Asked) -> str:
        """The thumbprint of the key that a request proves to have that brings no token yet (RFC 9449, 5).

        Raises:
            BadProof: it proves nothing.
        """
        claims, signed_by = self._brought(asked)
        self._check_claims(claims, asked)
        self._seen_of_strangers.note(signed_by, claims["jti"])
        return signed_by

    def check(self, token: str, thumbprint: str, asked: Asked) -> None:
        """Let a request pass that brings a proof for that token by the key of that thumbprint.

        Raises:
            BadProof: it does not.
        """
        claims, signed_by = self._brought(asked)
        if signed_by != thumbprint:
            raise BadProof("the proof is by another key than the token's")
        if claims.get("ath") != _digest(token):
            raise BadProof("the proof is for another token (ath)")
        self._check_claims(claims, asked)
        self._seen.note(thumbprint, claims["jti"])

    def _brought(self, asked: Asked) -> tuple[dict[str, Any], str]:
        brought = asked.headers.getall(HEADER, [])
        if len(brought) != 1:
            raise BadProof("must come once with each request", field=HEADER)
        return _read(brought[0])

    def _check_claims(self, claims: dict[str, Any], asked: Asked) -> None:
        ours = f"{self._origin}{urlsplit(asked.url).path}" if self._origin else asked.url
        if claims.get("htm") != asked.method:
            raise BadProof(f"the proof is for another method than {asked.method} (htm)")
        if not isinstance(claims.get("htu"), str) or _plain(claims["htu"]) != _plain(ours):
            raise BadProof(f"the proof is for another URL than {ours} (htu)")
        if not _is_now(claims.get("iat"), self._clock()):
            raise BadProof(f"the proof must not be older than {AGE_SECONDS} seconds (iat)")
        if not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= _ID_CEILING:
            raise BadProof(f"the proof must have an id of at most {_ID_CEILING} characters (jti)")
        if self._nonces is not None:
            self._nonces.check(claims.get("nonce"))


def _read(untrusted: str) -> tuple[dict[str, Any], str]:
    """What a proof claims, and the thumbprint of the key that has signed it.

    Raises:
        BadProof: it is none.
    """
    try:
        header = jwt.get_unverified_header(untrusted) if len(untrusted) <= compact.BYTES_CEILING else {}
        if header.get("typ") != "dpop+jwt" or "crit" in header or not isinstance(header.get("jwk"), dict):
            raise BadProof("must be a token of the type dpop+jwt with its public key", field=HEADER)
        own = {**header["jwk"], "alg": header.get("alg")}
        key = jwk.key_in(own, ALGORITHMS)
        claims = jwt.decode(untrusted, key.key, algorithms=[key.algorithm], options=_TIMES_ARE_OURS)
    except (PyJWTError, Invalid, ValueError, TypeError, RecursionError) as why:
        raise BadProof("the proof is malformed, or its signature is wrong") from why
    return claims, jwk.thumbprint(own)


def _is_now(issued: Any, now: float) -> bool:
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return False
    return -compact.LEEWAY_SECONDS <= now - issued <= AGE_SECONDS + compact.LEEWAY_SECONDS


def _plain(url: str) -> tuple[str, str, str]:
    """A URL as far as it counts: no query, no fragment, no case of its host, its port in any case."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", ""
    return parts.scheme, f"{parts.hostname}:{port}", parts.path


def _digest(token: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
