"""First processes that wait for a job: in the tree that is there now, alone, and gone with the launcher."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support import crashing
from support.launcher_client import SECONDS, Client, Failed, Launcher, launched, needs_root
from support.places import short_folder
from support.tree import ROOT
from support.waiting import is_alive

# Below /tmp each box mounts its own tree, elsewhere it gets a copy of the profile's.
PLACES = [place for place in ("/tmp", "/srv", "/opt") if os.access(place, os.W_OK)][:2]


@pytest.fixture(params=PLACES)
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    with launched(place=request.param) as one:
        yield one


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as one:
        yield one


def waiting(launcher: Launcher) -> list[int]:
    """The processes below a launcher that are called as an init is."""
    pid = launcher.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if _name(child) == "wand-init\n"]


def _name(process: str) -> str:
    with suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{process}/comm").read_text()
    return ""


def test_a_workspace_that_was_replaced_is_the_one_that_a_job_sees(launcher: Launcher, client: Client) -> None:
    for number in range(4):
        (launcher.workspace / "which").write_text(str(number))
        assert client.result("cat", "which")[0] == str(number).encode()
        launcher.workspace.rename(launcher.folder / f"old{number}")
        launcher.workspace.mkdir()


HIDDEN = {"a file": "key", "a file below": "deep/key", "a folder": "closed", "a file with its number": "anew"}


def lay(folder: Path) -> None:
    """Something secret in each of those places, in the place of what was there."""
    for name in ("deep", "closed"):
        if (folder / name).exists():
            (folder / name).rename(folder / f"{name}-{time.monotonic_ns()}")
        (folder / name).mkdir()
    for name in ("key.new", "deep/key", "closed/key"):
        (folder / name).write_text("secret")
    (folder / "key.new").replace(folder / "key")
    (folder / "anew").unlink(missing_ok=True)
    (folder / "anew").write_text("secret")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", HIDDEN.values(), ids=HIDDEN)
def test_a_hidden_place_that_was_replaced_is_hidden_from_the_next_job(place: str, name: str) -> None:
    with short_folder(place) as folder:
        lay(folder)
        keys = f'directories = ["{folder}"]\nhidden = ["{folder}/{name}"]'
        with launched(keys, place=place) as launcher, launcher.client() as client:
            for _ in range(4):
                looked = client.result("sh", "-c", f"cat {name} {name}/key", directory=str(folder))
                assert b"secret" not in looked[0]
                lay(folder)


# Stands in front of a launcher, and leaves it descriptors as a long life with many jobs does.
MANY = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096));"
    "[os.set_inheritable(os.open('/dev/null', 0), True) for _ in range(1100)];"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def test_descriptors_with_large_numbers_serve_as_well() -> None:
    with launched(before=[sys.executable, "-c", MANY]) as launcher, launcher.client() as client:
        for _ in range(4):
            assert client.result("echo", "there")[0] == b"there\n"


def test_a_launcher_with_few_descriptors_left_refuses_and_lives(launcher: Launcher, client: Client) -> None:
    pid, before = launcher.process.pid, resource.prlimit(launcher.process.pid, resource.RLIMIT_NOFILE)
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    for room in range(16):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + room, before[1]))
        with suppress(Failed):
            client.result("true")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert client.result("echo", "there")[0] == b"there\n"


def test_what_a_launcher_was_given_goes_to_none_that_it_starts(launcher: Launcher, client: Client) -> None:
    client.run("sleep", "100")
    told = Path(f"/proc/{launcher.process.pid}/fdinfo")
    flags = {}
    for one in told.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            flags[one.name] = int(one.read_text().split("flags:")[1].split()[0], 8)
    assert {name for name, flag in flags.items() if not flag & os.O_CLOEXEC} == {"0", "1", "2"}


def test_what_a_job_leaves_in_its_own_folders_no_other_job_sees(client: Client) -> None:
    for _ in range(4):
        output, exited = client.result(
            "sh", "-c", "ls -A /tmp /dev/shm; echo x > /tmp/x; echo x > /dev/shm/x"
        )
        assert b"x" not in output.split()
        assert exited["exit_code"] == 0


def test_two_jobs_at_once_share_no_network(client: Client) -> None:
    seen = [client.run("sh", "-c", "readlink /proc/self/ns/net; exec sleep 100") for _ in range(3)]
    names = [job.line() for job in seen]
    enforced = {one["name"] for one in client.ask("profiles")["guarantees"] if one["enforced"]}
    assert len(set(names)) == len(names) or "network" not in enforced


def test_the_network_of_a_job_that_has_ended_has_its_loopback_and_nobody_in_it(client: Client) -> None:
    script = 'import socket; print(socket.create_server(("127.0.0.1", 8765)).getsockname()[1])'
    for _ in range(4):
        output, exited = client.result("python3", "-c", script)
        assert (output, exited["exit_code"]) == (b"8765\n", 0)


@needs_root
def test_a_mount_that_is_made_later_is_there_for_the_next_job(launcher: Launcher, client: Client) -> None:
    client.result("true")
    (launcher.workspace / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "wand-test", launcher.workspace / "disk"], check=True)
    try:
        (launcher.workspace / "disk" / "file").write_text("on it")
        assert client.result("cat", "disk/file")[0] == b"on it"
    finally:
        subprocess.run(["umount", launcher.workspace / "disk"], check=True)


def test_inits_that_wait_go_with_a_killed_launcher(launcher: Launcher, client: Client) -> None:
    client.result("true")
    inits = waiting(launcher)
    launcher.kill(signal.SIGKILL)
    give_up = time.monotonic() + SECONDS
    while any(map(is_alive, inits)):
        assert time.monotonic() < give_up
        time.sleep(0.002)


def test_a_launcher_with_nothing_to_do_does_nothing(launcher: Launcher, client: Client) -> None:
    client.result("true")
    client.ask("jobs")
    before = cpu_seconds(launcher.process.pid)
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.receive()
    assert cpu_seconds(launcher.process.pid) - before < 0.2


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@needs_root
def test_an_init_that_waits_can_do_no_more_than_start_a_job_and_end_it(
    launcher: Launcher, client: Client
) -> None:
    client.result("true")
    give_up = time.monotonic() + SECONDS
    while not (inits := list(map(told, waiting(launcher)))) or any(one["Seccomp"] != "2" for one in inits):
        assert time.monotonic() < give_up
        time.sleep(0.002)
    for init in inits:
        assert int(init["CapPrm"], 16) == 1 << 5 | 1 << 6 | 1 << 7  # CAP_KILL, CAP_SETGID, CAP_SETUID
        assert int(init["CapBnd"], 16) == 0
        assert init["NoNewPrivs"] == "1"


def told(pid: int) -> dict[str, str]:
    """What the kernel says of a process; of one that has gone, that it has no filter."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return {"Seccomp": "none"}
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}


