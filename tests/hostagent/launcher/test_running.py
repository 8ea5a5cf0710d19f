"""Commands through a real launcher: what they get, how they end, and what is said of it."""

import os
import signal
from collections.abc import Iterator

import pytest

from support.launcher_client import Client, Failed, Launcher, launched

PROFILE = 'environment = { SET = "here" }\nenvironment_allowed = ["CI", "LC_*"]'


@pytest.fixture(params=["", "--fork"])
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    """Both ways of starting a job, which a command cannot tell apart."""
    with launched(PROFILE, "--development", *filter(None, [request.param])) as one:
        yield one


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as one:
        yield one


def test_a_command_gets_its_arguments_as_they_are(client: Client) -> None:
    output, _ = client.result("printf", "%s|", "a b", "", "$HOME", "é", "\udcff")
    assert output == b"a b||$HOME|" + "é".encode() + b"|\xff|"


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_an_exit_code_comes_back_exactly(client: Client, code: int) -> None:
    _, exited = client.result("sh", "-c", f"exit {code}")
    assert (exited["reason"], exited["exit_code"], exited["signal"]) == ("exited", code, 0)


def test_a_signal_that_ends_a_command_is_named(client: Client) -> None:
    _, exited = client.result("sh", "-c", "kill -SEGV $$")
    assert (exited["reason"], exited["exit_code"], exited["signal"]) == ("signaled", 0, signal.SIGSEGV)


def test_a_command_reads_what_it_is_given(client: Client) -> None:
    output, _ = client.result("cat", stdin=b"\x00given\xff")
    assert output == b"\x00given\xff"


def test_a_command_starts_in_the_workspace_and_says_so(launcher: Launcher, client: Client) -> None:
    running = client.run("pwd")
    assert running.started["directory"] == str(launcher.workspace)
    assert running.read().decode().strip() == str(launcher.workspace)


def test_a_command_has_the_environment_of_its_profile_and_nothing_of_the_launcher(client: Client) -> None:
    output, _ = client.result("env", environment={"CI": "1", "LC_ALL": "C"})
    names = {line.partition("=")[0] for line in output.decode().splitlines()}
    wanted = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "SET", "CI", "LC_ALL"}
    assert names - {"PWD", "_"} == wanted


def test_what_keeps_a_pager_away_may_be_set_with_that_value_and_no_other(client: Client) -> None:
    output, _ = client.result("env", environment={"GIT_PAGER": "cat", "GIT_CONFIG_VALUE_1": "/dev/null"})
    assert {b"GIT_PAGER=cat", b"GIT_CONFIG_VALUE_1=/dev/null"} <= set(output.split(b"\n"))

    for name, value in (("GIT_PAGER", "sh -c x"), ("GIT_CONFIG_VALUE_1", "/tmp/hooks")):
        with pytest.raises(Failed) as refused:
            client.run("env", environment={name: value})
        assert refused.value.kind == "Denied"


@pytest.mark.parametrize("name", ["LD_PRELOAD", "BASH_ENV", "PATH", "FOO"])
def test_a_variable_that_the_profile_does_not_let_through_is_refused_by_name(
    client: Client, name: str
) -> None:
    with pytest.raises(Failed, match=name) as refused:
        client.run("env", environment={name: "1"})
    assert (refused.value.kind, refused.value.field) == ("Denied", "environment")
    assert ("leave it out" if name in {"LD_PRELOAD", "BASH_ENV"} else "CI, LC_*") in refused.value.hint


def test_a_program_that_does_not_exist_is_not_found_and_the_path_is_named(client: Client) -> None:
    with pytest.raises(Failed, match="no program 'nonesuch'") as refused:
        client.run("nonesuch")
    assert (refused.value.kind, refused.value.field) == ("NotFound", "argv")
    assert "/usr/bin" in refused.value.hint


def test_a_command_has_three_descriptors_and_default_signals(client: Client) -> None:
    script = "ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)|NoNewPrivs' /proc/self/status"
    output, _ = client.result("sh", "-c", script)
    assert (
        output.split() == b"0 1 2 3 SigBlk: 0000000000000000 SigIgn: 0000000000000000 NoNewPrivs: 1".split()
    )


def test_a_command_leads_its_own_session_and_cannot_see_the_launcher(
    launcher: Launcher, client: Client
) -> None:
    seen = next(one for one in client.ask("profiles")["guarantees"] if one["name"] == "processes seen")
    output, _ = client.result("sh", "-c", f"ps -o sid= -p $$; echo $$; test -d /proc/{os.getpid()}")
    session, pid = output.split()
    assert session == pid
    if not seen["enforced"]:
        pytest.skip("no process list of its own on this machine")
    assert client.result("test", "-d", f"/proc/{launcher.process.pid}")[1]["exit_code"] == 1
