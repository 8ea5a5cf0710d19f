"""The commands about the built-in authorization server: who may sign in, and what they have given to whom."""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from wand_proto.errors import Invalid, NotFound, WandError
from wand_server import onrecord, settings
from wand_server.issuer import service
from wand_server.issuer.clients import Clients
from wand_server.issuer.grants import Grants
from wand_server.issuer.passwords import MOST_CHARACTERS, Passwords
from wand_server.issuer.people import People
from wand_server.issuer.store import Store


def people(words: Sequence[str]) -> int:
    """Run `wand-server people`."""
    parser, command = _parser("people")
    add = command("add", help="let somebody sign in; the password is asked for, or read from stdin")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--group", action="append", default=[], help="that policy may speak of; more than once")
    command("list", help="who may sign in, since when, their grants and groups")
    remove = command("remove", help="let somebody in no more, and end what they gave")
    remove.add_argument("name", metavar="NAME")
    passwd = command("passwd", help="another password; what was given by the old one ends")
    passwd.add_argument("name", metavar="NAME")
    asked = parser.parse_args(words)
    with _about(asked.settings):
        asyncio.run(_people(asked))
    return 0


def grants(words: Sequence[str]) -> int:
    """Run `wand-server grants`."""
    parser, command = _parser("grants")
    command("list", help="who let which program in, when, and for what")
    command("revoke", help="let that program in no more").add_argument("id", metavar="ID")
    asked = parser.parse_args(words)
    with _about(asked.settings):
        asyncio.run(_grants(asked))
    return 0


def clients(words: Sequence[str]) -> int:
    """Run `wand-server clients`."""
    parser, command = _parser("clients")
    command("list", help="which programs registered themselves, since when, and their grants")
    command("remove", help="forget one, and end what people gave it").add_argument("id", metavar="ID")
    asked = parser.parse_args(words)
    with _about(asked.settings):
        asyncio.run(_clients(asked))
    return 0


async def summary(read: settings.Issuer, path: Path = settings.DEFAULT_PATH) -> str:
    """Who may sign in at an issuer with those settings, which came from `path`.

    Raises:
        WandError: its database cannot be used.
    """
    if read.user_header:
        return f"people come by the proxies in {', '.join(read.trusted_proxies)}"
    async with Store(read.folder / service.DATABASE) as store:
        names = [user.name for user, _, _ in await People(store, Passwords()).all()]
    return ", ".join(names) or f"nobody may sign in yet: wand-server people add NAME{settings.option(path)}"


def _parser(name: str) -> tuple[argparse.ArgumentParser, Callable[..., argparse.ArgumentParser]]:
    """A parser, and what adds a command to it: `--settings` may stand before the command or behind it."""
    parser = argparse.ArgumentParser(prog=f"wand-server {name}")
    does = f"default: {settings.DEFAULT_PATH}"
    parser.add_argument("--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help=does)
    behind = argparse.ArgumentParser(add_help=False)
    behind.add_argument("--settings", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=does)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    return parser, partial(commands.add_parser, parents=[behind])


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Have the command that a refusal advises name the settings file where it must."""
    try:
        yield
    except WandError as why:
        if why.hint.startswith("wand-server "):
            why.hint += settings.option(path)
        raise


async def _people(asked: argparse.Namespace) -> None:
    password = _password() if asked.command in {"add", "passwd"} else ""
    async with _Ledgered(asked.settings) as ledgered:
        known = People(ledgered.store, Passwords())
        match asked.command:
            case "add":
                groups = f", in {' '.join(asked.group)}" if asked.group else ""
                ledgered.will(f"person {asked.name}: may sign in{groups}")
                await known.add(asked.name, password, asked.group)
                ledgered.say(f"{asked.name} may sign in.")
            case "passwd":
                ledgered.will(f"person {asked.name}: another password, what was given by the old one ends")
                await known.change_password(asked.name, password)
                ledgered.say(f"{asked.name} has another password; what was given by the old one has ended.")
            case "remove":
                ledgered.will(f"person {asked.name}: may sign in no more, what they gave ends")
                await known.remove(asked.name)
                ledgered.say(f"{asked.name} may sign in no more, and what they gave has ended.")
            case _:
                rows = [
                    (user.name, _day(created), str(count), ",".join(user.groups))
                    for user, created, count in await known.all()
                ]
                _list(("NAME", "SINCE", "GRANTS", "GROUPS"), rows)


async def _grants(asked: argparse.Namespace) -> None:
    async with _Ledgered(asked.settings) as ledgered:
        known = Grants(ledgered.store)
        if asked.command == "list":
            rows = [
                (one.id, one.user, _day(one.created), one.client_name or one.client_id, " ".join(one.scopes))
                for one in await known.all()
            ]
            _list(("ID", "PERSON", "SINCE", "PROGRAM", "SCOPES"), rows)
            return
        ledgered.will(f"grant {asked.id}: ends")
        if not await known.revoke(asked.id):
            raise NotFound(f"there is no grant {asked.id!r}", hint="wand-server grants list")
        ledgered.say(f"The grant {asked.id} has ended.")


async def _clients(asked: argparse.Namespace) -> None:
    async with _Ledgered(asked.settings) as ledgered:
        known = Clients(ledgered.store)
        if asked.command == "list":
            rows = [
                (client.id, _day(created), str(count), client.name, " ".join(client.redirect_uris))
                for client, created, count in await known.all()
            ]
            _list(("ID", "SINCE", "GRANTS", "PROGRAM", "ADDRESSES"), rows)
            if rows and not ledgered.read.issuer.registration:
                _say("None of them is let in: issuer.registration is off.")
            return
        ledgered.will(f"client {asked.id}: forgotten, what people gave it ends")
        if not await known.remove(asked.id):
            hint = "wand-server clients list"
            raise NotFound(f"no client that registered has the id {asked.id!r}", hint=hint)
        ledgered.say(f"The client {asked.id} is forgotten, and what people gave it has ended.")


def _list(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A heading and a line for each row, with tabs between."""
    sys.stdout.writelines("\t".join(row) + "\n" for row in (heading, *rows))


def _say(done: str) -> None:
    """Tell what was done: on standard error, so that standard output is for what was asked."""
    sys.stderr.write(done + "\n")


class _Ledgered:
    """The database of the issuer, opened for a change that is on record before it holds; `async with` it."""

    def __init__(self, path: Path) -> None:
        self.read = settings.load(path, os.environ)
        self.store = Store(self.read.issuer.folder / service.DATABASE)
        self._change = self._why_not = ""

    async def __aenter__(self) -> Self:
        await self.store.__aenter__()
        self.store.before_commit = self._record
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.store.__aexit__(kind, error, trace)

    def will(self, change: str) -> None:
        """Have that on record when the change is made, in the words of the ledger."""
        self._change = change

    def say(self, done: str) -> None:
        """Tell what was done, and whether it is on record."""
        _say(done)
        sys.stderr.write(onrecord.told(self._why_not))

    async def _record(self) -> None:
        self._why_not = await onrecord.record(self.read, self._change)


def _password() -> str:
    """A new password: typed twice at a terminal, or a line on standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(MOST_CHARACTERS + 2).rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise Invalid("was not the same twice", field="password")
    return password


def _day(when: int) -> str:
    return datetime.fromtimestamp(when, UTC).date().isoformat()
