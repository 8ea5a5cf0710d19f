"""Packages that are loaded no sooner than somebody asks for what is in them."""

import json
import subprocess
import sys
from typing import Any

import pytest

NOT_USED = ("uvicorn", "click", "mcp.client", "mcp.server.mcpserver", "jwt.algorithms")
WANTED = {"mcp": "ClientSession", "mcp.server": "MCPServer", "jwt": "decode", "cryptography.x509": "Name"}
CODE = f"""
import importlib, json, ssl, sys, types, wand_server.app
from aiohttp import connector
loaded = [name for name in {NOT_USED} if name in sys.modules]
whole = {{package: importlib.import_module(package) for package in {tuple(WANTED)}}}
found = {{package: getattr(whole[package], name).__name__ for package, name in {WANTED}.items()}}
plain = all(type(module) is types.ModuleType for module in whole.values())
outward = connector._SSL_CONTEXT_VERIFIED
before = len(outward.get_ca_certs())
outward.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="wand.example")
usual = ssl.create_default_context()
same = type(outward) is type(usual) and outward.get_ca_certs() == usual.get_ca_certs()
authorities = before, same, outward.verify_mode == usual.verify_mode, outward.check_hostname
print(json.dumps([loaded, found, plain, importlib.import_module("uvicorn").__name__, authorities]))
"""


@pytest.fixture(scope="module")
def told() -> Any:
    """What a fresh Python says: in this one everything is loaded."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_server_loads_nothing_that_it_does_not_use(told: Any) -> None:
    assert told[0] == []


def test_whoever_asks_for_more_finds_it(told: Any) -> None:
    assert told[1:4] == [WANTED, True, "uvicorn"]


def test_whom_a_connection_trusts_is_read_with_the_first_and_no_sooner(told: Any) -> None:
    assert told[4] == [0, True, True, True]
