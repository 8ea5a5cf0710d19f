"""Clients: found by their id, let in by a secret where they have one, and registered where that is on."""

import base64
import hmac
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

from wand_server.issuer import metadata
from wand_server.issuer.documents import Documents
from wand_server.issuer.model import Client, Refusal
from wand_server.issuer.store import Row, Store, digest, new_secret

MOST_REGISTERED = 1000
_ID, _SECRET = "wcl_", "wcs_"
_BASIC = {"WWW-Authenticate": 'Basic realm="wand"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a client says who it is: its id, and perhaps a secret."""

    id: str
    secret: str | None


class Clients:
    """All that there are."""

    def __init__(
        self,
        store: Store,
        documents: Documents | None = None,
        schemes: tuple[str, ...] = (),
        *,
        registration: bool = False,
    ) -> None:
        """Without `documents`, no client has one; without `registration`, none that registered is let in."""
        self._store = store
        self._registration = registration
        self._documents = documents
        self._schemes = schemes

    def has_to_fetch(self, client_id: str) -> bool:
        """Whether `find` would fetch a document."""
        if self._documents is None or not metadata.is_document_url(client_id):
            return False
        return not self._documents.has(client_id)

    async def find(self, client_id: str) -> Client:
        """The client of that id.

        Raises:
            Refusal: there is none.
        """
        if self._documents is not None and metadata.is_document_url(client_id):
            return await self._documents.client(client_id)
        if not self._registration:
            why = "clients that registered are not let in here: registration is off"
            raise Refusal("invalid_client", why, status=401)
        row = await self._store.row("SELECT * FROM client WHERE id = ?", client_id)
        if row is None:
            raise Refusal("invalid_client", "no client has that client_id here", status=401)
        return _client(row)

    async def check(self, shown: Shown) -> None:
        """Let a client pass by what it shows; a client with a document has no secret.

        Raises:
            Refusal: there is no such client, or it does not know its secret.
        """
        wanted = ""
        if self._documents is None or not metadata.is_document_url(shown.id):
            wanted = (await self.find(shown.id)).secret_sha256
        fits = shown.secret is not None and hmac.compare_digest(digest(shown.secret).hex(), wanted)
        if not (fits if wanted else not shown.secret):
            raise Refusal("invalid_client", "the client's secret does not fit", status=401, headers=_BASIC)

    async def register(self, untrusted: bytes) -> dict[str, Any]:
        """Take in a client that names itself; what it is told of that (RFC 7591, 3.2.1).

        Raises:
            Refusal: its metadata will not do, or there are too many.
        """
        client, method = metadata.from_registration(new_secret(_ID), untrusted, self._schemes)
        secret = new_secret(_SECRET) if method != "none" else ""
        if secret:
            client = replace(client, secret_sha256=digest(secret).hex())
        now = int(time.time())
        async with self._store.changing():
            await self._make_room()
            await self._store.run(
                "INSERT INTO client VALUES (?, ?, ?, ?, ?, ?)",
                *(client.id, client.name, " ".join(client.redirect_uris), client.secret_sha256),
                *(client.may_refresh, now),
            )
        return {**_told(client, method, now), **_told_secret(secret)}

    async def all(self) -> list[tuple[Client, int, int]]:
        """Every client that registered, since when, and how many grants hold that people gave it."""
        rows = await self._store.rows(
            "SELECT *, (SELECT count(*) FROM grant_ WHERE client_id = client.id AND revoked IS NULL"
            " AND expires > ?) AS grants FROM client ORDER BY created, id",
            int(time.time()),
        )
        return [(_client(row), row["created"], row["grants"]) for row in rows]

    async def remove(self, client_id: str) -> bool:
        """Forget a client that registered, and end what people gave it; whether there was one."""
        async with self._store.changing():
            if not await self._store.run("DELETE FROM client WHERE id = ?", client_id):
                return False
            end = "UPDATE grant_ SET revoked = ? WHERE client_id = ? AND revoked IS NULL"
            await self._store.run(end, int(time.time()), client_id)
        return True

    async def _make_room(self) -> None:
        """Forget the oldest that nobody ever gave anything to."""
        count = (await self._store.row("SELECT count(*) FROM client") or (0,))[0]
        if count < MOST_REGISTERED:
            return
        gone = await self._store.run(
            "DELETE FROM client WHERE id IN (SELECT id FROM client WHERE NOT EXISTS"
            " (SELECT 1 FROM grant_ WHERE client_id = client.id) ORDER BY created LIMIT ?)",
            count - MOST_REGISTERED + 1,
        )
        if not gone:
            raise Refusal("temporarily_unavailable", "too many clients are registered", status=503)


def shown(authorization: list[str], form: dict[str, str]) -> Shown:
    """Who a client says that it is, in the header (client_secret_basic) or in the form.

    Raises:
        Refusal: nowhere, in both, or in a way that cannot be read.
    """
    if not authorization:
        if not form.get("client_id"):
            raise Refusal("invalid_client", "client_id is missing", status=401)
        return Shown(id=form["client_id"], secret=form.get("client_secret"))
    scheme, _, told = authorization[0].partition(" ")
    if len(authorization) > 1 or scheme.lower() != "basic" or "client_secret" in form:
        raise Refusal("invalid_request", "the client must show its secret in one way: Basic, or the form")
    try:
        name, colon, secret = base64.b64decode(told.strip(), validate=True).decode().partition(":")
    except ValueError:  # no base64, or no UTF-8
        colon = name = secret = ""
    if not colon or form.get("client_id", unquote_plus(name)) != unquote_plus(name):
        raise Refusal("invalid_client", "the header Authorization cannot be read", status=401, headers=_BASIC)
    return Shown(id=unquote_plus(name), secret=unquote_plus(secret))


def _client(row: Row) -> Client:
    return Client(
        id=row["id"],
        name=row["name"],
        redirect_uris=tuple(row["redirect_uris"].split()),
        kind="registered",
        secret_sha256=row["secret_sha256"],
        may_refresh=bool(row["may_refresh"]),
    )


def _told(client: Client, method: str, now: int) -> dict[str, Any]:
    return {
        "client_id": client.id,
        "client_id_issued_at": now,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": ["authorization_code", *(["refresh_token"] if client.may_refresh else [])],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    }


def _told_secret(secret: str) -> dict[str, Any]:
    return {"client_secret": secret, "client_secret_expires_at": 0} if secret else {}
