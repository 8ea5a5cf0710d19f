"""The command `wand-server integrations`: which services there are, and whether what is set up works."""

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wand_proto.context import new_request_id
from wand_proto.errors import Invalid, WandError
from wand_server import ports, settings
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient
from wand_server.integrations import quality, skeleton
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit.commands import CommandIntegration
from wand_server.model import Call

_WANTED = re.compile(r"([a-z][a-z0-9_]*)=(GET|POST|PUT|PATCH|DELETE):(/.*)")
_TESTED = {
    "server": "a real server",
    "document": "the vendor's description of its API",
    "contract": "a contract of our own",
}


def main(words: Sequence[str]) -> int:
    """Run `wand-server integrations`."""
    parser = argparse.ArgumentParser(prog="wand-server integrations")
    does = f"default: {settings.DEFAULT_PATH}"
    parser.add_argument("--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help=does)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="tell which services there are, or all about one")
    listing.add_argument("name", nargs="?", default="", metavar="SERVICE")
    listing.add_argument("--json", action="store_true", help="as JSON")
    checking = commands.add_parser("check", help="see whether services that are set up answer and let us in")
    checking.add_argument("name", nargs="*", metavar="SERVICE", help="default: all that are set up")
    drafting = commands.add_parser("new", help="draft the module of a service from a description of its API")
    drafting.add_argument("name", metavar="SERVICE")
    drafting.add_argument("operation", nargs="+", metavar="NAME=METHOD:/PATH", help="list_tasks=GET:/tasks")
    drafting.add_argument("--document", type=Path, required=True, metavar="FILE", help="OpenAPI, as JSON")
    for command in (listing, checking, drafting):  # behind the command it counts too, and only if it is there
        command.add_argument("--settings", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=does)
    asked = parser.parse_args(words)
    if asked.command == "new":
        return _new(asked)
    if asked.command == "list":
        return _list(asked)
    return asyncio.run(_check(asked.settings, asked.name))


def _list(asked: argparse.Namespace) -> int:
    catalog = Catalog()
    told = [about(catalog, name) for name in catalog.manifests if asked.name in ("", name)]
    if asked.name and not told:
        catalog.check(asked.name, "service")
    if asked.json:
        text = json.dumps(told, indent=2, ensure_ascii=False)
    else:
        text = "\n".join(map(_whole if asked.name else _line, told))
    sys.stdout.write(f"{text}\n")
    return 0


def _new(asked: argparse.Namespace) -> int:
    try:
        document = json.loads(asked.document.read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise Invalid(f"{asked.document} cannot be read: {why}", field="--document") from why
    sys.stdout.write(skeleton.draft(document, asked.name, list(map(_wanted, asked.operation))))
    return 0


def _wanted(word: str) -> skeleton.Wanted:
    match = _WANTED.fullmatch(word)
    if not match:
        raise Invalid(f"{word!r} must be like list_tasks=GET:/tasks", field="operation")
    return skeleton.Wanted(name=match[1], method=match[2], path=match[3])


def about(catalog: Catalog, name: str) -> dict[str, Any]:
    """All that can be told of a service, as JSON."""
    manifest, known = catalog.manifests[name], catalog.known[name]
    found = quality.of(manifest, known)
    return {
        **manifest.model_dump(mode="json"),
        "quality": {"tier": found.tier, "lacks": list(found.lacks)},
        "settings": {
            key: {"required": one.required, "secret": one.secret, "description": one.description}
            for key, one in known.settings.items()
        },
        "operations": {
            key: {"summary": one.summary, "read_only": one.read_only, "destructive": one.destructive}
            for key, one in known.operations.items()
        },
    }


def _line(told: dict[str, Any]) -> str:
    tier, count = told["quality"]["tier"], len(told["operations"])
    return f"{told['id']:14} {count:3} operations  {tier:8}  {told['name']}: {told['summary']}"


def _whole(told: dict[str, Any]) -> str:
    required = (key for key, one in told["settings"].items() if one["required"])
    lines = [
        f"{told['name']} ({told['category']}): {told['summary']}",
        f"  docs      {told['docs']} ({told['api_version']})",
        f"  sign-in   {told['sign_in']}",
        f"  scopes    {' '.join(told['scopes']) or 'none'}",
        f"  limits    {told['limits'] or 'none known'}",
        f"  tested    against {_TESTED[told['tests']['against']]}: {told['tests']['what']}",
        f"  quality   {_quality(told['quality'])}",
        f"  needs     {', '.join(required) or 'no settings'}",
        "",
        f"[integrations.{told['id']}]",
        *(_setting(key, one) for key, one in told["settings"].items()),
        "",
        *(_operation(key, one) for key, one in told["operations"].items()),
    ]
    return "\n".join(lines)


def _quality(told: dict[str, Any]) -> str:
    lacks = f"; it lacks for the next: {', and '.join(told['lacks'])}" if told["lacks"] else ""
    return f"{told['tier']}{lacks}"


def _setting(key: str, one: dict[str, Any]) -> str:
    value = f'"env:{key.upper()}"' if one["secret"] else "…"
    note = f"  # {one['description']}" if one["description"] else ""
    return f"{'' if one['required'] else '# '}{key} = {value}{note}"


def _operation(key: str, one: dict[str, Any]) -> str:
    mark = " [destructive]" if one["destructive"] else "" if one["read_only"] else " [changes]"
    return f"{key}{mark}: {one['summary']}"


class _NoLedger:
    """Nothing but the health of a service is asked here, and that is no act."""

    async def begins(self, call: Call, act: ports.Act) -> None:
        raise NotImplementedError

    async def ended(self, call: Call, act: ports.Act, seconds: float, failure: WandError | None) -> None:
        raise NotImplementedError


async def _check(path: Path, names: Sequence[str]) -> int:
    read = settings.load(path, os.environ)
    configured, catalog = read.integrations.instances, Catalog()
    async with contextlib.AsyncExitStack() as parts:
        needs_host = any(_is_on_host(catalog, name) for name in configured)
        host = await _host(read, parts) if needs_host else None
        instances = Instances(catalog, _NoLedger(), new_request_id, around=Around(host=host))
        instances.check(configured)
        instances.configure(configured)
        parts.push_async_callback(instances.close)
        wanted = names or instances.services()
        if not wanted:
            sys.stdout.write(f"no service is set up in {path}\n")
        return max([await _told(instances, name) for name in wanted], default=0)


def _is_on_host(catalog: Catalog, instance: str) -> bool:
    service = instance.partition(":")[0]
    return service in catalog.known and issubclass(catalog.load(service), CommandIntegration)


async def _host(read: settings.Settings, parts: contextlib.AsyncExitStack) -> HostClient:
    about = read.hostagent
    link = Link(about.address, about.identity)
    return HostClient(link=await parts.enter_async_context(link))


async def _told(instances: Instances, name: str) -> int:
    try:
        await instances.health(name)
    except WandError as why:
        sys.stdout.write(f"NO   {name}: {why}\n")
        return 1
    sys.stdout.write(f"yes  {name}: answers, and lets us in\n")
    return 0
