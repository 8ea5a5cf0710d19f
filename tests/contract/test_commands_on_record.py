"""What an administrator changes of keys, people, grants and clients is in the ledger before it holds."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.running import COMMAND, Running
from support.visits import launcher_pid, recorded, run
from wand_server.auth import keyfile

PASSWORD = "correct horse battery"


def typed(settings: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command as a person types it."""
    argv = [str(COMMAND), *words, "--settings", str(settings)]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=90)


def changes(wand: Running) -> list[dict[str, Any]]:
    return recorded(wand, "config")


def test_keys_are_on_record_when_they_are_made_and_removed(wand: Running) -> None:
    settings, before = wand.state / "server.toml", len(changes(wand))

    added = typed(
        settings, "keys", "add", "bot", "--scopes", "wand:read", "--groups", "ci", "--expires", "9d"
    )
    rotated = typed(settings, "keys", "rotate", "bot", "--keep", "1h")
    removed = typed(settings, "keys", "remove", "bot")

    assert [done.returncode for done in (added, rotated, removed)] == [0, 0, 0]
    assert all("It is in the ledger.\n" in done.stderr for done in (added, rotated, removed))
    first, second, third = changes(wand)[before:]
    assert " added, wand:read, in ci, until 20" in first["changed"][0]
    assert "; its others end at 20" in second["changed"][0]
    assert third["changed"][0].endswith(": removed")
    assert first["by"].split()[0] == str(os.geteuid())
    assert (first["after"], second["after"]) == (second["before"], third["before"])
    assert not any(secret in str(changes(wand)) for secret in (added.stdout.strip(), rotated.stdout.strip()))


def test_people_are_on_record(wand: Running) -> None:
    settings, before = wand.state / "server.toml", len(changes(wand))

    for words in (("add", "ann", "--group", "devs"), ("remove", "ann")):
        done = typed(settings, "people", *words, stdin=f"{PASSWORD}\n")
        assert (done.returncode, "It is in the ledger.\n" in done.stderr) == (0, True), done.stderr

    assert [change["changed"] for change in changes(wand)[before:]] == [
        ["person ann: may sign in, in devs"],
        ["person ann: may sign in no more, what they gave ends"],
    ]
    assert PASSWORD not in str(changes(wand))


def test_what_changes_nothing_is_not_on_record(wand: Running) -> None:
    before = changes(wand)
    assert typed(wand.state / "server.toml", "grants", "revoke", "none").returncode == 1
    assert changes(wand) == before


def test_without_a_ledger_nothing_changes(wand: Running) -> None:
    settings = wand.state / "server.toml"
    keys = keyfile.read(wand.state / "keys.toml")
    os.kill(launcher_pid(wand), signal.SIGSTOP)
    try:
        with ThreadPoolExecutor() as pool:  # each waits as long as an answer may take
            adding = pool.submit(typed, settings, "keys", "add", "late")
            people = typed(settings, "people", "add", "late", stdin=f"{PASSWORD}\n")
            refused = adding.result()
    finally:
        os.kill(launcher_pid(wand), signal.SIGCONT)
    assert (refused.returncode, refused.stdout, people.returncode) == (1, "", 1), refused.stderr
    assert keyfile.read(wand.state / "keys.toml") == keys
    assert "late" not in typed(settings, "people", "list").stdout


def test_where_no_host_agent_is_the_command_says_that_it_is_not_on_record(
    wand: Running, tmp_path: Path
) -> None:
    away = tmp_path / "server.toml"
    link = f"address = 'unix:nobody.sock'\nca = '{wand.state}/pki/ca.crt'\n"
    away.write_text(f"[http]\nkeys_file = 'keys.toml'\n[hostagent]\n{link}")
    away.chmod(0o600)

    done = typed(away, "keys", "add", "bot")

    assert (done.returncode, done.stdout.startswith("wand_")) == (0, True)
    assert "NOT in the ledger: " in done.stderr


async def test_a_call_is_on_record_with_the_key_that_made_it(wand: Running) -> None:
    (key,) = (one for one in keyfile.read(wand.state / "keys.toml") if one.name not in {"bot", "late"})
    await run(wand, "true")
    assert recorded(wand, "run")[-1]["why"]["credential"] == key.credential
