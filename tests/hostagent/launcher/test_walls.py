"""What a job cannot do to this machine: each attack works outside, as the same user, and not in a job."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import Client, Launcher, launched
from support.places import short_folder

PYTHON = "/usr/bin/python3 -I -S -c"
UNIX = (
    "import socket,sys; name = sys.argv[1].replace('@', chr(0), 1);"
    " socket.socket(socket.AF_UNIX).connect(name); print('in')"
)
# A shell script that says `in` where it succeeds; {out} is a folder outside, {port} listens on this machine.
ATTACKS = {
    "read outside": "cat {out}/secret",
    "read outside through /proc": "cat /proc/self/root{out}/secret",
    "list outside": "ls {out} | grep -q secret && echo in",
    "see the mode of a file outside": "test -r {out}/secret && echo in",
    "link to a file outside": "ln -sf {out}/secret link && cat link",
    "see a process outside": "kill -0 {pid} && echo in",
    "read the command line of a process outside": "grep -q sleep /proc/{pid}/cmdline && echo in",
    "connect to a socket outside": f'{PYTHON} "{UNIX}" {{out}}/socket',
    "connect to an abstract socket outside": f'{PYTHON} "{UNIX}" @{{name}}',
    "connect to this machine": "exec 3<>/dev/tcp/127.0.0.1/{port} && echo in",
    "read settings that hold keys": "test -d /etc/ssl/private && echo in",
    "reach services of this machine": "test -d /run && echo in",
    "see devices of this machine": "test -e /dev/kmsg && echo in",
    "see this machine's hardware": "test -d /sys/block -o -d /sys/bus -o -d /sys/devices/virtual && echo in",
    "see shared memory of this machine": "ipcs -m | grep -q {key} && echo in",
}
# The same for what is made or changed: a script, and the file outside that tells.
CHANGES = {
    "write outside": "echo x > {out}/made",
    "write outside through a link": "ln -sfn {out} way; echo x > way/made",
    "write outside from the folder above": "echo x > ../../{out}/made",
    "make something in the temporary folder of this machine": "echo x > {tmp}",
}


@pytest.fixture(scope="module")
def outside() -> Iterator[dict[str, str]]:
    """Things outside that an attack could reach, by the names that scripts use."""
    with (
        short_folder() as folder,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        (folder / "secret").write_text("in\n")
        named.bind(str(folder / "socket"))
        abstract.bind(f"\0wand-{os.getpid()}")
        with socket.create_server(("127.0.0.1", 0)) as listening:
            named.listen(16)
            abstract.listen(16)
            bystander = subprocess.Popen(["sleep", "1000"])
            key = subprocess.run(["ipcmk", "-M", "16"], check=False, capture_output=True, text=True)
            shared = key.stdout.split()[-1] if key.stdout else "none"
            yield {
                "out": str(folder), "name": f"wand-{os.getpid()}", "port": str(listening.getsockname()[1]),
                "pid": str(bystander.pid), "key": f" {shared} ", "tmp": f"/tmp/made-{os.getpid()}",
            }  # fmt: skip
            subprocess.run(["ipcrm", "-m", shared], check=False, capture_output=True)
            bystander.kill()
            bystander.wait()


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with launched() as one:
        yield one


@pytest.fixture
def job(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as client:
        kept = {one["name"]: one["enforced"] for one in client.ask("profiles")["guarantees"]}
        if not (kept["file system"] and kept["network"]):
            pytest.skip("this machine gives no walls")
        yield client


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_look_outside_works_there_and_not_in_a_job(
    job: Client, outside: dict[str, str], attack: str, tmp_path: Path
) -> None:
    script = attack.format(**outside)
    there = subprocess.run(["bash", "-c", script], check=False, capture_output=True, cwd=tmp_path)
    if b"in" not in there.stdout:
        pytest.skip("it does not work outside either, on this machine")
    assert b"in" not in job.result("bash", "-c", script)[0]


@pytest.mark.parametrize("attack", CHANGES.values(), ids=CHANGES)
def test_a_change_outside_works_there_and_not_in_a_job(
    job: Client, outside: dict[str, str], attack: str, tmp_path: Path
) -> None:
    script, made = attack.format(**outside), Path(outside["tmp" if "{tmp}" in attack else "out"])
    made = made if "{tmp}" in attack else made / "made"
    subprocess.run(["bash", "-c", script.replace("../..", "../../../../..")], check=True, cwd=tmp_path)
    assert made.read_text() == "x\n"
    made.unlink()
    job.result("bash", "-c", script)
    assert not made.exists()


@pytest.mark.parametrize(
    "path",
    ["/usr/made", "/etc/made", "/made", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/dev/made",
     "/proc/sys/vm/drop_caches", "/var/lib/dpkg/made", "/etc/passwd"],
)  # fmt: skip
def test_what_is_shown_cannot_be_written_by_root_either(job: Client, path: str) -> None:
    _, exited = job.result("sh", "-c", f": >> {path}")
    assert exited["exit_code"] != 0


def test_devices_of_this_machine_can_be_used_and_not_changed(job: Client) -> None:
    mode = f"{Path('/dev/null').stat().st_mode & 0o777:o}"  # the one that it has: this must not harm
    script = f"echo x > /dev/null && head -c1 /dev/zero | wc -c; chmod {mode} /dev/null || echo kept"
    assert job.result("sh", "-c", script)[0] == b"1\nkept\n"


def test_a_job_has_no_capability_and_can_have_none(job: Client) -> None:
    output, _ = job.result("grep", "-E", "^Cap|NoNewPrivs|^Seccomp:", "/proc/self/status")
    told = dict(line.split(":\t") for line in output.decode().splitlines())
    assert {told[name] for name in told if name.startswith("Cap")} == {"0" * 16}
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")


def test_a_job_does_not_hear_of_the_keys_of_this_machine(job: Client) -> None:
    assert job.result("cat", "/proc/keys")[0] == b""
    assert not Path("/proc/keys").exists() or Path("/proc/keys").read_text()


def test_a_job_cannot_have_its_memory_given_to_a_program_of_roots(job: Client) -> None:
    """A core of 0 bytes is given to such a program, one of 1 is not: core(5)."""
    look = "import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); print(*r.getrlimit(r.RLIMIT_CORE))"
    assert job.result("/usr/bin/python3", "-I", "-S", "-c", look)[0] == b"1 1\n"


def test_what_a_job_needs_is_there_and_its_own(job: Client) -> None:
    script = "echo x > /tmp/a && echo y > /dev/shm/b && mkdir -p ~/c && cat /tmp/a /dev/shm/b"
    assert job.result("sh", "-c", script)[0] == b"x\ny\n"
    assert job.result("ls", "/tmp/a", "/dev/shm/b")[0] == b""


def test_jobs_do_not_reach_one_another(job: Client) -> None:
    first = job.run("sh", "-c", "echo; exec sleep 100")
    first.line()
    assert job.result("sh", "-c", "ps -e -o args= | grep -c '[s]leep 100'")[0] == b"0\n"
    job.ask("kill", job=first.job, signal=9, reason="signal")


# -- hidden places ---------------------------------------------------------------------------------------


@pytest.fixture
def hiding() -> Iterator[Launcher]:
    """A launcher whose workspace is all that it has, its own ledger and profiles in it, and a secret."""
    with short_folder() as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "key").write_text("secret")
        keep = json.dumps([f"{folder}/deep/er/key", f"{folder}/nowhere"])
        with launched(f"directories = [{json.dumps(str(folder))}]\nhidden = {keep}") as launcher:
            (launcher.folder / "seen").symlink_to(folder)
            yield launcher


@pytest.mark.parametrize(
    "attack",
    [
        "cat deep/er/key",
        "mv deep/er/key k; cat k",
        "mv deep/er er; cat er/key",
        "mv deep d; cat d/er/key",
        "rm -rf deep; cat deep/er/key",
        "ln deep/er/key k; cat k",
        "cp -r deep d; cat d/er/key",
        "umount deep/er/key; cat deep/er/key",
    ],
)
def test_a_hidden_file_stays_hidden_whatever_its_folders_are_called(hiding: Launcher, attack: str) -> None:
    secret = (hiding.folder / "seen").resolve()
    with hiding.client() as client:
        for script in (attack, "cat deep/er/key d/er/key er/key k"):
            assert b"secret" not in client.result("sh", "-c", script, directory=str(secret))[0]
    assert (secret / "deep" / "er" / "key").read_text() == "secret"


def test_the_launchers_own_files_are_not_seen_where_the_workspace_holds_them() -> None:
    with launched() as launcher:
        text = f'name = "q"\nworkspace = "{launcher.folder}"\n'
        path = launcher.folder / "profiles" / "q.toml"
        path.write_text(text)
        path.chmod(0o644)
        launcher.process.send_signal(1)
        with launcher.client() as client:
            give_up = time.monotonic() + 10
            while len(client.ask("profiles")["profiles"]) < 2:
                assert time.monotonic() < give_up
            output, _ = client.result("sh", "-c", "ls ledger profiles; cat ledger/* profiles/*", profile="q")
            assert output == b"ledger:\n\nprofiles:\n"
            made = "test -S launcher.sock; echo $?; echo x > ledger/new || mv ledger l || echo no"
            assert client.result("sh", "-c", made, profile="q")[0] == b"1\nno\n"
    assert "q.toml" in str(path)


# -- a profile's own word --------------------------------------------------------------------------------


def test_what_a_job_wrote_runs_in_a_workshop_and_nowhere_else() -> None:
    script = "for d in . /tmp /dev/shm ~; do cp /bin/echo $d/e && $d/e $d; done"
    with launched() as launcher, launcher.client() as client:
        assert len(client.result("sh", "-c", script)[0].splitlines()) == 4
    with launched("execute_in_workspace = false") as launcher, launcher.client() as client:
        assert client.result("sh", "-c", script)[0] == b""
        loader = (
            "for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do test -e $l && $l ./e x; done"
        )
        assert client.result("sh", "-c", f"cp /bin/echo e; {loader}")[0] == b""


@pytest.mark.parametrize(
    ("network", "own", "machine"),
    [("none", b"no", b"no"), ("loopback", b"in", b"no"), ("host", b"in", b"in")],
)
def test_a_network_is_what_the_profile_says(network: str, own: bytes, machine: bytes) -> None:
    code = """import socket
try:
    server = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(server.getsockname())
    print("in")
except OSError:
    print("no")"""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with launched(f'network = "{network}"') as launcher, launcher.client() as client:
            assert client.result("/usr/bin/python3", "-c", code)[0].strip() == own
            reach = f"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo in || echo no"
            assert client.result("bash", "-c", reach)[0].strip() == machine


def test_a_profile_that_demands_what_is_not_there_denies_and_names_it() -> None:
    with launched("landlock_abi_minimum = 999") as launcher, launcher.client() as client:
        broken = client.ask("profiles")["broken"]
        assert [one["name"] for one in broken] == ["p"]
        assert "landlock_abi_minimum is 999" in broken[0]["why"]


def test_the_walls_are_printed_and_hashed_into_the_record(job: Client, launcher: Launcher) -> None:
    job.result("true")
    job.result("false")
    steps = {record["fields"]["steps"] for record in launcher.records("run")[-2:]}
    assert len(steps) == 1
