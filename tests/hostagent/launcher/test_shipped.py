"""The profiles that the packages ship, word for word, as root, with the user and folders that they name."""

import os
import signal
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import tree
from support.launcher_client import Client, Failed, Launcher, launched, needs_root
from support.no_namespaces import can_refuse

SHIPPED = sorted((tree.ROOT / "packaging" / "etc" / "profiles.d").glob("*.toml"))
TOLD = {path.stem: tomllib.loads(path.read_text()) for path in SHIPPED}
BOUND = [name for name, told in TOLD.items() if told.get("programs")]
UID = 74000
# In a mount tree of the launcher's own: a user and folders that no machine has which only builds.
STAGE = """
mount --make-rprivate /
for name in passwd group; do mount --bind $1/$name /etc/$name; done
mount -t tmpfs -o mode=755 none /srv
mount -t tmpfs -o mode=755 none /var/lib
home=/var/lib/wand-job
for place in /srv/work $home/observer $home/operator; do mkdir -p $place; cp /usr/bin/date $place/x; done
chown -R 74000:74000 /srv/work /var/lib/wand-job
shift; exec "$@"
"""
LOADER = next(
    (path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if Path(path).exists()),
    "",
)
PLACES = ("$PWD", "/tmp", "/dev/shm", "$HOME", "/var/tmp")
# Each says GOT where a program ran that lies in {p}, as a file that can be executed or at least read.
RUNS = {
    "directly": "{p}/x +GOT",
    "by its loader": f"{LOADER} {{p}}/x +GOT",
    "by exec": "(exec {p}/x +GOT)",
    "by find": "find {p}/x -exec {p}/x +GOT ';'",
    "by awk": """awk 'BEGIN { system("{p}/x +GOT") }'""",
    "by sed": """echo | sed '1e {p}/x +GOT'""",
    "by the search path": "PATH={p}:$PATH x +GOT",
    "by the bash of a child": "bash -c '{p}/x +GOT'",
    "as a loaded builtin": "bash -c 'enable -f {p}/lib.so x' 2>&1 | grep -q 'in shared object' && echo GOT",
    "beside another": "LD_PRELOAD={p}/lib.so cat /proc/self/maps | grep -q 'r-xp.*lib.so' && echo GOT",
    "as a library": "LD_LIBRARY_PATH={p} cat /proc/self/maps | grep -q 'r-xp.*{p}' && echo GOT",
    "as a pager": "PAGER={p}/x SYSTEMD_PAGER={p}/x systemctl help; SYSTEMD_EDITOR={p}/x systemctl edit x",
}
PREPARE = (
    "cd {p}; [ -e x ] || cat /usr/bin/date > x; cat /usr/lib/*-linux-gnu/libc.so.6 > lib.so;"
    " cat lib.so > libc.so.6; cd $OLDPWD;"
)


@contextmanager
def stage() -> Iterator[Launcher]:
    with launched("", "--peer-uid", "0", "--egress", "/run/wand-egress/none.sock") as launcher:
        for name, line in (
            ("passwd", f"wand-job:x:{UID}:{UID}::/var/lib/wand-job:/bin/sh\n"),
            ("group", f"wand-job:x:{UID}:\n"),
        ):
            (launcher.folder / name).write_text(Path("/etc", name).read_text() + line)
            (launcher.folder / name).chmod(0o644)
        for path in SHIPPED:
            (launcher.folder / "profiles" / path.name).write_text(path.read_text())
            (launcher.folder / "profiles" / path.name).chmod(0o644)
        launcher.kill(signal.SIGTERM)
        launcher.argv = ["unshare", "--mount", "sh", "-ec", STAGE, "sh", launcher.folder, *launcher.argv]
        launcher.restart()
        yield launcher


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    if os.geteuid() != 0 or not can_refuse():
        pytest.skip("only root can have another user there")
    with stage() as launcher, launcher.client() as one:
        yield one


pytestmark = [pytest.mark.root, needs_root]


def test_each_is_read_whole_and_runs_as_the_user_that_it_names(client: Client) -> None:
    told = client.ask("profiles")
    assert [one for one in told["broken"] if one["name"] in TOLD] == []
    assert {one["name"] for one in told["profiles"]} >= set(TOLD)
    for name in TOLD:
        output, _ = client.result("sh", "-c", "id -u; pwd; echo $HOME", profile=name)
        assert output.decode().split() == [str(UID), TOLD[name]["workspace"], "/var/lib/wand-job"]


@pytest.mark.parametrize("profile", BOUND)
def test_each_program_of_a_list_that_is_here_starts(client: Client, profile: str) -> None:
    broken = []
    for program in TOLD[profile]["programs"]:
        if not Path(program).exists():
            continue
        running = client.run(program, "--version", profile=profile)
        running.read()
        said, exited = running.read_errors(), client.exited(running.job)
        if exited["signal"] or exited["exit_code"] in {126, 127} or b"loading shared" in said:
            broken.append((program, exited, said))
    assert broken == []


@pytest.mark.parametrize("profile", BOUND)
def test_no_other_program_starts(client: Client, profile: str) -> None:
    with pytest.raises(Failed, match="does not list"):
        client.run("python3" if Path("/usr/bin/python3").exists() else "env", profile=profile)
    output, _ = client.result(
        "sh", "-c", "uname -z; env; chmod --version; nl --version; echo done", profile=profile
    )
    assert b"GNU" not in output
    assert output.endswith(b"done\n")


@pytest.mark.parametrize("attack", RUNS.values(), ids=RUNS)
def test_what_runs_in_the_workshop_from_its_workspace_runs_nowhere_else(client: Client, attack: str) -> None:
    script = (PREPARE + attack).replace("{p}", "$PWD")
    got = {
        name: b"GOT" in client.result("bash", "-c", script, profile=name)[0] for name in ("developer", *BOUND)
    }
    assert not any(got[name] for name in BOUND), got
    for place in PLACES[1:]:
        script = (PREPARE + attack).replace("{p}", place)
        for name in BOUND:
            assert b"GOT" not in client.result("bash", "-c", script, profile=name)[0], (name, place)


def test_most_of_these_do_run_in_the_workshop(client: Client) -> None:
    got = []
    for name, attack in RUNS.items():
        script = (PREPARE + attack).replace("{p}", "$PWD")
        got += [name] * (b"GOT" in client.result("bash", "-c", script, profile="developer")[0])
    assert set(RUNS) - set(got) <= {"as a pager", "as a library"}
