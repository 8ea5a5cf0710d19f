"""What people have permitted, kept in a file: each entry encrypted, bound to its instance and its person."""

import base64
import hashlib
import json
import logging
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wand_proto.errors import Broken, Invalid
from wand_server import privatefiles
from wand_server.integrations.kit.consent import Account, Person

log = logging.getLogger(__name__)

_SHORTEST_KEY = 32  # characters
_NONCE_BYTES = 12
_MOST_BYTES = 64 * 1024 * 1024


class AccountsFile:
    """Keeps them over a restart; offers `consent.Accounts`.

    Several processes may have the same one: what another has written is read again.
    """

    def __init__(self, path: Path, key: str) -> None:
        """`key` is a secret of at least 32 characters; with another, what was kept cannot be read.

        Raises:
            Invalid: the key is too short.
            Broken: the file cannot be read.
        """
        if len(key) < _SHORTEST_KEY:
            hint = "make one: openssl rand -hex 32"
            raise Invalid("must have at least 32 characters", hint=hint, field="integrations.accounts_key")
        self._path = path
        self._cipher = AESGCM(hashlib.sha256(b"wand accounts\0" + key.encode()).digest())
        self._sealed: dict[str, str] = {}
        self._seen: tuple[int, ...] | None = None
        self._refresh()

    def get(self, instance: str, person: Person) -> Account | None:
        """What was kept for them."""
        self._refresh()
        sealed = self._sealed.get(_name(instance, person))
        return self._opened(sealed, instance, person) if sealed else None

    def put(self, instance: str, person: Person, account: Account) -> None:
        """Keep it, in place of what was."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = json.dumps(dict(account)).encode()
        sealed = nonce + self._cipher.encrypt(nonce, data, _bound(instance, person))
        with privatefiles.locked(self._path):
            self._refresh()
            self._sealed[_name(instance, person)] = base64.b64encode(sealed).decode()
            self._write()

    def remove(self, instance: str, person: Person) -> bool:
        """Forget it; whether there was any."""
        with privatefiles.locked(self._path):
            self._refresh()
            was = self._sealed.pop(_name(instance, person), None) is not None
            if was:
                self._write()
        return was

    def _refresh(self) -> None:
        """Read the file again where another has written it."""
        if (seen := _fingerprint(self._path)) != self._seen:
            self._sealed, self._seen = _read(self._path), seen

    def _opened(self, sealed: str, instance: str, person: Person) -> Account | None:
        try:
            raw = base64.b64decode(sealed)
            data = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(instance, person))
            account: Account = json.loads(data)
        except (ValueError, InvalidTag):
            log.warning("an account that was kept cannot be read", extra={"instance": instance})
            return None
        return account

    def _write(self) -> None:
        """Whole or not at all, for us alone to read."""
        beside = self._path.with_name(f"{self._path.name}.new")
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(self._sealed, file)
            file.flush()
            os.fsync(handle)
        beside.replace(self._path)
        self._seen = _fingerprint(self._path)


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        about = path.stat()
    except OSError:
        return ()
    return (about.st_ino, about.st_size, about.st_mtime_ns)


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as why:
        raise Broken(f"{path} cannot be read: {why}", field="integrations.accounts_file") from why
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise Broken(f"{path} holds no accounts", field="integrations.accounts_file")
    return found


def _bound(instance: str, person: Person) -> bytes:
    return json.dumps([instance, *person]).encode()


def _name(instance: str, person: Person) -> str:
    return hashlib.sha256(_bound(instance, person)).hexdigest()
