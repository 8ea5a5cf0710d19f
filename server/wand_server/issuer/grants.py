"""Grants and what hangs on them: codes that are good once, refresh tokens that are replaced at each use.

Whoever shows a code or a refresh token a second time has stolen it, or somebody else had; nobody can tell, so
the grant ends with all its tokens. But two processes of one client may refresh at the same moment, and an
answer may be lost: for LEEWAY_SECONDS after its use the newest used refresh token gets another successor.
Successors of one token are one generation: as one of them is used, all are, at one time, and no two
generations at the same.
"""

import base64
import hashlib
import hmac
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from wand_proto.errors import Unavailable
from wand_server.issuer.model import Asked, Grant, Refusal, User
from wand_server.issuer.store import Row, Store, digest, new_secret

log = logging.getLogger(__name__)

CODE_SECONDS = 60
LEEWAY_SECONDS = 30  # in which a refresh token may be shown again
DAY = 86400  # in seconds
LOOK_AGAIN_SECONDS = 2.0
REMEMBERED_SECONDS = 3600  # a revoked grant; no access token lives that long
MOST_GRANTS = 200  # of one user; the oldest go
MOST_REFRESH_TOKENS = (
    20_000  # of one grant that are known; none is forgotten before its time, or a theft would be
)
_CODE, _REFRESH = "wac_", "wrt_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """How long a refresh token may lie unused, and how long a grant lasts at the most."""

    refresh_seconds: int
    grant_seconds: int


_NO_LIVES = Lives(refresh_seconds=0, grant_seconds=0)  # for who only looks and revokes


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a client shows to redeem a code."""

    code: str
    client_id: str
    redirect_uri: str | None
    verifier: str
    key: str = ""  # that it has proven to have


