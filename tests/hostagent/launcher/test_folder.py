"""A folder of profiles that changes: when it is read again, and that no half of it ever is."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import SECONDS, Client, Failed, Launcher, launched, write_profile
from support.waiting import open_files
from wand_hostagent.launcher import folder
from wand_hostagent.launcher.loop import Loop


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with launched() as one:
        yield one


def text(launcher: Launcher, name: str, files: int) -> str:
    return f'name = "{name}"\nworkspace = "{launcher.workspace}"\n[limits]\nopen_files = {files}\n'


def files(client: Client) -> dict[str, int]:
    return {one["name"]: one["limits"].get("open_files", 0) for one in client.ask("profiles")["profiles"]}


def becomes(client: Client, wanted: dict[str, int]) -> bool:
    give_up = time.monotonic() + SECONDS
    while files(client) != wanted:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def test_a_change_holds_soon_without_a_word_and_is_on_record(launcher: Launcher) -> None:
    with launcher.client() as client:
        job = client.run("sh", "-c", "read x; ulimit -n", stdin=b"")
        write_profile(launcher.folder / "profiles" / "p.toml", text(launcher, "p", 33))
        assert becomes(client, {"p": 33})
        assert client.result("sh", "-c", "ulimit -n")[0] == b"33\n"
        assert job.read() != b"33\n"
        write_profile(launcher.folder / "profiles" / "q.toml", text(launcher, "q", 44))
        assert becomes(client, {"p": 33, "q": 44})
        (launcher.folder / "profiles" / "p.toml").unlink()
        assert becomes(client, {"q": 44})
        with pytest.raises(Failed, match="there is no profile 'p'"):
            client.run("true")
        client.ask("record", event="after", fields={})
        told = [[one.split()[0] for one in line["fields"]["profiles"]] for line in launcher.records("reload")]
        assert told == [["p"], ["p", "q"], ["q"]]


def test_a_change_is_seen_where_nobody_asks(launcher: Launcher) -> None:
    write_profile(launcher.folder / "profiles" / "p.toml", text(launcher, "p", 33))
    give_up = time.monotonic() + SECONDS
    while not launcher.records("reload"):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_file_that_somebody_still_writes_is_not_read(launcher: Launcher) -> None:
    whole = text(launcher, "p", 33)
    with launcher.client() as client:
        good, bounded, limits = whole.partition("[limits]")
        with (launcher.folder / "profiles" / "p.toml").open("w") as file:
            file.write(good)  # a whole profile, without what bounds it
            file.flush()
            give_up = time.monotonic() + 4 * folder.REST_SECONDS
            while time.monotonic() < give_up:
                assert files(client) == {"p": 0}
                time.sleep(0.02)
            assert launcher.records("reload") == []
            file.write(bounded + limits)
        assert becomes(client, {"p": 33})
        client.ask("record", event="after", fields={})
        assert len(launcher.records("reload")) == 1


def test_two_files_that_belong_together_are_never_read_apart(launcher: Launcher) -> None:
    place, rest = launcher.folder / "profiles", folder.REST_SECONDS
    with launcher.client() as client:
        for count in (40, 41, 42):
            for name in ("p", "q"):
                write_profile(place / f"{name}.toml", text(launcher, name, count))
                time.sleep(rest / 3)
            seen = []
            while (now := files(client)) != {"p": count, "q": count}:
                seen.append(now)
                time.sleep(0.01)
            apart = (place / "q.toml").stat().st_ctime - (place / "p.toml").stat().st_ctime
            together = apart < rest  # else this machine was too busy to write them so
            assert not together or all(len(set(one.values())) == 1 for one in seen), seen


def test_a_broken_change_changes_nothing_until_it_is_mended(launcher: Launcher) -> None:
    with launcher.client() as client:
        write_profile(launcher.folder / "profiles" / "q.toml", "colour = 1")  # first: there is no good moment
        write_profile(launcher.folder / "profiles" / "p.toml", text(launcher, "p", 33))
        give_up = time.monotonic() + SECONDS
        while "colour: unknown" not in client.ask("profiles")["reload_error"]:
            assert time.monotonic() < give_up
        assert files(client) == {"p": 0}
        client.ask("record", event="after", fields={})
        assert "colour: unknown" in launcher.records("reload")[0]["fields"]["error"]
        (launcher.folder / "profiles" / "q.toml").unlink()
        assert becomes(client, {"p": 33})
        assert client.ask("profiles")["reload_error"] == ""


def test_a_folder_that_another_takes_the_place_of_is_read_and_watched(launcher: Launcher) -> None:
    place = launcher.folder / "profiles"
    (launcher.folder / "new").mkdir(mode=0o755)
    write_profile(launcher.folder / "new" / "p.toml", text(launcher, "p", 33))
    with launcher.client() as client:
        place.rename(launcher.folder / "old")
        (launcher.folder / "new").rename(place)
        assert becomes(client, {"p": 33})
        place.chmod(0o777)
        give_up = time.monotonic() + SECONDS
        while "must belong to root" not in client.ask("profiles")["reload_error"]:
            assert time.monotonic() < give_up
        assert files(client) == {"p": 33}


def test_a_change_that_the_kernel_does_not_tell_of_is_seen_before_a_request(tmp_path: Path) -> None:
    told: list[int] = []
    one = folder.Folder(Loop(), str(tmp_path), lambda: told.append(1))
    one.read(lambda: None)
    one.look()
    assert told == []
    (tmp_path / "p.toml").write_text("")
    give_up = time.monotonic() + SECONDS
    while not told:
        assert time.monotonic() < give_up
        one.look()
        time.sleep(0.01)


def test_what_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    one = folder.Folder(Loop(), str(tmp_path), lambda: None)
    changes = iter(["p.toml", "q.toml"])
    reads: list[int] = []

    def load() -> None:
        reads.append(1)
        for name in changes:
            (tmp_path / name).write_text("")
            return

    one.read(load)
    assert len(reads) == 3


def test_a_lease_on_a_profile_neither_stops_a_writer_nor_ends_us(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("")
    before, stop = open_files(), threading.Event()

    def write() -> None:
        while not stop.is_set():
            path.write_text("x")

    writer = threading.Thread(target=write)
    writer.start()
    found = {folder._is_being_written(str(path)) for _ in range(3000)}
    stop.set()
    writer.join(SECONDS)
    assert found <= {True, False}
    assert not open_files() - before
    assert not folder._is_being_written(str(path))


def test_the_file_tools_of_a_profile_that_changed_are_started_anew(launcher: Launcher) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(SECONDS)
    with launcher.client() as client, ours:
        with theirs:
            client.ask("worker", [theirs.fileno()], job="w", profile="p", why={})
        write_profile(launcher.folder / "profiles" / "q.toml", text(launcher, "q", 44))
        assert becomes(client, {"p": 0, "q": 44})
        client.ask("kill", job="w", signal=signal.SIGCONT, reason="signal")
        write_profile(launcher.folder / "profiles" / "p.toml", text(launcher, "p", 33))
        assert ours.recv(1) == b""
        assert client.exited("w")["exit_code"] == 0


def test_a_profile_is_the_old_or_the_new_one_for_every_job_of_many(launcher: Launcher) -> None:
    """Profiles that are rewritten all the while, by rename and in place."""
    stop = threading.Event()

    def rewrite() -> None:
        for count in range(50, 150):
            if stop.is_set():
                return
            path = launcher.folder / "profiles" / "p.toml"
            if count % 2:
                write_profile(path.with_suffix(".new"), text(launcher, "p", count))
                path.with_suffix(".new").replace(path)
            else:
                write_profile(path, text(launcher, "p", count))
            time.sleep(0.3 if count % 5 == 0 else 0.01)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        with launcher.client() as client:
            client.ask("profiles")
            limits = {client.run("true").started["limits"].get("open_files", 0) for _ in range(200)}
            assert all(not count or 50 <= count < 150 for count in limits)
            assert client.ask("profiles")["broken"] == []
    finally:
        stop.set()
        writer.join(SECONDS)
    errors = [json.loads(line) for line in launcher.log.splitlines() if "not reloaded" in line]
    assert not [one for one in errors if "changes while" not in one["why"]]
    assert launcher.process.poll() is None
