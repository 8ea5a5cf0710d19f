"""Secrets: named in the settings by where they are, and struck out of whatever leaves an integration."""

import base64
import json
import os
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretStr
from pydantic_core import to_json

from wand_proto.errors import Invalid, NotFound
from wand_server import jsontexts

_STRUCK = "[secret]"
_FORMS = (
    "env:NAME, file:/PATH, cred:NAME (a credential of systemd), or vault:MOUNT/PATH#FIELD (in the Vault "
    "that is configured)"
)
_ESCAPE = re.compile("%[0-9A-F]{2}")
_MOST_LATER = 256  # tokens that were fetched; those before them have ended
_SHORTEST = 6  # characters; less is no secret, and striking it out would garble what is said
_MOST_BYTES = 64 * 1024


_VAULT = "vault:"
_IN_VAULT = re.compile(r"vault:([^/#]+)/([^#]+)#([^#]+)")

Read = Callable[[str, str], Awaitable[str]]
"""The secret that a reference names, and the setting in which it stands."""


class InVault(NamedTuple):
    """Where in a Vault a secret is: in the store mounted there, at that path, that member."""

    mount: str
    path: str
    member: str


class Sources:
    """Where secrets are read from."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def read(self, reference: str, field: str) -> str:
        """The secret that a reference names, unless that is in a Vault.

        Raises:
            Invalid: it is no reference. What stands there is not repeated: it may be the secret itself.
            NotFound: there is nothing where it points.
        """
        kind, colon, name = reference.partition(":")
        if not colon or not name or kind not in {"env", "file", "cred"}:
            raise Invalid(f"must say where the secret is: {_FORMS}; not the secret itself", field=field)
        match kind:
            case "env":
                found = self._environment.get(name, "")
            case "file":
                found = _content(Path(name), field)
            case _:
                found = _content(self._credential(name, field), field)
        if not found:
            raise NotFound(f"there is nothing in {reference}", field=field)
        return found

    def _credential(self, name: str, field: str) -> Path:
        folder = self._environment.get("CREDENTIALS_DIRECTORY", "")
        if not folder or "/" in name:
            hint = "add LoadCredential=NAME:/PATH to the unit of wand-server"
            raise NotFound(f"systemd has given no credential {name}", hint=hint, field=field)
        return Path(folder, name)


def _content(path: Path, field: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MOST_BYTES).strip("\r\n")
    except (OSError, ValueError) as why:
        raise NotFound(f"{path} cannot be read ({type(why).__name__})", field=field) from why


async def resolved(
    model: type[BaseModel], table: Mapping[str, Any], read: Read, place: str
) -> dict[str, Any]:
    """The settings of an instance, each reference to a secret replaced by the secret.

    Raises:
        WandError: as `read` does; the field is named below `place`.
    """
    secrets = secret_names(model)
    return {
        name: await read(str(value), f"{place}.{name}") if name in secrets else value
        for name, value in table.items()
    }


def in_vault(reference: str, field: str) -> InVault | None:
    """What a reference into a Vault names; None where it is another.

    Raises:
        Invalid: it begins as one, and is none.
    """
    if not reference.startswith(_VAULT):
        return None
    match = _IN_VAULT.fullmatch(reference)
    if not match:
        raise Invalid("must be as vault:MOUNT/PATH#FIELD, such as vault:secret/apps/slack#token", field=field)
    return InVault(mount=match[1], path=match[2], member=match[3])


def secret_names(model: type[BaseModel]) -> frozenset[str]:
    """Which settings are secrets."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    )


class Strike:
    """Strikes secrets out of text, in every form in which they travel."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._first = tuple(secrets)
        self._later: OrderedDict[str, None] = OrderedDict()  # the one used last at the end
        self._words: tuple[str, ...] = ()
        self._as_json: tuple[bytes, ...] = ()
        self._lay_out()

    def add(self, secret: str) -> None:
        """One more, such as a token that was fetched; of those, the few hundred used last are struck out."""
        if secret in self._first:
            return
        is_new = secret not in self._later
        self._later[secret] = None
        self._later.move_to_end(secret)
        if len(self._later) > _MOST_LATER:
            self._later.popitem(last=False)
        if is_new:
            self._lay_out()

    def _lay_out(self) -> None:
        secrets = (one for one in (*self._first, *self._later) if len(one) >= _SHORTEST)
        words = {form for secret in secrets for form in _forms(secret)}
        self._words = tuple(sorted(words, key=len, reverse=True))
        self._as_json = tuple(to_json(word)[1:-1] for word in self._words)

    def out_of(self, text: str) -> str:
        """The text without them."""
        for word in self._words:
            text = text.replace(word, _STRUCK)
        return text

    def out_of_value(self, value: Any) -> Any:
        """The same of JSON, names of members too."""
        try:
            whole = to_json(value)  # a text in it is there letter by letter, so this misses none
        except (TypeError, ValueError, RecursionError):
            return jsontexts.changed(value, self.out_of)
        for word in self._as_json:
            if word in whole:
                return jsontexts.changed(value, self.out_of)
        return value


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    yield secret
    yield raw.hex()
    yield raw.hex().upper()
    for url in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield url
        yield _ESCAPE.sub(lambda one: one[0].lower(), url)
    yield json.dumps(secret)[1:-1]
    for shift in range(3):  # wherever it stands in a longer text that is encoded as a whole
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield _certain(encode(b"\0" * shift + raw).decode(), shift)


def _certain(encoded: str, shift: int) -> str:
    """Of base64 what depends on the secret alone, not on what stands before and after it."""
    begin = (0, 2, 3)[shift]
    whole = encoded.rstrip("=")
    return whole[begin : len(whole) - 1] if len(whole) - begin > _SHORTEST else whole