class Grants:
    """The grants in the store."""

    def __init__(
        self, store: Store, lives: Lives = _NO_LIVES, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._lives = lives
        self._clock = clock
        self._revoked: set[str] = set()
        self._looked = float("-inf")

    async def give(self, user: User, asked: Asked, scopes: tuple[str, ...]) -> str:
        """Keep what a person gave; the code by which the client fetches it, once and soon."""
        grant, code, now = secrets.token_hex(12), new_secret(_CODE), self._now()
        async with self._store.changing():
            await self._store.run(
                "UPDATE grant_ SET revoked = ? WHERE id IN (SELECT id FROM grant_ WHERE user = ?"
                " AND revoked IS NULL ORDER BY created DESC LIMIT -1 OFFSET ?)",
                *(now, user.name, MOST_GRANTS - 1),
            )
            await self._store.run(
                "INSERT INTO grant_ VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
                *(
                    grant,
                    user.name,
                    " ".join(user.groups),
                    asked.client.id,
                    asked.client.name,
                    " ".join(scopes),
                    asked.resource,
                ),
                *(asked.client.may_refresh, now, now + self._lives.grant_seconds, asked.key),
            )
            await self._store.run(
                "INSERT INTO code VALUES (?, ?, ?, ?, ?, NULL)",
                *(digest(code), grant, asked.redirect_uri, asked.challenge, now + CODE_SECONDS),
            )
        return code

    async def redeem(self, presented: Presented) -> tuple[Grant, str | None]:
        """The grant behind a code, and its first refresh token.

        Raises:
            Refusal: the code is not good; whoever tried it, it is good for nobody from now on.
        """
        async with self._store.changing():
            row = await self._take_code(presented.code)
            why = _why_not(row, presented, self._now()) if row else "the code is not known"
            if row and why:
                await self._revoke(row["grant_id"])
            token = None if why or row is None else await self._add_refresh(row)
            if row is not None and token and presented.key:
                bound = (presented.key, row["grant_id"])
                await self._store.run("UPDATE grant_ SET key = ? WHERE id = ?", *bound)
        if row is None or why:
            raise _invalid_grant(why)
        return replace(_grant(row), key=presented.key), token

    async def refresh(
        self, untrusted: str, client_id: str, scopes: Collection[str] = (), key: str = ""
    ) -> tuple[Grant, str]:
        """The grant behind a refresh token, with those of its scopes or with all, and the token's successor.

        Raises:
            Refusal: the token is not good or bound to another key, or one of the scopes was never given.
        """
        async with self._store.changing():
            await self._check_bounds(untrusted, scopes, key)
            row = await self._find("refresh", untrusted)
            latest, known = await self._uses(row["grant_id"]) if row else (0, 0)
            why = _why_stale(row, client_id, self._now(), latest) if row else "the refresh token is not known"
            if known >= MOST_REFRESH_TOKENS:
                why = why or "it was refreshed too often; the person has to sign in again"
            if row and why:
                await self._revoke(row["grant_id"])
            token = None if why or row is None else await self._succeed(row, latest)
        if row is None or token is None:
            raise _invalid_grant(why)
        grant = _grant(row)
        given = tuple(one for one in grant.scopes if one in scopes or not scopes)
        return replace(grant, scopes=given, key=key), token

    async def _check_bounds(self, untrusted: str, scopes: Collection[str], key: str) -> None:
        """Refuse before anything is used up."""
        row = await self._store.row(
            "SELECT scopes, key FROM refresh JOIN grant_ ON grant_id = id WHERE hash = ?", digest(untrusted)
        )
        if row is not None and not set(scopes) <= set(row["scopes"].split()):
            raise Refusal("invalid_scope", "scope names more than the person gave")
        if row is not None and row["key"] not in {"", key}:
            raise _invalid_grant(
                "the refresh token is bound to a key, and the proof (DPoP) is not by that one"
            )

    async def revoke_token(self, untrusted: str, client_id: str) -> None:
        """End the grant of a refresh token of that client; another client's is left alone."""
        async with self._store.changing():
            row = await self._store.row(
                "SELECT grant_id FROM refresh JOIN grant_ ON grant_id = id WHERE hash = ? AND client_id = ?",
                *(digest(untrusted), client_id),
            )
            if row:
                await self._revoke(row["grant_id"])

    async def revoke(self, grant_id: str, client_id: str | None = None) -> bool:
        """End a grant, if it is that client's; whether there was one."""
        async with self._store.changing():
            row = await self._store.row(
                "SELECT client_id FROM grant_ WHERE id = ? AND revoked IS NULL", grant_id
            )
            if row is None or (client_id is not None and row["client_id"] != client_id):
                return False
            await self._revoke(grant_id)
        return True

    async def all(self) -> list[Grant]:
        """Every grant that holds, by user."""
        rows = await self._store.rows(
            "SELECT *, id AS grant_id FROM grant_ WHERE revoked IS NULL AND expires > ?"
            " ORDER BY user, created",
            self._now(),
        )
        return [_grant(row) for row in rows]

    async def is_revoked(self, grant_id: str) -> bool:
        """Whether a grant was revoked of late, here or by a command; a command's is seen within seconds.

        Raises:
            Unavailable: the store does not say.
        """
        now = self._clock()
        if not 0 <= now - self._looked < LOOK_AGAIN_SECONDS:
            self._looked = now
            try:
                await self._look()
            except BaseException:  # a hang-up too: what was seen before must not count for longer
                self._looked = float("-inf")
                raise
        return grant_id in self._revoked

    async def _look(self) -> None:
        since = self._now() - REMEMBERED_SECONDS
        try:
            rows = await self._store.rows("SELECT id FROM grant_ WHERE revoked > ?", since)
        except sqlite3.Error as why:
            raise Unavailable(f"nobody can say what was taken back: the store fails ({why})") from why
        self._revoked = {row["id"] for row in rows}

    async def forget(self) -> None:
        """Remove what has been over for so long that nobody asks for it."""
        before = self._now() - REMEMBERED_SECONDS
        async with self._store.changing():
            await self._store.run("DELETE FROM grant_ WHERE expires < ? OR revoked < ?", before, before)
            await self._store.run("DELETE FROM refresh WHERE expires < ?", before)
            await self._store.run("DELETE FROM code WHERE expires < ?", before)
            await self._store.run("DELETE FROM browser WHERE expires < ?", self._now())
            await self._store.run(
                "DELETE FROM grant_ WHERE created < ?"
                " AND NOT EXISTS (SELECT 1 FROM refresh WHERE grant_id = id)"
                " AND NOT EXISTS (SELECT 1 FROM code WHERE grant_id = id)",
                before,
            )

    async def _find(self, table: str, untrusted: str) -> Row | None:
        # of two columns of one name the first counts: `expires` is the grant's
        return await self._store.row(
            f"SELECT g.*, t.*, t.expires AS token_expires FROM {table} t JOIN grant_ g ON t.grant_id = g.id"  # noqa: S608 - a name of ours
            " WHERE hash = ?",
            digest(untrusted),
        )

    async def _take_code(self, untrusted: str) -> Row | None:
        """The code's row as it was, which is used from now on."""
        row = await self._find("code", untrusted)
        if row is not None and row["used"] is None:
            await self._store.run("UPDATE code SET used = ? WHERE hash = ?", self._now(), digest(untrusted))
        return row

    async def _uses(self, grant_id: str) -> tuple[int, int]:
        """When the newest generation that is used was, 0 where none is; and how many tokens are known."""
        row = await self._store.row(
            "SELECT max(used) AS used, count(*) AS known FROM refresh WHERE grant_id = ?", grant_id
        )
        return ((row["used"] or 0), row["known"]) if row else (0, 0)

    async def _succeed(self, row: Row, latest: int) -> str | None:
        """One more token of the next generation; that of `row` is used from now on."""
        if row["used"] is None:
            await self._store.run(
                "UPDATE refresh SET used = ? WHERE grant_id = ? AND used IS NULL",
                *(max(self._now(), latest + 1), row["grant_id"]),
            )
        else:
            log.info("refresh token shown again within the leeway", extra={"grant": row["grant_id"]})
        return await self._add_refresh(row)

    async def _add_refresh(self, row: Row) -> str | None:
        if not row["may_refresh"]:
            return None
        token = new_secret(_REFRESH)
        expires = min(self._now() + self._lives.refresh_seconds, row["expires"])
        await self._store.run(
            "INSERT INTO refresh VALUES (?, ?, ?, NULL)", digest(token), row["grant_id"], expires
        )
        return token

    async def _revoke(self, grant_id: str) -> None:
        now = self._now()
        await self._store.run("UPDATE grant_ SET revoked = ? WHERE id = ? AND revoked IS NULL", now, grant_id)
        self._revoked.add(grant_id)
        log.info("grant ended", extra={"grant": grant_id})

    def _now(self) -> int:
        return int(self._clock())


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    hashed = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def _why_not(row: Row, presented: Presented, now: int) -> str:
    """Why a code is not good; nothing where it is."""
    if row["used"] is not None or row["revoked"] is not None:
        return "the code was used before"
    if row["client_id"] != presented.client_id:
        return "the code is another client's"
    if row["token_expires"] <= now:
        return "the code has expired"
    if presented.redirect_uri is not None and row["redirect_uri"] != presented.redirect_uri:
        return "redirect_uri is not the one of the authorization request"
    return _why_unproven(row, presented)


def _why_unproven(row: Row, presented: Presented) -> str:
    """Why it is not the one that asked; nothing where it is."""
    if not hmac.compare_digest(challenge(presented.verifier), row["challenge"]):
        return "code_verifier does not fit"
    if row["key"] not in {"", presented.key}:
        return "the code is bound to a key (dpop_jkt), and the proof (DPoP) is not by that one"
    return ""


def _why_stale(row: Row, client_id: str, now: int, latest: int) -> str:
    """Why a refresh token is not good; nothing where it is."""
    used = row["used"]
    if used is not None and (used != latest or abs(now - used) > LEEWAY_SECONDS):
        return "the refresh token was used before; the person has to sign in again"
    if row["revoked"] is not None:
        return "what the person gave was taken back"
    if row["client_id"] != client_id:
        return "the refresh token is another client's"
    if min(row["token_expires"], row["expires"]) <= now:
        return "the refresh token has expired"
    return ""


def _invalid_grant(why: str) -> Refusal:
    return Refusal("invalid_grant", why)


def _grant(row: Row) -> Grant:
    return Grant(
        id=row["grant_id"],
        user=row["user"],
        groups=tuple(row["groups"].split()),
        client_id=row["client_id"],
        client_name=row["client_name"],
        scopes=tuple(row["scopes"].split()),
        resource=row["resource"],
        created=row["created"],
        expires=row["expires"],
        may_refresh=bool(row["may_refresh"]),
    )
