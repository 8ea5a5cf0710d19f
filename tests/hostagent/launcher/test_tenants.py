"""A user, a folder and a name of each principal's own: what they are to its jobs, and to those of others."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import Client, Failed, Launcher, launched, needs_root, write_profile
from wand_hostagent.launcher.protocol import folder_of

pytestmark = [pytest.mark.root, needs_root]

FIRST = 72000
EACH = f'run_as = "each"\nusers = [{FIRST}, {FIRST + 9}]\nenvironment = {{ LANG = "C.UTF-8" }}\n'


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with launched("", "--peer-uid", "0") as one:
        (one.folder / "each").mkdir(mode=0o755)
        text = f'name = "p"\nworkspace = "{one.folder}/each/{{principal}}"\n{EACH}'
        write_profile(one.folder / "profiles" / "p.toml", text)
        one.kill(signal.SIGTERM)
        one.restart()
        yield one


def said(client: Client, principal: str, script: str) -> str:
    return client.result("sh", "-c", script, why={"principal": principal})[0].decode().strip()


def test_each_principal_has_a_user_that_the_tools_of_the_system_know(launcher: Launcher) -> None:
    with launcher.client() as client:
        script = "id -un; id -gn; id -u; id -G; echo $USER; echo ~; pwd; stat -c %U:%G:%a ."
        ann, bob = said(client, "ann", script).splitlines(), said(client, "Bob <b@c>", script).splitlines()
        folder = launcher.folder / "each"
        number, group = str(FIRST), "ann:ann:700"
        assert ann == ["ann", "ann", number, number, "ann", "/home/ann", f"{folder}/ann", group]
        name = f"wand-{FIRST + 1}"
        assert bob[:3] == [name, name, str(FIRST + 1)]
        assert bob[5:7] == [f"/home/{name}", f"{folder}/{folder_of('Bob <b@c>')}"]
        assert said(client, "root", "id -un") == f"wand-{FIRST + 2}"


@pytest.mark.parametrize(
    "script",
    [
        "git init -q . && git config user.name && git commit -q --allow-empty -m x && git log --format=%an",
        "ssh -G host.example | grep '^user '",
        "python3 -c 'import getpass, os, pwd; print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir)'",
        "npm config get cache",
        "whoami",
    ],
)
def test_programs_that_look_their_user_up_work(launcher: Launcher, script: str) -> None:
    program = script.split(maxsplit=1)[0]
    if not any(Path(folder, program).exists() for folder in ("/usr/bin", "/usr/local/bin")):
        pytest.skip(f"no {program} here")
    script = script.replace("git config user.name", "git config user.name ann; git config user.email a@b.c")
    with launcher.client() as client:
        assert "ann" in said(client, "ann", script), said(client, "ann", f"{script} 2>&1")


def test_a_number_is_durable_before_it_is_used_and_stays_after_a_restart(launcher: Launcher) -> None:
    with launcher.client() as client:
        assert said(client, "ann", "id -u") == str(FIRST)
    launcher.kill()
    launcher.restart()
    with launcher.client() as client:
        assert [said(client, name, "id -u") for name in ("bob", "ann")] == [str(FIRST + 1), str(FIRST)]
    kept = launcher.folder / "state" / "users"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [json.loads(line)["principal"] for line in kept.read_bytes().splitlines()] == ["ann", "bob"]
    told = launcher.records("run")[-1]["fields"]
    assert (told["uid"], told["user"], told["why"]) == (FIRST, "ann", {"principal": "ann"})


def test_two_principals_do_not_see_signal_or_read_each_other(launcher: Launcher) -> None:
    with launcher.client() as client:
        ann = client.run(
            "sh", "-c", "echo secret > s; chmod 777 . s; echo; sleep 60", why={"principal": "ann"}
        )
        ann.line()
        pid = next(
            pid for pid in _processes("sh\0-c\0echo secret") if Path(f"/proc/{pid}").stat().st_uid == FIRST
        )
        for attack in (
            f"kill -0 {pid}",
            f"cat {launcher.folder}/each/ann/s",
            f"ls {launcher.folder}/each | grep ann",
            "pgrep sleep",
            f"cat /proc/{pid}/cmdline",
        ):
            assert said(client, "bob", f"{attack} 2>/dev/null && echo GOT") == "", attack
        assert said(client, "ann", "cat s") == "secret"
        client.ask("kill", job=ann.job, signal=9, reason="cancelled")


def test_nobody_named_gets_no_user_and_a_name_that_is_none_is_refused(launcher: Launcher) -> None:
    with launcher.client() as client:
        for why, told in (
            ({}, "needs to know who asks"),
            ({"principal": ""}, "needs to know who asks"),
            ({"principal": "a\nb"}, "must be printable text"),
            ({"principal": 5}, "must be printable text"),
            ({"principal": "x" * 300}, "must be printable text"),
        ):
            with pytest.raises(Failed, match=told) as refused:
                client.run("true", why=why)
            assert refused.value.field == "why"
        assert list((launcher.folder / "each").iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        ("ln -s /etc {}/ann", "must be a folder of user"),
        ("mkdir {}/ann", "must be a folder of user"),
        ("chmod 777 {}", "must belong to root or to the launcher's user"),
        ("rmdir {}", "ENOENT"),
    ],
)
def test_a_folder_that_somebody_else_could_have_made_is_not_used(
    launcher: Launcher, spoil: str, wrong: str
) -> None:
    assert os.system(spoil.format(launcher.folder / "each")) == 0
    with launcher.client() as client, pytest.raises(Failed, match=wrong):
        client.run("true", why={"principal": "ann"})


def test_the_list_of_users_that_a_job_sees_has_only_its_own_besides_the_systems(launcher: Launcher) -> None:
    with launcher.client() as client:
        said(client, "bob", "true")
        shown = said(client, "ann", "cat /etc/passwd")
        assert shown.startswith(Path("/etc/passwd").read_text().strip())
        assert "ann:x:" in shown
        assert "bob" not in shown.splitlines()[-1]
        assert said(client, "ann", "(echo x >> /etc/passwd) 2>/dev/null && echo GOT") == ""
        assert said(client, "ann", f"ls {launcher.folder}/state 2>/dev/null && echo GOT") == ""


def test_with_one_user_for_all_each_principal_can_have_a_folder_of_its_own() -> None:
    with launched("", "--peer-uid", "0") as launcher:
        (launcher.folder / "all").mkdir(mode=0o755)
        text = f'name = "p"\nworkspace = "{launcher.folder}/all/{{principal}}"\nrun_as = "nobody"'
        write_profile(launcher.folder / "profiles" / "p.toml", text)
        launcher.kill(signal.SIGTERM)
        launcher.restart()
        with launcher.client() as client:
            assert said(client, "ann", "touch mine; id -un") == "nobody"
            assert said(client, "bob", f"ls; ls {launcher.folder}/all") == "bob"


def test_without_a_place_to_keep_numbers_nobody_gets_one(launcher: Launcher) -> None:
    launcher.kill(signal.SIGTERM)
    launcher.argv = [*launcher.argv, "--state", ""]
    launcher.restart()
    with launcher.client() as client, pytest.raises(Failed, match="start the launcher with --state DIR"):
        client.run("true", why={"principal": "ann"})


def _processes(words: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_text().startswith(words):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
