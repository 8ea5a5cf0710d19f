"""The commands about the built-in authorization server: who may sign in, and what they have given to whom."""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wand_proto.errors import Invalid, NotFound
from wand_server import settings
from wand_server.issuer import service
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
    asyncio.run(_people(parser.parse_args(words)))
    return 0


def grants(words: Sequence[str]) -> int:
    """Run `wand-server grants`."""
    parser, command = _parser("grants")
    command("list", help="who let which program in, when, and for what")
    command("revoke", help="let that program in no more").add_argument("id", metavar="ID")
    asyncio.run(_grants(parser.parse_args(words)))
    return 0


async def summary(read: settings.Issuer) -> str:
    """Who may sign in at an issuer with those settings.

    Raises:
        WandError: its database cannot be used.
    """
    if read.user_header:
        return f"people come by the proxies in {', '.join(read.trusted_proxies)}"
    async with Store(read.folder / service.DATABASE) as store:
        names = [user.name for user, _, _ in await People(store, Passwords()).all()]
    return ", ".join(names) or "nobody may sign in yet: wand-server people add NAME"


def _parser(name: str) -> tuple[argparse.ArgumentParser, Callable[..., argparse.ArgumentParser]]:
    """A parser, and what adds a command to it: `--settings` may stand before the command or behind it."""
    parser = argparse.ArgumentParser(prog=f"wand-server {name}")
    does = f"default: {settings.DEFAULT_PATH}"
    parser.add_argument("--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help=does)
    behind = argparse.ArgumentParser(add_help=False)
    behind.add_argument("--settings", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=does)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    return parser, partial(commands.add_parser, parents=[behind])


async def _people(asked: argparse.Namespace) -> None:
    password = _password() if asked.command in {"add", "passwd"} else ""
    async with _store(asked.settings) as store:
        known = People(store, Passwords())
        match asked.command:
            case "add":
                await known.add(asked.name, password, asked.group)
            case "passwd":
                await known.change_password(asked.name, password)
            case "remove":
                await known.remove(asked.name)
            case _:
                sys.stdout.writelines(
                    f"{user.name}\t{_day(created)}\t{count}\t{','.join(user.groups)}\n"
                    for user, created, count in await known.all()
                )


async def _grants(asked: argparse.Namespace) -> None:
    async with _store(asked.settings) as store:
        known = Grants(store)
        if asked.command == "list":
            sys.stdout.writelines(
                f"{one.id}\t{one.user}\t{_day(one.created)}\t{one.client_name or one.client_id}"
                f"\t{' '.join(one.scopes)}\n"
                for one in await known.all()
            )
        elif not await known.revoke(asked.id):
            raise NotFound(f"there is no grant {asked.id!r}", hint="wand-server grants list")


def _store(path: Path) -> Store:
    return Store(settings.load(path, os.environ).issuer.folder / service.DATABASE)


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
