"""Where commands may start and what they may be, through a real launcher."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import Client, Failed, Launcher, launched
from support.places import short_folder


@pytest.fixture
def shared() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def launcher(shared: Path) -> Iterator[Launcher]:
    with launched(f'directories = ["{shared}"]\npath = "/nowhere:/usr/bin:/bin"\numask = "027"') as one:
        (one.workspace / "sub").mkdir()
        (one.workspace / "inside").symlink_to("sub")
        (one.workspace / "out").symlink_to("/usr")
        (one.workspace / "whole").symlink_to(one.workspace / "sub")
        (one.workspace / "beside").symlink_to(shared)
        (one.workspace / "magic").symlink_to("/proc/self/cwd")
        (one.workspace / "file").write_text("#!/bin/sh\necho script ran in $(pwd)\n")
        yield one


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as one:
        yield one


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("", "."),
        (".", "."),
        ("sub", "sub"),
        ("sub/..", "."),
        ("inside", "sub"),
        ("whole", "sub"),
        ("whole/../inside", "sub"),
        ("{work}", "."),
        ("{work}/sub", "sub"),
    ],
)
def test_a_command_starts_where_it_is_asked_to(
    launcher: Launcher, client: Client, asked: str, where: str
) -> None:
    running = client.run("pwd", "-P", directory=asked.format(work=launcher.workspace))
    assert Path(running.read().decode().strip()) == launcher.workspace / where
    assert Path(running.started["directory"]) == launcher.workspace / where


def test_a_command_starts_in_a_further_folder_of_its_profile(client: Client, shared: Path) -> None:
    for asked in (str(shared), "beside"):
        assert client.result("pwd", "-P", directory=asked)[0].decode().strip() == str(shared)


@pytest.mark.parametrize(
    "asked",
    [
        "/",
        "/etc",
        "..",
        "sub/../..",
        "out",
        "out/bin",
        "magic",
        "beside/..",
        "{work}/../..",
        "{work}x",
        "/proc/self/cwd",
    ],
)
def test_a_directory_outside_the_folders_is_denied_and_they_are_named(
    launcher: Launcher, client: Client, shared: Path, asked: str
) -> None:
    with pytest.raises(Failed, match="outside the folders") as refused:
        client.run("pwd", directory=asked.format(work=launcher.workspace))
    assert (refused.value.kind, refused.value.field) == ("Denied", "directory")
    assert f"{launcher.workspace}, {shared}" in refused.value.hint


@pytest.mark.parametrize("asked", ["none", "file", "file/x"])
def test_what_is_no_directory_is_not_found(client: Client, asked: str) -> None:
    with pytest.raises(Failed) as refused:
        client.run("pwd", directory=asked)
    assert (refused.value.kind, refused.value.field) == ("NotFound", "directory")


@pytest.mark.parametrize(
    ("word", "kind"), [("./none", "NotFound"), ("/none", "NotFound"), ("sub/", "NotFound"), ("", "NotFound")]
)
def test_a_program_that_is_not_there_is_not_found(client: Client, word: str, kind: str) -> None:
    with pytest.raises(Failed) as refused:
        client.run(word)
    assert (refused.value.kind, refused.value.field) == (kind, "argv")


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_caller_does_not_hear_of_what_a_job_does_not_see(shared: Path, mode: int) -> None:
    there, hidden = shared / "there", shared / "work" / "hidden"
    (hidden / "deep").mkdir(parents=True)
    for path in (there, hidden / "there"):
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    (shared / "work" / "link").symlink_to(there)
    with (
        launched(f'directories = ["{shared}/work"]\nhidden = ["{hidden}"]') as launcher,
        launcher.client() as one,
    ):
        for word in (f"{there}", "./link", "../there", "/usr/..{}/there", "hidden/there"):
            with pytest.raises(Failed, match="there is no program") as refused:
                one.run(word.format(shared), directory=str(shared / "work"))
            assert refused.value.kind == "NotFound"
        with pytest.raises(Failed, match="ENOENT") as refused:
            one.run("pwd", directory=f"{hidden}/deep")
        assert (refused.value.kind, refused.value.field) == ("NotFound", "directory")


def test_a_program_with_a_slash_is_found_from_its_directory(launcher: Launcher, client: Client) -> None:
    (launcher.workspace / "file").chmod(0o755)
    running = client.run("../file", directory="sub")
    assert running.read().decode().strip() == f"script ran in {launcher.workspace}/sub"
    assert running.started["program"] == f"{launcher.workspace}/sub/../file"


def test_a_file_that_nobody_may_execute_is_denied(client: Client) -> None:
    with pytest.raises(Failed, match="not executable") as refused:
        client.run("./file")
    assert (refused.value.kind, refused.value.field) == ("Denied", "argv")


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ("echo hi\n", "Invalid", "#!/bin/sh"),
        ("#!/nowhere/sh\n", "NotFound", "ENOENT"),
        ("#!/etc\n", "Denied", "EACCES"),
    ],
)
def test_what_the_kernel_does_not_execute_comes_back_with_its_reason_and_an_end(
    launcher: Launcher, client: Client, content: str, kind: str, said: str
) -> None:
    (launcher.workspace / "file").write_text(content)
    (launcher.workspace / "file").chmod(0o755)
    with pytest.raises(Failed) as refused:
        client.run("./file")
    assert (refused.value.kind, refused.value.field) == (kind, "argv")
    assert said in str(refused.value)
    client.ask("record", event="after", fields={})
    assert launcher.records("end")[0]["fields"]["reason"] == "not_started"


def test_files_are_made_with_the_umask_of_the_profile(client: Client, launcher: Launcher) -> None:
    client.result("touch", "made")
    assert (launcher.workspace / "made").stat().st_mode & 0o777 == 0o640


def test_a_command_line_that_is_no_bytes_is_refused(client: Client) -> None:
    with pytest.raises(Failed, match="cannot be written as bytes") as refused:
        client.run("echo", "\ud800")
    assert (refused.value.kind, refused.value.field) == ("Invalid", "argv")
