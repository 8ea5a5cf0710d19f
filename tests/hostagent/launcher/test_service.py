"""The launcher's socket: what is recorded before it is done, who may ask, what is kept for whom."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support import ledgers
from support.launcher_client import Client, Failed, Launcher, launched, needs_root, new_job
from wand_hostagent.launcher import nursery, protocol


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with launched("[limits]\nwall_seconds = 60\nopen_files = 77") as one:
        yield one


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as one:
        yield one


# -- recorded first --------------------------------------------------------------------------------------


def test_what_a_command_says_first_comes_after_its_record(launcher: Launcher, client: Client) -> None:
    running = client.run("echo", "here", job=new_job())
    assert running.line() == b"here\n"
    assert [one["fields"]["job"] for one in launcher.records("run")] == [running.job]


def test_the_record_says_who_what_where_how_much_and_by_which_steps(
    launcher: Launcher, client: Client
) -> None:
    why = {"principal": "ann", "rule": "all", "stdin_sha256": "00"}
    job = client.run("true", "x", why=why, limits={"wall_seconds": 5}).job
    fields = launcher.records("run")[0]["fields"]
    assert (fields["job"], fields["argv"], fields["why"]) == (job, ["true", "x"], why)
    assert (fields["profile"], fields["uid"]) == ("p", os.geteuid())
    assert fields["limits"] == {"wall_seconds": 5, "open_files": 77}
    assert len(fields["steps"]) == len(fields["profile_sha256"]) == 64


def test_nothing_is_done_that_a_full_ledger_cannot_tell_of() -> None:
    with launched(before=["prlimit", "--fsize=6000"]) as launcher, launcher.client() as client:
        jobs, refused = [f"job-{number}" for number in range(20)], []
        for job in jobs:
            try:
                client.result("touch", job, job=job)
            except Failed as failed:
                refused.append(failed.kind)
        recorded = {line["fields"]["job"] for line in launcher.records("run")}
        assert {path.name for path in launcher.workspace.iterdir()} == recorded
        assert set(refused) == {"Exhausted"}
        assert len(recorded) + len(refused) == len(jobs)
        assert not ledgers.chain(launcher.ledger.parent).damage


def test_what_the_host_agent_records_is_durable_when_it_is_answered(
    launcher: Launcher, client: Client
) -> None:
    client.ask("record", event="refused", fields={"principal": "ann", "argv": ["rm"]})
    assert launcher.records("refused")[0]["fields"]["principal"] == "ann"


def test_what_may_wait_is_answered_at_once_and_recorded_soon(launcher: Launcher, client: Client) -> None:
    client.ask("note", event="output", fields={"job": "j", "stdout_bytes": 1})
    client.ask("record", event="refused", fields={})
    assert launcher.records("output")[0]["fields"] == {"job": "j", "stdout_bytes": 1}
    with pytest.raises(Failed, match="launcher alone"):
        client.ask("note", event="end", fields={})


@pytest.mark.parametrize("event", ["", "run", "end", "start", "ambiguous", "checkpoint", "Big", "a b"])
def test_the_host_agent_cannot_write_what_the_launcher_alone_may_say(client: Client, event: str) -> None:
    with pytest.raises(Failed) as refused:
        client.ask("record", event=event, fields={})
    assert (refused.value.kind, refused.value.field) == ("Invalid", "event")


def test_a_killed_launcher_leaves_jobs_that_the_next_one_calls_ambiguous(launcher: Launcher) -> None:
    with launcher.client() as client:
        job = client.run("sleep", "60").job
        launcher.kill(signal.SIGKILL)
    launcher.restart()
    assert [line["fields"]["job"] for line in launcher.records("ambiguous")] == [job]
    assert not ledgers.chain(launcher.ledger.parent).damage


def test_a_thousand_requests_at_once_are_one_chain(launcher: Launcher, client: Client) -> None:
    for number in range(1000):
        client.send({"do": "record", "re": number, "event": "file", "fields": {"n": number}})
    for number in range(1000):
        client.answer(number)
    assert [line["fields"]["n"] for line in launcher.records("file")] == list(range(1000))
    assert not ledgers.chain(launcher.ledger.parent).damage


# -- limits ----------------------------------------------------------------------------------------------


def test_limits_are_the_lower_of_the_two_and_come_back(client: Client) -> None:
    running = client.run("sh", "-c", "ulimit -n", limits={"open_files": 1000, "wall_seconds": 1})
    assert running.started["limits"] == {"open_files": 77, "wall_seconds": 1}
    assert running.read() == b"77\n"


@pytest.mark.parametrize(
    ("name", "amount", "script", "ending"),
    [
        ("cpu_seconds", 1, "while :; do :; done", ("cpu_limit", signal.SIGXCPU)),
        ("cpu_seconds", 1, "trap '' XCPU; while :; do :; done", ("cpu_limit", signal.SIGKILL)),
        ("file_size_bytes", 4096, "exec head -c 9000 /dev/zero > big", ("file_size_limit", signal.SIGXFSZ)),
        (  # again and again: others may remove as much from the same disk meanwhile
            "disk_bytes",
            2**20,
            "while :; do head -c 9000000 /dev/zero >> big; sleep 0.3; done",
            ("disk_limit", signal.SIGKILL),
        ),
    ],
)
def test_a_limit_ends_the_command_and_is_told(
    client: Client, name: str, amount: int, script: str, ending: tuple[str, int]
) -> None:
    _, exited = client.result("sh", "-c", script, limits={name: amount})
    assert (exited["reason"], exited["signal"]) == ending


def test_a_limit_that_ended_only_a_child_of_the_command_is_told_beside_its_exit(client: Client) -> None:
    script = "head -c 9000 /dev/zero > big; exit $?"
    _, exited = client.result("sh", "-c", script, limits={"file_size_bytes": 4096})
    assert (exited["reason"], exited["exit_code"]) == ("exited", 128 + signal.SIGXFSZ)
    assert exited["also"] == ["file_size_limit"]


def test_what_is_in_memory_does_not_count_as_added_to_the_disk(client: Client) -> None:
    script = "head -c 90000000 /dev/zero > /tmp/big && sleep 0.5"
    tries = (client.result("sh", "-c", script, limits={"disk_bytes": 2**26})[1] for _ in range(5))
    # What others write there meanwhile counts, where nothing tells who wrote; not in each of the tries.
    assert any((exited["reason"], exited["exit_code"]) == ("exited", 0) for exited in tries)


def test_memory_is_limited(client: Client) -> None:
    script = "x=$(head -c 80000000 /dev/zero | tr '\\0' x); echo ${#x}"
    output, exited = client.result("sh", "-c", script, limits={"memory_bytes": 30_000_000})
    assert output == b""
    assert (exited["exit_code"], exited["signal"]) != (0, 0)


# -- jobs that outlive a connection ----------------------------------------------------------------------


def test_a_job_outlives_the_connection_and_is_adopted_with_its_output(launcher: Launcher) -> None:
    with launcher.client() as first:
        job = first.run("sh", "-c", "read line; echo before; sleep 0.3; echo after", why={"rule": "r"}).job
    with launcher.client() as second:
        listed = {one["job"]: one for one in second.ask("jobs")["jobs"]}
        assert listed[job]["running"] in {True, False}
        assert (listed[job]["why"], listed[job]["argv"][0]) == ({"rule": "r"}, "sh")
        _, (stdout, stderr) = second.ask_for_descriptors("adopt", job=job)
        assert second.exited(job)["reason"] == "exited"
        assert os.read(stdout, 100) == b"before\nafter\n"
        os.close(stdout)
        os.close(stderr)


def test_an_end_is_told_to_everybody_and_again_until_it_is_forgotten(
    launcher: Launcher, client: Client
) -> None:
    with launcher.client() as other:
        other.ask("jobs")
        job = client.run("true").job
        assert client.exited(job) == other.exited(job)
    with launcher.client() as third:
        assert third.exited(job)["exit_code"] == 0
        third.ask("forget", job=job)
    with launcher.client() as fourth:
        assert fourth.ask("jobs")["jobs"] == []
        assert fourth.exits == {}


def test_what_is_asked_for_quietly_is_done_without_an_answer_and_refused_with_one(
    launcher: Launcher, client: Client
) -> None:
    job, quiet = client.run("true").job, {"re": 7777, "quiet": True}
    client.exited(job)
    client.send({"do": "forget", "job": job, **quiet})
    client.send({"do": "note", "event": "output", "fields": {}, **quiet})
    assert client.ask("jobs")["jobs"] == []
    assert not client.answers
    client.send({"do": "note", "event": "end", "fields": {}, **quiet})
    with pytest.raises(Failed, match="launcher alone"):
        client.answer(7777)
    client.ask("record", event="refused", fields={})  # what waits is written with it
    assert [line["fields"] for line in launcher.records("output")] == [{}]


def test_a_job_that_runs_is_not_forgotten_and_its_name_not_taken(client: Client) -> None:
    job = client.run("sleep", "60").job
    with pytest.raises(Failed, match="still runs"):
        client.ask("forget", job=job)
    with pytest.raises(Failed) as refused:
        client.run("true", job=job)
    assert refused.value.kind == "Conflict"


def test_many_long_jobs_fit_into_one_answer(client: Client) -> None:
    jobs = [client.run("sh", "-c", "sleep 60", "x" * 4000).job for _ in range(60)]
    listed = client.ask("jobs")["jobs"]
    assert [one["job"] for one in listed] == jobs
    assert all(one["argv"] == ["sh", "…"] for one in listed)


def test_a_job_that_nobody_knows_is_not_adopted(client: Client) -> None:
    with pytest.raises(Failed) as refused:
        client.ask("adopt", job="nonesuch")
    assert refused.value.kind == "NotFound"


# -- peers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw", [b"no json", b"[1]", b"x" * (protocol.MESSAGE_BYTES + 1)], ids=["text", "list", "large"]
)
def test_a_peer_that_does_not_speak_the_protocol_is_dropped_and_the_others_are_not(
    launcher: Launcher, client: Client, raw: bytes
) -> None:
    with launcher.client() as stranger, suppress(OSError):
        stranger.send_bytes(raw)
        with pytest.raises(ConnectionResetError):
            stranger.receive()
    assert client.ask("jobs")["jobs"] == []


def test_a_request_that_cannot_be_read_is_answered_with_the_field(client: Client) -> None:
    with pytest.raises(Failed, match="nonesuch") as refused:
        client.ask("kill", job="j", signal=9, reason="cancelled", nonesuch=1)
    assert (refused.value.kind, refused.value.field) == ("Invalid", "nonesuch")


def test_a_fifth_connection_is_refused(launcher: Launcher) -> None:
    four = [launcher.client() for _ in range(4)]
    for one in four:
        one.ask("jobs")
    fifth = launcher.client()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        fifth.ask("jobs")
    for one in (*four, fifth):
        one.close()


def test_a_peer_that_never_reads_is_dropped_and_nobody_waits_for_it(
    launcher: Launcher, client: Client
) -> None:
    deaf = launcher.client()
    deaf.socket.setblocking(False)
    with suppress(OSError):
        for number in range(20_000):
            try:
                deaf.send({"do": "profiles", "re": number})
            except BlockingIOError:
                client.ask("jobs")
    assert client.ask("jobs")["jobs"] == []
    client.ask("record", event="after", fields={})
    assert "it does not read" in launcher.log
    deaf.close()


@pytest.mark.root
@needs_root
@pytest.mark.parametrize(("flags", "welcome"), [((), False), (("--peer-uid", "65533"), True)])
def test_a_peer_is_known_by_its_user(flags: tuple[str, ...], *, welcome: bool) -> None:
    with launched("", "--development", *flags) as launcher:
        launcher.socket.chmod(0o666)
        os.seteuid(65533)
        try:
            stranger = launcher.client()
        finally:
            os.seteuid(0)
        if welcome:
            assert stranger.ask("jobs")["jobs"] == []
        else:
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                stranger.ask("jobs")
        stranger.close()


@pytest.mark.parametrize("kind", ["a directory", "a mere place"])
def test_a_stream_that_opens_more_than_itself_is_refused(client: Client, kind: str) -> None:
    flags = os.O_RDONLY if kind == "a directory" else os.O_PATH
    place, null = os.open("/", flags), os.open(os.devnull, os.O_RDWR)
    asked = {"profile": "p", "argv": ["true"], "directory": "", "environment": {}, "limits": {}, "why": {}}
    with pytest.raises(Failed) as refused:
        client.ask("run", [place, null, null], job="j", **asked)
    assert (refused.value.kind, refused.value.field) == ("Invalid", "descriptors")
    os.close(place)
    os.close(null)


# -- nothing leaks ---------------------------------------------------------------------------------------


def test_descriptors_and_processes_do_not_add_up() -> None:
    with launched(before=["prlimit", "--nofile=40"]) as launcher, launcher.client() as client:
        for number in range(60):
            if number % 3 == 0:
                with pytest.raises(Failed):
                    client.run("nonesuch")
            job = client.run("true").job
            client.exited(job)
            client.ask("forget", job=job)
            client.jobs.pop().close()
        assert client.ask("jobs")["jobs"] == []
        children = Path(f"/proc/{launcher.process.pid}/task/{launcher.process.pid}/children")
        await_few(children, nursery.WAITING)  # those of the last jobs may still be ending
        names = {name for child in children.read_text().split() if (name := name_of(child))}
        assert names <= {"wand-init\n", "wand-launcher\n"}  # the latter has only just been made


def await_few(children: Path, most: int) -> None:
    """Wait until no more than so many children are left."""
    give_up = time.monotonic() + 20
    while len(children.read_text().split()) > most and time.monotonic() < give_up:
        time.sleep(0.01)
    assert len(children.read_text().split()) <= most


def name_of(pid: str) -> str:
    """What the process is called; nothing where it has just ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_socket_pair_that_is_lost_mid_request_harms_nobody(launcher: Launcher, client: Client) -> None:
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    raw.connect(str(launcher.socket))
    raw.send(b'{"do":"profiles","re":1}')
    raw.close()
    assert client.result("echo", "ok")[0] == b"ok\n"


# -- less than the profile -------------------------------------------------------------------------------


def test_a_job_gets_less_of_the_network_than_its_profile_has_and_never_more() -> None:
    with launched('network = "host"') as launcher, launcher.client() as client:
        told = client.ask("profiles")["guarantees"]
        if not any(one["name"] == "process tree" and one["enforced"] for one in told):
            pytest.skip("this machine gives no namespaces")
        ours = str(Path("/proc/self/ns/net").readlink())
        for network in ("none", "loopback", "none", None):
            asked = {"network": network} if network else {}
            output, _ = client.result("readlink", "/proc/self/ns/net", **asked)
            assert output.startswith(b"net:[")
            assert (output.decode().strip() == ours) == (network is None)
        recorded = [one["fields"].get("network") for one in launcher.records("run")]
        assert recorded == ["none", "loopback", "none", None]
        with pytest.raises(Failed, match="network"):
            client.run("true", network="host")
