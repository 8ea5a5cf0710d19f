"""The tutorial on handing out work, followed word by word on a real Wand."""

import asyncio
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.modelserver import Said, calls, says, serving, text, use
from support.running import Running, embedded
from support.tree import ROOT

PAGE = (ROOT / "docs/tutorial/hand-out-work.md").read_text().replace("sleep 20;", "sleep 6;")  # nobody types
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
CALL = next(code for kind, code in BLOCKS if kind == "sh" and code.startswith("wand() {"))
PLAYS = (
    Said([text("I look."), use("search_files", pattern="ERROR", path="logs")], "tool_use"),
    calls(use("execute_command", command="curl http://elsewhere.example"), use("nothing_of_the_kind")),
    calls(use("write_file", path="report.md", content="tuesday.log: no milk\n")),
    says("One log has an error: tuesday.log, no milk."),
)


def parts() -> dict[str, list[tuple[str, str]]]:
    """The blocks of each section: what is typed, and what is printed then."""
    found: dict[str, list[tuple[str, str]]] = {}
    for section in PAGE.split("\n## ")[1:]:
        blocks = re.findall(r"^```(sh|text)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        typed = [
            (code, blocks[at + 1][1] if at + 1 < len(blocks) and blocks[at + 1][0] == "text" else "")
            for at, (kind, code) in enumerate(blocks)
            if kind == "sh"
        ]
        found[section[0]] = [one for one in typed if "./dev" not in one[0] and "WAND=" not in one[0]]
    return found


def follow(blocks: list[tuple[str, str]], home: Path, wand: Running) -> None:
    """Type each block in a shell, and compare what is printed; `…` stands for anything."""
    environment = {**os.environ, "HOME": str(home), "WAND": wand.url, "KEY": wand.key}
    for code, printed in blocks:
        whole = code if code == CALL else f"{CALL.rpartition('wand list')[0]}{code}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", whole],
            cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, (code, done.stdout, done.stderr)
        wanted = ".*".join(map(re.escape, printed.rstrip("\n").split("…")))
        assert not printed or re.fullmatch(wanted, done.stdout.rstrip("\n"), re.DOTALL), (code, done.stdout)


def work(blocks: list[list[tuple[str, str]]], home: Path, *more: str | Path) -> None:
    """Follow sections on a Wand that is started for them, and ended after them."""
    with embedded(home / "shop", home / "state", *more) as wand:
        for section in blocks:
            follow(section, home, wand)


@pytest.mark.timeout(240)
def test_the_tutorial_holds_word_by_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    said, settings = parts(), tmp_path / "model.toml"
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(["bash", "-e", "-c", said["1"][0][0]], env=environment, check=True)
    work([said["1"][1:], said["2"], said["3"], said["4"], said["5"][:1]], tmp_path)
    work([said["5"][1:], said["6"][:1]], tmp_path)
    asked = asyncio.run(with_a_model(said["6"][1:], settings))
    refused = asked[2]["messages"][-1]["content"]
    assert [block["is_error"] for block in refused] == [True, True]
    assert (tmp_path / "shop" / "report.md").read_text() == "tuesday.log: no milk\n"


def point(settings: Path, url: str) -> None:
    """Ask that server in place of Anthropic's."""
    settings.write_text(f'{settings.read_text()}address = "{url}"\n')


async def with_a_model(blocks: list[tuple[str, str]], settings: Path) -> list[dict[str, Any]]:
    """What the model was asked while they were followed."""
    async with serving("anthropic", *PLAYS) as server:
        point(settings, server.url)
        await asyncio.to_thread(work, [blocks], settings.parent, "--settings", settings)
    return server.asked
