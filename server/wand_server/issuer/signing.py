"""The keys that sign access tokens: made at the first start, replaced each month, known a while longer.

Each is a file of its own, readable by its owner alone, and is named by the second in which it was made. A new
one is published for an hour before it signs, and an old one for a day after it has signed last.
"""

import base64
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wand_proto.errors import Denied, Unavailable

ALGORITHM = "ES256"
KEY_SECONDS = 30 * 86400
AHEAD_SECONDS, BEHIND_SECONDS = 3600, 86400
_COORDINATE_BYTES = 32
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, since when there is one, and its thumbprint (RFC 7638), which is its id."""

    kid: str
    created: int
    private: ec.EllipticCurvePrivateKey


def is_due(created: Sequence[int], now: int) -> bool:
    """Whether another key has to be made, given when those that there are were, oldest first."""
    return not created or now >= created[-1] + KEY_SECONDS - AHEAD_SECONDS


def signer(created: Sequence[int], now: int) -> int:
    """Which of them signs: the newest that everybody has had time to learn of."""
    known = [index for index, when in enumerate(created) if when + AHEAD_SECONDS <= now]
    return known[-1] if known else 0


def over(created: Sequence[int], now: int) -> int:
    """How many of the oldest verify nothing any more."""
    signs = signer(created, now)
    return signs if signs and created[signs] + AHEAD_SECONDS + BEHIND_SECONDS <= now else max(signs - 1, 0)


class Signing:
    """The keys in a folder, which nobody else changes while the server runs."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Read them, and make the first.

        Raises:
            Denied: somebody else could have read or written one.
            Unavailable: the folder cannot be used.
        """
        self._folder = folder
        self._clock = clock
        try:
            for one in (folder.parent, folder):  # a parent made on the way would be open to all
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o022:
                raise Denied(f"{folder} can be written by others", hint=f"chmod go-w {folder}")
            self._keys = sorted(map(_read, folder.glob("*.pem")), key=lambda key: key.created)
            self._turn()
        except OSError as error:
            raise Unavailable(f"the keys in {folder} cannot be used: {error.strerror}") from error

    def current(self) -> SigningKey:
        """The key that signs now."""
        self._turn()
        return self._keys[signer(self._created(), int(self._clock()))]

    def public(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """The key of that id, to verify by; None where it is not, or no more, ours."""
        self._turn()
        return next((key.private.public_key() for key in self._keys if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        """All that verify, as a JSON Web Key Set (RFC 7517)."""
        self._turn()
        more = {"use": "sig", "alg": ALGORITHM}
        return {"keys": [{**_jwk(key.private), "kid": key.kid, **more} for key in self._keys]}

    def _created(self) -> list[int]:
        return [key.created for key in self._keys]

    def _turn(self) -> None:
        """Make the key that is due, and remove those that are over."""
        now = int(self._clock())
        if is_due(self._created(), now):
            self._keys.append(_make(self._folder, now))
        for _ in range(over(self._created(), now)):
            _path(self._folder, self._keys.pop(0).created).unlink(missing_ok=True)


def _path(folder: Path, created: int) -> Path:
    return folder / f"{created}.pem"


def _make(folder: Path, now: int) -> SigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = _path(folder, now)
    half = path.with_suffix(".new")
    half.unlink(missing_ok=True)
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:  # noqa: PTH123 - with a mode
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
    return SigningKey(kid=thumbprint(private), created=now, private=private)


def _read(path: Path) -> SigningKey:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - not through a link
        about = os.fstat(file.fileno())
        if about.st_uid not in {0, os.geteuid()} or stat.S_IMODE(about.st_mode) & 0o077:
            raise Denied(
                f"{path} can be read by others, or is theirs", hint=f"remove {path}: all sign in again"
            )
        text = file.read()
    try:
        private = serialization.load_pem_private_key(text, None)
        created = int(path.stem)
    except (ValueError, TypeError) as error:
        raise Denied(f"{path} is no signing key", hint=f"remove {path}: all sign in again") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise Denied(f"{path} is no key of P-256", hint=f"remove {path}: all sign in again")
    return SigningKey(kid=thumbprint(private), created=created, private=private)


def thumbprint(key: ec.EllipticCurvePrivateKey) -> str:
    """The id of a key (RFC 7638)."""
    text = json.dumps(_jwk(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode()).digest())


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (_base64url(number.to_bytes(_COORDINATE_BYTES, "big")) for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
