"""Lists of programs, and the profiles that the packages ship: what runs under them, and what does not."""

import json
import os
import shutil
import struct
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import tree
from support.launcher_client import Client, Failed, launched, write_profile
from wand_hostagent.launcher import closure, users
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.walls import Builder

SHIPPED = sorted((tree.ROOT / "packaging" / "etc" / "profiles.d").glob("*.toml"))
LISTED = [
    "/usr/bin/sh",
    "/usr/bin/bash",
    "/usr/bin/ls",
    "/usr/bin/cat",
    "/usr/bin/cp",
    "/usr/bin/ln",
    "/usr/bin/chmod",
]
LOADER = next(
    (path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if Path(path).exists()),
    "",
)
# Each says `GOT` if a program ran that is not listed; `uname` is not.
ATTACKS = {
    "by its name": "uname && echo GOT",
    "by another path": "/proc/self/root/usr/bin/uname && echo GOT",
    "by its loader": f"{LOADER} /usr/bin/uname && echo GOT",
    "by a link": "ln -s /usr/bin/uname u; ./u && echo GOT",
    "by a copy": "cp /usr/bin/uname u; chmod +x u; ./u && echo GOT",
    "a copy of one that is listed": "cp /usr/bin/ls l; chmod +x l; ./l && echo GOT",
    "that copy by its loader": f"cp /usr/bin/ls l; {LOADER} ./l && echo GOT",
    "one among the libraries": "for p in /usr/lib/git-core/git-* /usr/lib/openssh/*;"
    f" do {LOADER} $p --help && echo GOT && break; done",
    "a script that was written": "printf '#!/usr/bin/uname\\n' > s; chmod +x s; ./s && echo GOT",
    "a library that was written": "cp /usr/lib/*/libutil.so.1 e.so;"
    " LD_PRELOAD=./e.so cat /proc/self/maps | while read l; do case $l in *r-xp*e.so) echo GOT; esac; done",
}


@contextmanager
def restricted(text: str = "") -> Iterator[Client]:
    with launched(f"programs = {json.dumps(LISTED)}\n{text}") as launcher, launcher.client() as client:
        if not client.ask("profiles")["profiles"]:
            pytest.skip("this machine has no Landlock")
        yield client


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_program_that_is_not_listed_runs_without_a_list_and_not_with_one(attack: str) -> None:
    with launched() as launcher, launcher.client() as client:
        if b"GOT" not in client.result("bash", "-c", attack)[0]:
            pytest.skip("it does not run without a list either, on this machine")
    with restricted() as client:
        output, _ = client.result("bash", "-c", f"{attack}; echo; ls / > /dev/null && echo done")
        assert b"GOT" not in output
        assert output.endswith(b"done\n")


def test_a_program_that_is_not_listed_is_refused_with_those_that_are() -> None:
    with restricted() as client, pytest.raises(Failed, match="does not list /usr/bin/uname") as refused:
        client.run("uname")
    assert refused.value.kind == "Denied"
    assert "/usr/bin/ls" in refused.value.hint


@pytest.mark.parametrize(
    ("programs", "wrong"),
    [
        (["/nowhere"], "none of them is on this machine"),
        (["{folder}/busybox"], "is every program of"),
        (["{folder}/script"], "is a script; list /bin/sh too"),
    ],
)
def test_a_list_that_bounds_nothing_is_refused(tmp_path: Path, programs: list[str], wrong: str) -> None:
    shutil.copy("/bin/true", tmp_path / "busybox")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    with pytest.raises(Refused, match=wrong):
        closure.of([program.format(folder=tmp_path) for program in programs])


def test_what_a_program_needs_is_its_loader_and_its_libraries_and_no_folder_of_programs() -> None:
    needed = closure.of(["/bin/ls"])
    assert os.path.realpath("/bin/ls") in needed.executed
    assert os.path.realpath(LOADER) in needed.executed
    assert any("libc.so.6" in path for path in needed.read)
    assert not {path for path in needed.read if path in {"/usr/lib", "/usr/bin", "/usr/libexec"}}


class Everything:
    """A machine that can put up all walls."""

    own_tree, fresh_proc, landlock, filters = True, True, 6, True


def program(folder: Path) -> Path:
    """A file as ELF has it that names a loader, of which there are two."""
    loader = os.fsencode(folder / "loader")
    header = struct.pack("<6s10xHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    interpreter = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(loader), len(loader), 1)
    (folder / "program").write_bytes(header + interpreter + loader)
    for name in ("loader-1", "loader-2"):
        (folder / name).touch()
    (folder / "loader").symlink_to("loader-1")
    return folder / "program"


@pytest.mark.parametrize("upgrade", ["by another name", "by the same name"])
def test_after_an_upgrade_of_a_library_the_walls_are_others(tmp_path: Path, upgrade: str) -> None:
    user = users.own()
    profile = Profile(name="p", workspace="/srv/work", user=user, programs=(str(program(tmp_path)),))
    builder = Builder(Everything(), ())
    before = builder.walls(profile)
    assert builder.walls(profile) is before

    if upgrade == "by the same name":
        (tmp_path / "loader-2").rename(tmp_path / "loader-1")
    else:
        (tmp_path / "loader").unlink()
        (tmp_path / "loader").symlink_to("loader-2")
        (tmp_path / "loader-1").unlink()

    after = builder.walls(profile)
    assert after is not before  # and with them go the inits that wait, which hold on to the file of before
    assert ("loader-2" in str(after)) == (upgrade == "by another name")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_profile_loads_and_runs_a_pipe(path: Path) -> None:
    """As it is, but for its user and its folder, which are on no machine that only builds."""
    text = path.read_text()
    told = tomllib.loads(text)
    with launched() as launcher:
        text = text.replace(f'run_as = "{told["run_as"]}"', "")
        text = text.replace(f'workspace = "{told["workspace"]}"', f'workspace = "{launcher.workspace}"')
        write_profile(launcher.folder / "profiles" / path.name, text)
        launcher.kill(15)
        launcher.restart()
        with launcher.client() as client:
            script = "ls / | grep -c . && cat /etc/hosts | head -n 1"
            output, exited = client.result("bash", "-c", script, profile=path.stem)
            assert (exited["exit_code"], len(output.splitlines())) == (0, 2)


def test_only_the_workshop_runs_what_it_has_written() -> None:
    told = {path.stem: tomllib.loads(path.read_text()) for path in SHIPPED}
    assert {name for name, one in told.items() if not one.get("programs")} == {"developer"}
    assert all(one["run_as"] and one["network"] != "host" for one in told.values())
