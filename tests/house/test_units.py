"""The units of systemd agree with the programs that they start."""

import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from support import tree
from wand_hostagent.launcher import confinement, options
from wand_hostagent.settings import DEFAULT_PATH, Settings

MOST_EXPOSED = {  # in tenths
    "wand-server": 13, "wand-agent@": 13, "wand-hostagent": 10, "wand-launcher": 43, "wand-egress": 12,
    "wand-certificates": 9,
}  # fmt: skip
UNITS = sorted((tree.ROOT / "systemd").glob("*.service"))


def unit(name: str) -> dict[str, list[str]]:
    """A unit's directives, each with its values in order."""
    found = defaultdict(list)
    for line in (tree.ROOT / "systemd" / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value)
    return found


def test_the_launcher_understands_its_unit() -> None:
    words = shlex.split(unit("wand-launcher.service")["ExecStart"][0])[5:]
    words[words.index("--peer-uid") + 1] = "0"  # the unit's user is on no machine that only builds

    told = options.read(words)

    assert told.socket == str(Settings().launcher_socket)
    assert not told.development
    assert unit("wand-launcher.socket")["ListenSequentialPacket"] == [told.socket]


def test_the_launcher_may_divide_its_control_group_and_no_other() -> None:
    found = unit("wand-launcher.service")

    words = found["Slice"][0].removesuffix(".slice").split("-")
    slices = "/".join(
        "-".join(words[: depth + 1]) + ".slice" for depth in range(len(words))
    )  # systemd.slice(5)
    assert found["Delegate"] == ["yes"]
    assert found["ProtectControlGroups"] == ["yes"]
    assert found["ReadWritePaths"] == [f"-/sys/fs/cgroup/{slices}/wand-launcher.service"]


def test_the_host_agent_s_folders_are_those_of_its_settings() -> None:
    found, settings = unit("wand-hostagent.service"), Settings()

    assert found["ExecStart"] == [f"/usr/bin/wand-hostagent serve --settings {DEFAULT_PATH}"]
    assert settings.listen[0].startswith(f"unix:/run/{found['RuntimeDirectory'][0]}/")
    assert str(settings.spool_directory).startswith(f"/var/lib/{found['StateDirectory'][0]}/")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_every_unit_gives_up_new_privileges_and_is_stopped_whole(path: Path) -> None:
    found = unit(path.name)

    assert found["NoNewPrivileges"] == ["yes"]
    assert found["KillMode"] == ["mixed"]
    assert found["Type"] in (["notify"], ["oneshot"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_every_unit_is_as_closed_as_we_say(path: Path) -> None:
    """What each point that is left buys stands in the unit; the scale is that of systemd-analyze(1)."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    argv = [
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={MOST_EXPOSED[path.stem]}",
        str(path),
    ]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    assert "ignoring" not in done.stderr


def test_the_launcher_s_unit_bounds_it_by_what_its_inits_need() -> None:
    bounds = unit("wand-launcher.service")["CapabilityBoundingSet"]
    assert sorted(bounds[0].split()) == sorted(confinement.NEEDED.values())


def test_the_launcher_s_socket_outlives_it_and_so_has_a_unit_of_its_own() -> None:
    assert unit("wand-launcher.service")["Requires"] == ["wand-launcher.socket"]
    assert unit("wand-hostagent.service")["Also"] == ["wand-launcher.socket wand-certificates.timer"]


@pytest.mark.parametrize("name", ["hostagent", "server"])
def test_keys_come_as_the_credentials_that_the_settings_look_for(name: str) -> None:
    wanted = [f"{file}:/etc/wand/pki/{file}" for file in ("ca.crt", f"{name}.crt", f"{name}.key")]
    assert unit(f"wand-{name}.service")["LoadCredential"] == wanted


def test_agents_beside_the_server_are_as_closed_as_it_is() -> None:
    theirs, ours = unit("wand-agent@.service"), unit("wand-server.service")
    its_own = {"Description", "After", "ExecStart", "ExecReload", "RuntimeDirectory", "RuntimeDirectoryMode"}
    assert {key: theirs[key] for key in ours if key not in its_own} == {
        key: values for key, values in ours.items() if key not in its_own
    }


def test_people_s_socket_sees_who_they_are() -> None:
    """With users of its own (PrivateUsers) the server would see every person as nobody."""
    assert "PrivateUsers" not in unit("wand-server.service")
