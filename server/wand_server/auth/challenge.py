"""What a refused client is told about how to sign in: `WWW-Authenticate` (RFC 9110, 6750, 9449, 9728)."""

from dataclasses import dataclass

from wand_proto.errors import Unauthenticated
from wand_server import scopes
from wand_server.auth.asked import BadToken
from wand_server.auth.dpop import NeedsNonce
from wand_server.scopes import InsufficientScope

_QUOTED = str.maketrans({'"': "'", "\\": "/"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """How to sign in here. Without an issuer there is nothing to say but that a Bearer token is wanted."""

    resource_metadata: str = ""  # where it stands who issues tokens for us (RFC 9728, 5.1)
    scopes: tuple[str, ...] = (scopes.READ, scopes.WRITE, scopes.EXECUTE)  # that a client may well ask for
    dpop_algorithms: tuple[str, ...] = ()

    def unauthenticated(self, why: Unauthenticated) -> str:
        """With 401: a token is missing, or no good."""
        reason = why.reason if isinstance(why, BadToken) else ""
        if isinstance(why, NeedsNonce):
            return self._said("DPoP", {"error": reason, "error_description": why.message, **self._algorithms})
        told = {"error": reason, "error_description": why.message if reason else ""}
        if self.resource_metadata:
            told["scope"] = " ".join(self.scopes)
        return self._said("Bearer", told) + self._also_dpop(reason)

    def insufficient(self, why: InsufficientScope, granted: frozenset[str]) -> str:
        """With 403: what to ask for is what was granted and what is needed, for a new token replaces it."""
        wanted = " ".join(sorted(granted | {why.needed}))
        return self._said("Bearer", {"error": "insufficient_scope", "scope": wanted})

    def _also_dpop(self, reason: str) -> str:
        if not self.dpop_algorithms:
            return ""
        return ", " + self._said("DPoP", {"error": reason, **self._algorithms})

    @property
    def _algorithms(self) -> dict[str, str]:
        return {"algs": " ".join(self.dpop_algorithms)}

    def _said(self, scheme: str, told: dict[str, str]) -> str:
        whole = {"realm": "wand", **told, "resource_metadata": self.resource_metadata}
        return f"{scheme} " + ", ".join(
            f'{name}="{value.translate(_QUOTED)}"' for name, value in whole.items() if value
        )
