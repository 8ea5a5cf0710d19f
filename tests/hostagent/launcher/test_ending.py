"""How jobs end: on time, on request, with the launcher; and that nothing of them is left."""

import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from support.launcher_client import Client, Failed, Launcher, launched, marked, none_left
from support.no_namespaces import WITHOUT, can_refuse

# Ten processes and more, among them two daemons that have left their session and their parents.
TREE = """
for i in 1 2 3 4 5 6 7 8; do sleep $1 & done
setsid sh -c 'sleep $0 & exec sleep $0' $1 &
(setsid sh -c '(sleep $0 &) ; exec sleep $0' $1 &)
echo up; wait
"""


@pytest.fixture(params=["the best box", "by fork", "no namespaces"])
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    before: Sequence[str] = ()
    if request.param == "no namespaces":
        if not can_refuse():
            pytest.skip("this machine cannot take namespaces away (unshare, setpriv)")
        before = WITHOUT
    with launched(
        "", "--development", *(["--fork"] if request.param == "by fork" else []), before=before
    ) as one:
        yield one


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as one:
        yield one


@pytest.fixture
def marker() -> str:
    return f"9999.{os.getpid()}{os.urandom(4).hex().translate(str.maketrans('abcdef', '012345'))}"


def test_a_whole_tree_ends_when_its_time_is_up(client: Client, marker: str) -> None:
    running = client.run("sh", "-c", TREE, "sh", marker, limits={"wall_seconds": 0.7})
    assert running.line() == b"up\n"
    assert len(marked(marker)) >= 10
    exited = client.exited(running.job)
    assert none_left(marker, 0)
    assert (exited["reason"], exited["signal"]) == ("timed_out", signal.SIGKILL)
    assert 0.7 <= exited["wall_seconds"] < 1.7


def test_a_job_whose_time_is_up_before_it_runs_is_answered_all_the_same(client: Client) -> None:
    running = client.run("sleep", "60", limits={"wall_seconds": 0.0001})
    assert client.exited(running.job)["reason"] == "timed_out"


@pytest.mark.parametrize("reason", ["cancelled", "output_limit"])
def test_a_whole_tree_ends_when_it_is_killed_and_the_reason_comes_back(
    client: Client, marker: str, reason: str
) -> None:
    running = client.run("sh", "-c", TREE, "sh", marker)
    assert running.line() == b"up\n"
    client.ask("kill", job=running.job, signal=signal.SIGKILL, reason=reason)
    assert client.exited(running.job)["reason"] == reason
    assert none_left(marker, 0)


def test_what_a_command_leaves_behind_ends_with_it(client: Client, marker: str) -> None:
    _, exited = client.result("sh", "-c", TREE.replace("wait", ""), "sh", marker)
    assert (exited["reason"], exited["exit_code"]) == ("exited", 0)
    assert none_left(marker, 0)


def test_no_job_outlives_a_launcher_that_is_killed(launcher: Launcher, client: Client, marker: str) -> None:
    running = client.run("sh", "-c", TREE, "sh", marker)
    assert running.line() == b"up\n"
    launcher.kill(signal.SIGKILL)
    assert none_left(marker)


def test_a_launcher_that_is_told_to_stop_ends_its_jobs_and_says_so(
    launcher: Launcher, client: Client, marker: str
) -> None:
    running = client.run("sh", "-c", TREE, "sh", marker)
    assert running.line() == b"up\n"
    assert launcher.kill(signal.SIGTERM) == 0
    assert none_left(marker, 0)
    assert client.exited(running.job)["reason"] == "cancelled"
    assert [line["event"] for line in launcher.records()] == [
        "ledger", "start", "run", "end", "stop", "checkpoint",
    ]  # fmt: skip
    assert not launcher.socket.exists()


def test_a_signal_reaches_the_command_which_may_act_on_it(client: Client) -> None:
    script = "trap 'echo heard; exit 7' TERM; echo up; while :; do sleep 0.05; done"
    running = client.run("sh", "-c", script)
    assert running.line() == b"up\n"
    client.ask("kill", job=running.job, signal=signal.SIGTERM, reason="signal")
    assert running.read() == b"heard\n"
    assert client.exited(running.job)["exit_code"] == 7


def test_a_polite_cancel_is_a_cancel_whatever_the_command_makes_of_it(client: Client) -> None:
    running = client.run("sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done")
    assert running.line() == b"up\n"
    client.ask("kill", job=running.job, signal=signal.SIGTERM, reason="cancelled")
    exited = client.exited(running.job)
    assert (exited["reason"], exited["exit_code"]) == ("cancelled", 0)


@pytest.mark.parametrize("number", [0, 65, 1000])
def test_what_is_no_signal_is_refused(client: Client, number: int) -> None:
    running = client.run("sleep", "60")
    with pytest.raises(Failed, match="1 to 64"):
        client.ask("kill", job=running.job, signal=number, reason="signal")


def test_a_job_that_does_not_run_cannot_be_killed(client: Client) -> None:
    with pytest.raises(Failed) as refused:
        client.ask("kill", job="nonesuch", signal=9, reason="cancelled")
    assert refused.value.kind == "NotFound"


def test_what_a_job_used_counts_its_whole_tree(client: Client) -> None:
    spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    _, exited = client.result("sh", "-c", f"sh -c '{spin}' & sh -c '{spin}' & wait")
    assert exited["cpu_seconds"] > 0.05
    assert exited["peak_memory_bytes"] > 2**20
