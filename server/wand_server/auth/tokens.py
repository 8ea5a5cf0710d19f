"""The seam between an issuer of access tokens and what verifies them: its public keys, by their id."""

from dataclasses import dataclass
from typing import Literal, Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]
"""What may sign a token (RFC 7518, RFC 8037): nothing symmetric, and never "none"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that verifies, by the one algorithm that it is for: what a token says of that is not asked."""

    key: EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
    algorithm: Algorithm


class TokenKeys(Protocol):
    """The keys of one issuer, the built-in one or another's."""

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens, to the byte."""
        ...

    async def key(self, kid: str) -> PublicKey | None:
        """The key of that id, an empty one for the issuer's only key; None where it has none of it.

        Raises:
            Unavailable: the keys cannot be had now, so that nobody can say.
        """
        ...
