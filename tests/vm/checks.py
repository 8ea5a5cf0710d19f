"""What is tried in the machine: each limit, through the real launcher, and what comes of it."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.launcher_client import Client, Failed, Launcher, launched, marked, none_left
from vm import attacks

GROUPS = Path("/sys/fs/cgroup")
MIB = 2**20
PLACE = "/srv"  # on the disk, not in memory


class Unexpected(Exception):
    """Something else was seen than what a limit promises."""


def expect(good: object, seen: object) -> None:
    if not good:
        raise Unexpected(str(seen))


@contextmanager
def delegated(name: str, *flags: str, profile: str = "", uid: int = 0) -> Iterator[Launcher]:
    """A launcher in a control group of its own, as systemd starts a unit with `Delegate=yes`."""
    group = GROUPS / name
    group.mkdir()
    place = Path(PLACE) / name
    place.mkdir()
    steps = (
        "true" if uid else "echo -500 > /proc/self/oom_score_adj",  # as the unit has it
        f"cd {group}; ! [ -d launcher ] || cd launcher; echo $$ > cgroup.procs; cd /",
        f'chown -R {uid}:{uid} {place}; exec "$@"',
    )
    before: Sequence[str] = ("sh", "-ec", "; ".join(steps), "sh")
    if uid:
        for path in (group, *(group / f"cgroup.{file}" for file in ("procs", "subtree_control", "threads"))):
            os.chown(path, uid, uid)
        before = (*before, "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--")
    else:
        os.setxattr(group, "user.delegate", b"1")
    with launched(profile, "--development", *flags, before=before, place=str(place)) as launcher:
        yield launcher


class Stage(ExitStack):
    """The launchers that most checks share, started when they are needed."""

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[str, Client] = {}

    def client(self, *flags: str) -> Client:
        """A connection to a launcher that was started with these flags."""
        name = "".join(flags).lstrip("-") or "wand"
        if name not in self._clients:
            launcher = self.enter_context(delegated(f"{name}.service", *flags))
            self._clients[name] = self.enter_context(launcher.client())
        return self._clients[name]


def ended(client: Client, script: str, **limits: float) -> tuple[bytes, dict[str, Any]]:
    return client.result("sh", "-c", script, limits=limits)


# -- memory ----------------------------------------------------------------------------------------------


def memory(stage: Stage, *flags: str) -> str:
    """A tree that needs too much ends as a whole."""
    client = stage.client(*flags)
    running = client.run(
        "sh",
        "-c",
        "sleep 7771 & setsid sleep 7771 & tail /dev/zero; echo survived",
        limits={"memory_bytes": 48 * MIB},
    )
    end = client.exited(running.job)
    expect(end["reason"] == "out_of_memory" and end["signal"] == signal.SIGKILL, end)
    expect(b"survived" not in running.read(), "a part of the job went on")
    expect(none_left("7771", 5), "a process of the job is left")
    expect(44 * MIB < end["peak_memory_bytes"] <= 48 * MIB, end)
    return f"out_of_memory at {end['peak_memory_bytes'] / MIB:.0f} of 48 MiB; all 4 processes ended"


def memory_by_fork(stage: Stage) -> str:
    return memory(stage, "--fork")


def peak(stage: Stage) -> str:
    client = stage.client()
    _, end = ended(
        client, "head -c 20000000 /dev/zero | tail -c 20000000 | wc -c; true", memory_bytes=64 * MIB
    )
    _, small = ended(client, "true", memory_bytes=64 * MIB)
    expect(end["reason"] == "exited" and 20e6 < end["peak_memory_bytes"] < 64 * MIB, end)
    expect(small["peak_memory_bytes"] < 16e6, small)
    large, little = (one["peak_memory_bytes"] / MIB for one in (end, small))
    return f"{large:.1f} MiB where one process holds 19; {little:.1f} MiB for true"


def files_in_memory(stage: Stage) -> str:
    seen = []
    client = stage.client()
    for place in ("/tmp", "/dev/shm"):
        _, end = ended(client, f"head -c 80000000 /dev/zero > {place}/big; echo left", memory_bytes=32 * MIB)
        expect(end["reason"] == "out_of_memory", (place, end))
        _, end = ended(client, f"head -c 8000000 /dev/zero > {place}/small", memory_bytes=32 * MIB)
        expect(end["reason"] == "exited" and end["exit_code"] == 0, (place, end))
        seen.append(place)
    return f"out_of_memory by files in {' and '.join(seen)}"


# -- processes -------------------------------------------------------------------------------------------

_BORN = "i=0; while [ $i -lt 30 ]; do sleep 7772 & i=$((i+1)); done; echo all"


def processes(stage: Stage, *flags: str) -> str:
    client = stage.client(*flags)
    out, end = ended(client, _BORN, processes=10)
    expect(end["reason"] == "exited" and end["also"] == ["process_limit"], end)
    expect(b"all" not in out and end["exit_code"], (out, end))
    out, end = ended(client, _BORN, processes=40)
    expect(end["also"] == [] and b"all" in out, (out, end))
    return "the 11th is refused (EAGAIN); the exit says process_limit beside its code"


def processes_by_fork(stage: Stage) -> str:
    return processes(stage, "--fork")


_OF_A_WAITING_INIT = 2  # processes: itself, and the one that becomes the command


def fork_bomb(stage: Stage) -> str:
    client = stage.client()
    bomb = "f() { f 7773 | f 7773 & }; f; sleep 7773"
    job = client.run("bash", "-c", bomb, limits={"processes": 20, "wall_seconds": 40}).job
    most, give_up = 0, time.monotonic() + 20
    while most < 21 and time.monotonic() < give_up:
        most = max(most, _most_in_a_leaf())
        time.sleep(0.05)
    began = time.monotonic()
    output, _ = client.result("echo", "answered")
    took = time.monotonic() - began
    client.ask("kill", job=job, signal=signal.SIGKILL, reason="cancelled")
    end = client.exited(job)
    expect(end["reason"] == "cancelled" and "process_limit" in end["also"], (most, end))
    expect(most <= 21 and output == b"answered\n", (most, output))
    expect(_most_in_a_leaf() <= _OF_A_WAITING_INIT and not marked("7773"), "processes are left")
    return f"held at {most} of 21 processes; another job ran meanwhile in {took:.1f} s; all ended"


def _most_in_a_leaf() -> int:
    return max(len(_text(path).split()) for path in GROUPS.glob("*/jobs/*/cgroup.procs"))


# -- processor time --------------------------------------------------------------------------------------


def share(stage: Stage) -> str:
    client = stage.client()
    running = client.run("sh", "-c", "while :; do :; done", limits={"cpu_percent": 20, "wall_seconds": 3})
    throttled = 0
    while running.job not in client.exits:
        for path in GROUPS.glob("*/jobs/*/cpu.stat"):
            found = re.search(r"nr_throttled (\d+)", _text(path))
            throttled = max(throttled, int(found[1]) if found else 0)
        _listen(client, 0.2)
    end = client.exited(running.job)
    used = end["cpu_seconds"] / end["wall_seconds"]
    expect(end["reason"] == "timed_out" and used < 0.4 and throttled > 5, (end, throttled))
    return f"{used:.0%} of a processor at 20 %, throttled {throttled} times"


def time_of_all(stage: Stage) -> str:
    spin = "while :; do :; done"
    client = stage.client()
    _, end = ended(client, f"sh -c '{spin}' & sh -c '{spin}' & wait", cpu_seconds=2, wall_seconds=30)
    expect(end["reason"] == "cpu_limit" and 2 <= end["cpu_seconds"] < 3, end)
    return f"cpu_limit at {end['cpu_seconds']:.2f} s of 2 s, of two processes together"


# -- the end ---------------------------------------------------------------------------------------------

_TREE = """
for i in 1 2 3 4 5; do sleep 7774 & done
setsid sh -c 'sleep 7774 & exec sleep 7774' &
(setsid sh -c '(sleep 7774 &) ; exec sleep 7774' &)
echo up; wait
"""


def _most_marked(marker: str, wanted: int) -> int:
    """How many processes there are with that marker, once there are so many, or after a while."""
    give_up = time.monotonic() + 4
    while (count := len(marked(marker))) < wanted and time.monotonic() < give_up:
        time.sleep(0.05)
    return count


def deadline(stage: Stage) -> str:
    client = stage.client()
    running = client.run("sh", "-c", _TREE, limits={"wall_seconds": 6})
    expect(running.line() == b"up\n", "it did not start")
    count = _most_marked("7774", 8)
    end = client.exited(running.job)
    expect(none_left("7774", 0), "processes are left")
    expect(end["reason"] == "timed_out" and count >= 8, (count, end))
    late = (end["wall_seconds"] - 6) * 1000
    return f"{count} processes, daemons among them, gone {late:.0f} ms after the deadline"


def swept(_: Stage) -> str:
    """A launcher is killed, something of its job survives: the next one ends it, and says ambiguous of it."""
    group = GROUPS / "named"
    group.mkdir()
    with launched("", "--development", "--cgroup", str(group), place=PLACE) as launcher:
        with launcher.client() as client:
            job = client.run("sh", "-c", "echo up; sleep 7775").job
            client.jobs[-1].line()
            leaf = next(
                path.parent for path in group.glob("jobs/*/cgroup.procs") if len(_text(path).split()) > 1
            )
            survivor = subprocess.Popen(["sleep", "7776"])
            launcher.kill(signal.SIGKILL)
            (leaf / "cgroup.procs").write_text(str(survivor.pid))
        expect(none_left("7775", 5), "the job outlived its launcher")
        left = len([path for path in group.glob("jobs/*") if path.is_dir()])
        launcher.restart()
        expect(survivor.wait(5) == -signal.SIGKILL, "the survivor lives")
        lost = [line["fields"]["job"] for line in launcher.records("ambiguous")]
        expect(lost == [job] and "survivors ended" in launcher.log, (lost, launcher.log))
        with launcher.client() as client:
            expect(client.result("echo", "again")[0] == b"again\n", "the next launcher runs nothing")
    return f"{left} leaves swept, 1 survivor ended, its job is ambiguous in the ledger"


def restarted(_: Stage) -> str:
    """Who started a launcher lies in its leaf afterwards; the next one divides the same group."""
    group = GROUPS / "again.service"
    with delegated(group.name) as launcher:
        launcher.kill(signal.SIGTERM)
        launcher.restart()
        with launcher.client() as client:
            running = client.run("sh", "-c", "echo up; sleep 7777")
            expect(running.line() == b"up\n", "it did not start")
        expect(
            any(_text(path).strip() for path in group.glob("jobs/*/cgroup.procs")), "no leaf has a process"
        )
        expect(not (group / "launcher" / "jobs").exists(), "the leaf of the launcher was divided")
    return "the next launcher divides the same group"


# -- disk ------------------------------------------------------------------------------------------------


def disk(stage: Stage) -> str:
    client = stage.client()
    _, end = ended(
        client, "dd if=/dev/zero of=big bs=64k; sleep 60", disk_bytes=16 * MIB, file_size_bytes=300 * MIB
    )
    expect(end["reason"] == "disk_limit", end)
    size = _size_and_remove("big")
    innocent = client.run("sh", "-c", "echo up; sleep 4", limits={"disk_bytes": 16 * MIB})
    expect(innocent.line() == b"up\n", "it did not start")
    ended(client, "head -c 60000000 /dev/zero > other; sync")
    other = client.exited(innocent.job)
    expect(other["reason"] == "exited", other)
    _size_and_remove("other")
    return f"disk_limit with {size / MIB:.0f} MiB written of 16; a job beside that wrote nothing went on"


def _size_and_remove(name: str) -> int:
    path = next(Path(PLACE).glob(f"*/w*/work/{name}"))
    size = path.stat().st_size
    path.unlink()
    return size


# -- who may what ----------------------------------------------------------------------------------------


def hidden_groups(stage: Stage) -> str:
    seen = "cat /proc/self/cgroup /proc/self/oom_score_adj"
    script = f"{seen}; ls /sys/fs/cgroup; mkdir g; mount -t cgroup2 none g; unshare -C true"
    for client in (stage.client(), stage.client("--fork")):
        out, _ = ended(client, script)
        expect(out == b"0::/\n0\n", out)
    return "a job sees 0::/ and no control group to write; it is not spared as its launcher is"


def ordinary_user(_: Stage) -> str:
    """The same of a launcher that is not root, in a group that belongs to its user."""
    with delegated("user.scope", uid=1000) as launcher, launcher.client() as client:
        memory_end = ended(client, "tail /dev/zero", memory_bytes=48 * MIB)[1]
        processes_end = ended(client, _BORN, processes=10)[1]
        groups_end = ended(client, "echo 0 > /sys/fs/cgroup/cgroup.procs")[1]
    expect(memory_end["reason"] == "out_of_memory", memory_end)
    expect(processes_end["also"] == ["process_limit"], processes_end)
    expect(groups_end["exit_code"], groups_end)
    return "out_of_memory and process_limit, in a user namespace"


def demanded(_: Stage) -> str:
    """`minimum` denies where a sum is missing, and says which."""
    profile = 'minimum = ["resource ceilings"]'
    with delegated("minimum.service", profile=profile) as launcher, launcher.client() as client:
        expect(client.result("echo", "yes")[0] == b"yes\n", "it was denied where all is counted")
    parent = GROUPS / "few"
    (parent / "wand").mkdir(parents=True)
    (parent / "cgroup.subtree_control").write_text("+memory")
    with launched(profile, "--development", "--cgroup", str(parent / "wand"), place=PLACE) as launcher:
        refused = _refusal(launcher)
    expect("pids, cpu" in refused, refused or "it ran without its sums")
    return "runs with all sums; without pids and cpu: BrokenPolicy, which names them"


def _refusal(launcher: Launcher) -> str:
    """What the launcher says instead of running something; nothing where it runs it."""
    with launcher.client() as client:
        try:
            client.run("true")
        except Failed as refused:
            return str(refused.message)
    return ""


def guarantees(stage: Stage) -> str:
    client = stage.client()
    told = client.ask("profiles")["guarantees"]
    kept = [one["name"] for one in told if one["enforced"]]
    details = {one["name"]: one["detail"] for one in told}
    expect("resource ceilings" in kept, details["resource ceilings"])
    landlock = re.search(r"Landlock (\d+)", details["file system"])
    expect(landlock, details["file system"])
    return f"{len(kept)} of {len(told)} enforced; Landlock {landlock[1] if landlock else 0}"


CHECKS: Mapping[str, Callable[[Stage], str]] = {
    "guarantees": guarantees,
    "memory": memory,
    "memory, by fork": memory_by_fork,
    "peak memory": peak,
    "files in memory": files_in_memory,
    "processes": processes,
    "processes, by fork": processes_by_fork,
    "fork bomb": fork_bomb,
    "share of the processor": share,
    "processor time": time_of_all,
    "deadline": deadline,
    "disk": disk,
    "launcher killed": swept,
    "launcher restarted": restarted,
    "own control group": hidden_groups,
    "ordinary user": ordinary_user,
    "minimum": demanded,
    "attacks": lambda _: attacks.check(GROUPS),
}


def _listen(client: Client, seconds: float) -> None:
    """Take what the launcher says, for at most that long."""
    client.socket.settimeout(seconds)
    try:
        client.receive()
    except TimeoutError:
        return
    finally:
        client.socket.settimeout(60)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
