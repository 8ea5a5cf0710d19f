"""How the launcher starts, stops, reloads, and when it refuses to start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.launcher_client import (
    PROGRAM,
    SECONDS,
    Client,
    Failed,
    Launcher,
    can_be_others,
    command,
    launched,
    needs_root,
    write_profile,
)
from support.no_namespaces import WITHOUT, can_refuse
from support.places import short_folder
from support.users import user_alone

# What systemd does for a socket unit: the socket becomes descriptor 3, and the program is told whose it is.
HAND_OVER = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""


def until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def reload(launcher: Launcher, text: str) -> None:
    write_profile(launcher.folder / "profiles" / "p.toml", text.format(work=launcher.workspace))
    launcher.process.send_signal(signal.SIGHUP)


def test_profiles_are_read_again_on_request() -> None:
    with launched() as launcher, launcher.client() as client:
        reload(launcher, 'name = "p"\nworkspace = "{work}"\n[limits]\nopen_files = 33')
        until(lambda: client.ask("profiles")["profiles"][0]["limits"] == {"open_files": 33})
        assert client.result("sh", "-c", "ulimit -n")[0] == b"33\n"


def test_a_reload_with_a_broken_profile_changes_nothing_and_says_so() -> None:
    with launched() as launcher, launcher.client() as client:
        write_profile(launcher.folder / "profiles" / "q.toml", 'name = "q"\nworkspace = "/w"')
        reload(launcher, "broken")
        until(lambda: client.ask("profiles")["reload_error"] != "")
        told = client.ask("profiles")
        assert [one["name"] for one in told["profiles"]] == ["p"]
        assert "p.toml: is not TOML" in told["reload_error"]
        assert client.result("echo", "ok")[0] == b"ok\n"


def test_a_profile_that_is_broken_at_the_start_denies_and_says_why() -> None:
    with launched("colour = 1") as launcher, launcher.client() as client:
        assert "colour: unknown" in client.ask("profiles")["broken"][0]["why"]
        with pytest.raises(Failed, match="colour: unknown") as refused:
            client.run("true")
        assert refused.value.kind == "BrokenPolicy"
        client.ask("record", event="after", fields={})
        assert launcher.records("refused")[0]["fields"]["by"] == "launcher"


def test_an_unknown_profile_is_denied() -> None:
    with launched() as launcher, launcher.client() as client, pytest.raises(Failed, match="there are: p"):
        client.run("true", profile="nonesuch")


def outcome(*words: str | Path) -> tuple[int, str]:
    """How a launcher ends that cannot start, and what it says."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stderr


@pytest.mark.skipif(not can_refuse(), reason="this machine cannot take namespaces away (unshare, setpriv)")
@pytest.mark.parametrize(
    ("flag", "starts"), [("", False), ("--allow-unconfined", True), ("--development", True)]
)
def test_without_namespaces_it_starts_only_when_told_in_so_many_words(flag: str, *, starts: bool) -> None:
    flags = [flag] if flag else ["--peer-uid", "0"]
    if starts:
        with launched("", *flags, before=WITHOUT) as launcher, launcher.client() as client:
            tree = next(one for one in client.ask("profiles")["guarantees"] if one["name"] == "process tree")
            assert not tree["enforced"]
    else:
        with pytest.raises(RuntimeError, match="--allow-unconfined"), launched("", *flags, before=WITHOUT):
            pass


def test_an_edited_ledger_stops_the_start() -> None:
    with launched() as launcher:
        launcher.kill(signal.SIGTERM)
        before, _, after = launcher.ledger.read_bytes().rpartition(b'"open":[]')
        launcher.ledger.write_bytes(before + b'"oxen":[]' + after)
        code, said = outcome(*map(str, launcher.argv))
        assert code == 1
        assert "seq 3: has a hash that is not its own" in said


def test_a_second_launcher_does_not_take_the_socket_or_the_ledger() -> None:
    with launched() as launcher, launcher.client() as client:
        code, said = outcome(*map(str, launcher.argv))
        assert code == 1
        assert "another launcher" in said
        assert client.result("echo", "ok")[0] == b"ok\n"


