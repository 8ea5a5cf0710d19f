"""Packages that are loaded no sooner than somebody asks for what is in them."""

import subprocess
import sys

import pytest

LOADED = "import sys; from types import ModuleType; import wand_server.app"


def said(code: str) -> str:
    """What a fresh Python prints: in this one everything is loaded."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "package", ["uvicorn", "click", "mcp.client", "mcp.server.mcpserver", "jwt.algorithms"]
)
def test_the_server_loads_nothing_that_it_does_not_use(package: str) -> None:
    assert said(f"{LOADED}; print({package!r} in sys.modules)") == "False"


@pytest.mark.parametrize(
    ("package", "name"),
    [("mcp", "ClientSession"), ("mcp.server", "MCPServer"), ("jwt", "decode"), ("cryptography.x509", "Name")],
)
def test_whoever_asks_for_more_finds_it(package: str, name: str) -> None:
    code = f"{LOADED}; from {package} import {name}; import {package} as whole"
    assert said(f"{code}; print(type(whole) is ModuleType, {name}.__name__)") == f"True {name}"


def test_uvicorn_is_there_for_others() -> None:
    assert said(f"{LOADED}; import uvicorn; print(uvicorn.__name__)") == "uvicorn"