# As if its unit spared the launcher: a score that anybody may give stands for one that only root may.
SPARED = """
is_spared = lambda: True
def stop(pid="self"):
    Path("/proc", str(pid), _SCORE).write_text("700")
"""
SCORED = (
    "import os, sys; open('/proc/self/oom_score_adj', 'w').write('500'); os.execvp(sys.argv[1], sys.argv[1:])"
)


AT_ONCE = 9  # more than there are inits that wait


def came_at_once(launcher: Launcher, client: Client, *argv: str) -> list[bytes]:
    """What jobs say that are asked for while the launcher hears nothing, so that it hears of all together."""
    asked = {"profile": "p", "directory": "", "environment": {}, "limits": {}, "why": {}, "argv": argv}
    launcher.process.send_signal(signal.SIGSTOP)
    readers = []
    for number in range(AT_ONCE):
        reader, writer = os.pipe()
        message = {"do": "run", "re": next(client.numbers), "job": f"one of many {number}", **asked}
        client.send(message, [writer, writer, writer])
        os.close(writer)
        readers.append(reader)
    launcher.process.send_signal(signal.SIGCONT)
    said = [os.read(reader, 64) for reader in readers]
    for reader in readers:
        os.close(reader)
    return said


@pytest.mark.parametrize("place", PLACES)
def test_a_job_is_not_spared_with_its_launcher_and_the_launcher_stays_so(place: str, tmp_path: Path) -> None:
    program, before = crashing.mutant(tmp_path, "sparing.py", SPARED), [sys.executable, "-c", SCORED]
    with launched(place=place, before=before, program=program) as launcher, launcher.client() as client:
        for _ in range(12):
            assert client.result("cat", "/proc/self/oom_score_adj")[0] == b"700\n"
        assert came_at_once(launcher, client, "cat", "/proc/self/oom_score_adj") == [b"700\n"] * AT_ONCE
        assert Path(f"/proc/{launcher.process.pid}/oom_score_adj").read_text() == "500\n"


@needs_root
@pytest.mark.parametrize("network", ["none", "loopback", "proxy", "host"])
@pytest.mark.parametrize("place", PLACES)
def test_inits_are_made_in_advance_with_no_more_capabilities_than_the_unit_leaves(
    place: str, network: str
) -> None:
    unit = (ROOT / "systemd" / "wand-launcher.service").read_text()
    found = re.search(r"^CapabilityBoundingSet=(.+)$", unit, re.MULTILINE)
    assert found
    names = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in found[1].split())
    before = ["setpriv", "--inh-caps", "-all", "--bounding-set", f"-all,{names}"]
    profile = f'network = "{network}"' + ("\ndestinations = []" if network == "proxy" else "")
    with launched(profile, place=place, before=before) as launcher, launcher.client() as client:
        for _ in range(3):
            assert client.result("echo", "yes")[0] == b"yes\n"
        assert "no init in advance" not in launcher.log