def test_the_socket_of_a_killed_launcher_is_taken_over() -> None:
    with launched() as launcher:
        launcher.kill(signal.SIGKILL)
        assert launcher.socket.exists()
        launcher.restart()
        with launcher.client() as client:
            assert client.result("echo", "ok")[0] == b"ok\n"


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [("--socket", "/tmp/" + "x" * 120, "at most 107 bytes"), ("--socket", "", "--socket is missing"),
     ("--profiles", "/nonesuch", "cannot be read"), ("--ledger", "/nonesuch/deep", "cannot be opened")],
)  # fmt: skip
def test_a_command_line_that_cannot_work_says_why(flag: str, value: str, said: str) -> None:
    with short_folder() as folder:
        (folder / "profiles").mkdir(mode=0o755)
        (folder / "ledger").mkdir()
        code, told = outcome(*command(folder), "--development", "--allow-unconfined", flag, value)
        assert code == 1
        assert said in told


def test_it_adopts_a_socket_and_tells_when_it_is_ready_and_that_it_lives() -> None:
    with short_folder() as folder:
        for name in ("profiles", "ledger"):
            (folder / name).mkdir(mode=0o755)
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notified.settimeout(SECONDS)
        notified.bind(str(folder / "notify"))
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(str(folder / "launcher.sock"))
        listening.listen()
        told = {"LISTEN_FDS": "1", "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "100000"}
        argv = [sys.executable, "-c", HAND_OVER, str(listening.fileno()), *command(folder), "--development"]
        process = subprocess.Popen(
            argv, pass_fds=[listening.fileno()], env={**os.environ, **told}, stderr=subprocess.DEVNULL
        )
        assert [notified.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        with Client(folder / "launcher.sock") as client:
            assert client.ask("profiles")["profiles"] == []
        process.terminate()
        until(lambda: notified.recv(100) == b"STOPPING=1")
        assert process.wait(SECONDS) == 0
        assert (folder / "launcher.sock").exists()  # whose it is gives it to the next launcher
        notified.close()
        listening.close()


def test_a_launcher_works_inside_a_job_of_another_and_says_what_it_cannot_do_there() -> None:
    tools = (sys.prefix, sys.base_prefix, PROGRAM.parent)
    with (
        launched(f"visible = {json.dumps([str(path) for path in tools])}") as outer,
        outer.client() as client,
    ):
        folder = outer.workspace
        for name in ("profiles", "ledger", "work"):
            (folder / name).mkdir(mode=0o755)
        write_profile(folder / "profiles" / "p.toml", f'name = "p"\nworkspace = "{folder}/work"')
        inner = client.run(*map(str, command(folder)), "--development", "--ready-fd", "1")
        assert inner.line() == b"\n"
        with Client(folder / "launcher.sock") as nested:
            kept = {one["name"]: one["enforced"] for one in nested.ask("profiles")["guarantees"]}
            assert not kept["process tree"]
            assert not kept["file system"]
            assert nested.result("echo", "ok")[0] == b"ok\n"
        client.ask("kill", job=inner.job, signal=signal.SIGTERM, reason="signal")
        assert client.exited(inner.job)["exit_code"] == 0


@pytest.mark.root
@needs_root
def test_a_profile_with_a_user_runs_as_that_user_without_a_capability() -> None:
    with launched('run_as = "nobody"', "--peer-uid", "0") as launcher, launcher.client() as client:
        output, _ = client.result("sh", "-c", "id -u; id -g; id -G; echo $USER; grep Cap /proc/self/status")
        uid, gid, groups, name, *capabilities = output.decode().splitlines()
        assert (uid, name, groups) == ("65534", "nobody", gid)
        assert {line.split()[1] for line in capabilities} == {"0000000000000000"}
        assert client.result("touch", "x")[1]["exit_code"] == 1
        launcher.workspace.chmod(0o700)
        with pytest.raises(Failed, match="nobody may not enter") as refused:
            client.run("pwd")
        assert (refused.value.kind, refused.value.field) == ("Denied", "directory")


def test_the_number_of_processes_is_limited_where_they_can_be_counted() -> None:
    with ExitStack() as stack:
        alone = f'run_as = "{stack.enter_context(user_alone())}"' if can_be_others() else ""
        launcher = stack.enter_context(launched(alone))
        client = stack.enter_context(launcher.client())
        told = {one["name"]: one["detail"] for one in client.ask("profiles")["guarantees"]}
        if not alone and "Processes: for each job" not in told["resource ceilings"]:
            pytest.skip("processes are not counted here: neither another user nor a user namespace")
        script = "for i in 1 2 3 4; do sleep 5 & done; echo all"
        assert client.result("sh", "-c", script, limits={"processes": 300})[0] == b"all\n"
        assert client.result("sh", "-c", script, limits={"processes": 4})[0] == b""
