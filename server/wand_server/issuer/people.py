"""Who may sign in with a password, and in which browsers they are signed in."""

import re
import time
from collections.abc import Iterable

from wand_proto.errors import Conflict, Invalid, NotFound
from wand_server.issuer.model import User
from wand_server.issuer.passwords import Passwords
from wand_server.issuer.store import Store, digest, new_secret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
MOST_GROUPS = 32
MOST_BROWSERS = 20  # of one user at a time


class People:
    """The users in the store."""

    def __init__(self, store: Store, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    async def add(self, name: str, password: str, groups: Iterable[str] = ()) -> None:
        """Let somebody sign in.

        Raises:
            Invalid: the name, a group or the password cannot be one.
            Conflict: there is a user of that name.
        """
        wanted = tuple(groups)
        check_name(name, "name")
        for group in wanted:
            check_name(group, "group")
        if len(wanted) > MOST_GROUPS:
            raise Invalid(f"must be at most {MOST_GROUPS}", field="group")
        hashed = await self._passwords.hash(password)
        async with self._store.changing():
            if await self._store.row("SELECT 1 FROM user WHERE name = ?", name):
                raise Conflict(f"{name!r} is there already", hint=f"wand-server people passwd {name}")
            await self._store.run(
                "INSERT INTO user VALUES (?, ?, ?, ?)", name, hashed, ",".join(wanted), int(time.time())
            )

    async def change_password(self, name: str, password: str) -> None:
        """Give somebody another password, and end all that was signed in by the old one.

        Raises:
            NotFound: there is nobody of that name.
            Invalid: it cannot be a password.
        """
        hashed = await self._passwords.hash(password)
        async with self._store.changing():
            if not await self._store.run("UPDATE user SET password = ? WHERE name = ?", hashed, name):
                raise _nobody(name)
            await self._end(name)

    async def remove(self, name: str) -> None:
        """Let somebody sign in no more, and end all that they had given.

        Raises:
            NotFound: there is nobody of that name.
        """
        async with self._store.changing():
            if not await self._store.run("DELETE FROM user WHERE name = ?", name):
                raise _nobody(name)
            await self._end(name)

    async def _end(self, name: str) -> None:
        now = int(time.time())
        await self._store.run("DELETE FROM browser WHERE user = ?", name)
        await self._store.run("UPDATE grant_ SET revoked = ? WHERE user = ? AND revoked IS NULL", now, name)

    async def all(self) -> list[tuple[User, int, int]]:
        """Every user, since when, and how many grants of theirs there are."""
        rows = await self._store.rows(
            "SELECT name, groups, created, (SELECT count(*) FROM grant_ WHERE user = name AND revoked IS NULL"
            " AND expires > ?) AS grants FROM user ORDER BY name",
            int(time.time()),
        )
        return [(_user(row["name"], row["groups"]), row["created"], row["grants"]) for row in rows]

    async def find(self, name: str) -> User | None:
        """The user of that name."""
        row = await self._store.row("SELECT name, groups FROM user WHERE name = ?", name)
        return _user(row["name"], row["groups"]) if row else None

    async def sign_in(self, name: str, password: str) -> User | None:
        """The user whose password that is; it takes as long where there is none."""
        row = await self._store.row("SELECT name, password, groups FROM user WHERE name = ?", name)
        if not await self._passwords.fits(row["password"] if row else None, password) or row is None:
            return None
        if self._passwords.is_old(row["password"]):
            better = await self._passwords.hash(password)
            async with self._store.changing():
                await self._store.run(
                    "UPDATE user SET password = ? WHERE name = ? AND password = ?",
                    *(better, name, row["password"]),
                )
        return _user(row["name"], row["groups"])

    async def open_browser(self, user: User, seconds: int) -> str:
        """The secret of a browser in which somebody is signed in, from now for so long."""
        secret, now = new_secret(), int(time.time())
        async with self._store.changing():
            await self._store.run(
                "DELETE FROM browser WHERE hash IN (SELECT hash FROM browser WHERE user = ?"
                " ORDER BY expires DESC LIMIT -1 OFFSET ?)",
                *(user.name, MOST_BROWSERS - 1),
            )
            await self._store.run(
                "INSERT INTO browser VALUES (?, ?, ?)", digest(secret), user.name, now + seconds
            )
        return secret

    async def in_browser(self, untrusted: str) -> User | None:
        """Who is signed in there."""
        row = await self._store.row(
            "SELECT name, groups FROM user JOIN browser ON user = name WHERE hash = ? AND expires > ?",
            *(digest(untrusted), int(time.time())),
        )
        return _user(row["name"], row["groups"]) if row else None

    async def close_browser(self, untrusted: str) -> None:
        """Sign out there."""
        async with self._store.changing():
            await self._store.run("DELETE FROM browser WHERE hash = ?", digest(untrusted))


def check_name(untrusted: str, field: str) -> None:
    """Let a name of a user or a group pass.

    Raises:
        Invalid: it cannot be one.
    """
    if not _NAME.fullmatch(untrusted):
        raise Invalid("must be 1 to 64 letters, digits or . _ @ -", field=field)


def is_name(untrusted: str) -> bool:
    """Whether that can be a name."""
    return _NAME.fullmatch(untrusted) is not None


def _user(name: str, groups: str) -> User:
    return User(name=name, groups=tuple(filter(None, groups.split(","))))


def _nobody(name: str) -> NotFound:
    return NotFound(f"there is nobody named {name!r}", hint="wand-server people list")
