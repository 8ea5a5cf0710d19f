"""Both doctors before a Wand that runs, before broken ones, and what they give away of one."""

import json
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from support import hostagent
from support.running import COMMAND, Running
from wand_hostagent import cli
from wand_server import doctor as server_doctor


def said_of(name: str, text: str) -> list[str]:
    """The lines about a thing that is missing."""
    return [line for line in text.splitlines() if line.startswith(f"MISSING {name}:")]


def missing(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.startswith("MISSING")]
    assert all(" — " in line for line in lines), "each says what to do"
    return [line.split(":")[0].removeprefix("MISSING ") for line in lines]


def test_where_all_is_there_nothing_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with hostagent.running() as wand:
        status = cli.run(["doctor", "--settings", str(wand.settings)])

    said = capsys.readouterr().out
    assert (status, missing(said)) == (0, [])
    assert "ok      profiles: developer" in said
    assert "process tree" in said


def test_what_is_missing_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with hostagent.prepared() as wand:
        (wand.pki / "hostagent.key").unlink()
        (wand.folder / "policy.d/policy.toml").write_text("[[rules]]")
        (wand.folder / "spool").rmdir()
        status = cli.run(["doctor", "--settings", str(wand.settings)])

    assert status == cli.FAILURE
    assert missing(capsys.readouterr().out) == [
        "key",
        "key",
        "policy",
        "spool",
        "launcher",
        "socket",
        "socket",
    ]


def test_a_port_that_somebody_else_has_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with hostagent.prepared() as wand, socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        text = wand.settings.read_text().replace("127.0.0.1:0", where)
        wand.settings.write_text(text)
        cli.run(["doctor", "--settings", str(wand.settings)])

    assert said_of("port", capsys.readouterr().out) == [
        f"MISSING port: {where}: Address already in use — stop what listens there, or set another in listen"
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [("lisen = []", "did you mean listen"), ("max_jobs = 0", "max_jobs must be"), ("[[", "is not TOML")],
)
def test_settings_that_cannot_be_read_are_told_of(
    tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.toml").write_text(text)

    assert cli.run(["doctor", "--settings", str(tmp_path / "x.toml")]) == cli.FAILURE

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("MISSING settings:")
    assert says in last


def test_a_policy_that_others_can_write_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with hostagent.prepared() as wand:
        (wand.folder / "policy.d/policy.toml").chmod(0o666)
        cli.run(["doctor", "--settings", str(wand.settings)])

    (line,) = said_of("policy", capsys.readouterr().out)
    assert "can be written by others" in line
    assert "chmod go-w" in line


def server(wand: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """`wand-server doctor` of a Wand that runs."""
    argv = [str(COMMAND), "doctor", "--settings", str(wand.state / "server.toml"), *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=90)


def test_of_a_server_that_runs_nothing_is_missing(wand: Running) -> None:
    done = server(wand, "--json")

    read = json.loads(done.stdout)
    states = {(found["name"], found["state"]) for found in read["findings"]}
    assert (done.returncode, read["is_good"], read["program"]) == (0, True, "wand-server"), done
    assert states >= {
        (name, "ok") for name in ("server", "socket", "host agent", "versions", "launcher", "keys")
    }
    room = [found["says"] for found in read["findings"] if found["name"] == "disk"]
    assert [says.split(" for ")[1] for says in room] == [str(wand.state)]


def test_of_a_server_without_its_parts_each_is_named(wand: Running, tmp_path: Path) -> None:
    text = (wand.state / "server.toml").read_text()
    broken = tmp_path / "server.toml"
    broken.write_text(text.replace("stdio.sock", "other.sock").replace("pki/", "nowhere/"))

    said = "\n".join(found.line() for found in server_doctor.examine(broken, {}))

    assert missing(said) == [
        "socket",  # it runs, and elsewhere
        "key", "certificate", "certificate", "host agent",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "environment", "says"),
    [
        ("[htp]", {}, "did you mean http"),
        ("[http]\nprt = 1", {}, "line 2; did you mean port"),
        ("", {"WAND_HTTP__PROT": "1"}, "did you mean WAND_HTTP__PORT"),
    ],
)
def test_a_key_that_the_server_does_not_know_is_told_of(
    tmp_path: Path, text: str, environment: dict[str, str], says: str
) -> None:
    (tmp_path / "server.toml").write_text(text)

    last = list(server_doctor.examine(tmp_path / "server.toml", environment))[-1]

    assert (last.name, last.state, says in last.line()) == ("settings", "missing", True), last


def in_bundle(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name.partition("/")[2]: file.read().decode() for name, file in files.items() if file}


def planted(wand: Running) -> set[str]:
    """Every secret of a Wand: its keys as the client has them, and what stands in its private files."""
    secrets = {wand.key}
    for path in [*wand.state.rglob("*.key"), wand.state / "keys.toml"]:
        lines = path.read_text(errors="replace").splitlines()
        secrets |= {line for line in lines if len(line) > 30 and not line.startswith(("#", "-----"))}
    return secrets


def test_no_secret_of_a_wand_that_runs_is_in_what_its_doctors_give_away(
    wand: Running, tmp_path: Path
) -> None:
    canary = "Canary0Canary1Canary2Canary3"
    log = tmp_path / "journal"
    log.write_text(f'{{"event": "x", "password": "{canary}"}}\nAuthorization: Bearer {wand.key}\n')
    logs = [word for path in [log, *(wand.state / "logs").glob("*.log")] for word in ("--log", str(path))]

    server(wand, "--bundle", str(tmp_path / "s.tar.gz"), *logs)
    settings = str(wand.state / "hostagent.toml")
    cli.run(["doctor", "--settings", settings, "--bundle", str(tmp_path / "h.tar.gz"), *logs])

    secrets = planted(wand) | {canary}
    assert len(secrets) > 4
    for name in ("s", "h"):
        parts = in_bundle(tmp_path / f"{name}.tar.gz")
        assert parts.keys() >= {
            "READ-ME.txt",
            "findings.json",
            "settings.json",
            "environment.json",
            "files.txt",
        }
        assert any(part.startswith("logs/") for part in parts)
        assert not [(part, secret) for part, text in parts.items() for secret in secrets if secret in text]
        assert ".key: mode" in parts["files.txt"]


def test_secrets_of_others_settings_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text('[transports.options.x]\nharmless = "canary"\n')

    told: Any = server_doctor.told(tmp_path / "server.toml", {})

    assert told["transports.options"] == ["x"]
