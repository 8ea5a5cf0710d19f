"""What `./dev` hands on."""

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

import pytest

from support.tree import ROOT


def become(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, str]:
    """The environment in which `./dev` with those words would run a program."""
    loader = SourceFileLoader("dev", str(ROOT / "dev"))
    spec = spec_from_loader("dev", loader)
    assert spec is not None
    dev: Any = module_from_spec(spec)
    loader.exec_module(dev)
    became: list[dict[str, str]] = []
    monkeypatch.setattr(dev, "sync", lambda: None)
    monkeypatch.setattr(os, "execvpe", lambda _program, _words, environment: became.append(environment))
    monkeypatch.setattr(sys, "argv", ["dev", *words])
    dev.main()
    return became[0]


@pytest.mark.parametrize(("words", "first"), [(["run"], "/mine/bin"), (["sh", "true"], f"{ROOT}/.venv/bin")])
def test_only_a_shell_of_ours_finds_our_packages_first(
    monkeypatch: pytest.MonkeyPatch, words: list[str], first: str
) -> None:
    """Else a project's tests would run with the packages of Wand."""
    monkeypatch.setenv("PATH", "/mine/bin:/usr/bin:/bin")

    assert become(monkeypatch, *words)["PATH"].split(":")[0] == first
