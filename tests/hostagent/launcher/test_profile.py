"""Profiles as a table: what is read, and what denies because it cannot be."""

import os
import resource
from pathlib import Path

import pytest

from support.launcher_client import needs_root
from wand_hostagent.launcher import limits, profile, service
from wand_hostagent.launcher.refusal import Refused

GOOD = 'name = "p"\nworkspace = "/srv/work"\n'


def shelf(folder: Path, text: str, name: str = "p") -> profile.Shelf:
    (folder / f"{name}.toml").write_text(text)
    (folder / f"{name}.toml").chmod(0o644)
    return profile.load(str(folder), development=True)


def test_a_profile_is_read_whole(tmp_path: Path) -> None:
    text = GOOD + (
        'directories = ["/srv/shared/"]\nread_only = ["/usr/share"]\npath = "/usr/bin:/bin"\numask = "077"\n'
        'environment = { LANG = "C.UTF-8" }\nenvironment_allowed = ["CI", "LC_*"]\n'
        "[limits]\nwall_seconds = 1.5\nopen_files = 64\n"
    )
    one = shelf(tmp_path, text).take("p")
    assert one.folders == ("/srv/work", "/srv/shared")
    assert (one.read_only, one.path, one.umask) == (("/usr/share",), "/usr/bin:/bin", 0o077)
    assert (one.environment, one.environment_allowed) == ({"LANG": "C.UTF-8"}, ("CI", "LC_*"))
    assert one.limits == {"wall_seconds": 1.5, "open_files": 64}
    assert one.user.uid == os.geteuid()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "is not TOML"),
        ("name = " + "[" * 60_000, "is not TOML"),
        ('name = "\xff"'.encode("latin-1").decode("latin-1"), "name: must be letters"),
        ('name = "q"\nworkspace = "/w"', "name: must be the file's own, 'p'"),
        ('name = 5\nworkspace = "/w"', "name: must be letters"),
        ('name = "p"', "workspace: is missing"),
        ('workspace = "/w"', "name: must be the file's own"),
        ('name = "p"\nworkspace = "w"', "workspace: must be the absolute path"),
        ('name = "p"\nworkspace = "/w/../x"', "workspace: must be the absolute path"),
        (GOOD + "colour = 1", "colour: unknown; the keys are name, workspace"),
        (GOOD + 'directories = "/a"', "directories: must be a list"),
        (GOOD + 'directories = ["a"]', "directories: must be a list"),
        (GOOD + "read_only = [1]", "read_only: must be a list"),
        (GOOD + 'path = "bin:/usr/bin"', "path: must be absolute paths"),
        (GOOD + 'path = ""', "path: must be absolute paths"),
        (GOOD + "umask = 18", "umask: must be an octal number"),
        (GOOD + 'umask = "9"', "umask: must be an octal number"),
        (GOOD + 'umask = "1777"', "umask: must be an octal number"),
        (GOOD + 'environment = ["A"]', "environment: must be a table"),
        (GOOD + "environment = { A = 1 }", "environment: must be a table"),
        (GOOD + 'environment = { "A=" = "1" }', "environment: must be a table"),
        (GOOD + 'environment_allowed = "CI"', "environment_allowed: must be a list"),
        (GOOD + "[limits]\nwall = 5", "limits: must be a table of positive numbers"),
        (GOOD + "[limits]\nwall_seconds = 0", "wall_seconds = 0"),
        (GOOD + "[limits]\nwall_seconds = nan", "wall_seconds = nan"),
        (GOOD + "[limits]\nwall_seconds = true", "wall_seconds = True"),
        (GOOD + "[limits]\nopen_files = 1.5", "open_files = 1.5"),
        (GOOD + 'network = "internet"', "network: must be one of none, loopback, proxy, host"),
        (GOOD + 'visible = ["tools"]', "visible: must be a list"),
        (GOOD + 'visible = ["/"]', "/ is never shown"),
        (GOOD + 'directories = ["/proc/1"]', "/proc/1 is never shown"),
        (GOOD + 'read_only = ["/dev"]', "/dev is never shown"),
        ('name = "p"\nworkspace = "/"', "/ is never shown"),
        (GOOD + 'hidden = "/srv/work/key"', "hidden: must be a list"),
        (GOOD + 'programs = ["ls"]', "programs: must be a list"),
        (GOOD + 'programs = ["/bin/ls"]\nexecute_in_workspace = true', "must be false where programs are"),
        (GOOD + 'execute_in_workspace = "no"', "execute_in_workspace: must be true or false"),
        (GOOD + 'minimum = ["everything"]', "unknown: 'everything'"),
        (GOOD + "landlock_abi_minimum = true", "landlock_abi_minimum: must be a version"),
        (GOOD + 'run_as = "no-such-user-here"', "run_as: there is no user 'no-such-user-here' (useradd"),
        (GOOD + "run_as = 0", "run_as: must be the name of a user"),
        (GOOD + "principals = []", "nobody could use it"),
        (GOOD + 'principals = [""]', "principals: must be a list"),
        (GOOD + 'run_as = "each"', "users: must be there where run_as is"),
        (GOOD + "users = [70000, 70999]", "users: must be there where run_as is"),
        (GOOD + "users = [70999, 70000]", "users: must be the first and the last"),
        (GOOD + "users = [0, 100]", "0 to 100"),
        (GOOD + "users = [60000, 70000]", "65534 not among"),
        (GOOD + "users = [true, 70000]", "users: must be the first"),
        ('name = "p"\nworkspace = "/w/{principal}/x"', "{principal} may end the path"),
        (GOOD + 'hidden = ["/w/{principal}"]', "{principal} may end the path"),
        ('name = "p"\nworkspace = "/{principal}"', "is never shown"),
        (GOOD + "#" * 300_000, "plain file of at most"),
    ],
)
def test_a_profile_that_cannot_be_read_denies_and_names_file_and_key(
    tmp_path: Path, text: str, said: str
) -> None:
    loaded = shelf(tmp_path, text)
    assert loaded.profiles == {}
    with pytest.raises(Refused) as refused:
        loaded.take("p")
    assert refused.value.kind == "BrokenPolicy"
    assert f"{tmp_path}/p.toml" in refused.value.message
    assert said in refused.value.message


def test_a_broken_profile_leaves_the_others_alone(tmp_path: Path) -> None:
    shelf(tmp_path, "broken", "q")
    loaded = shelf(tmp_path, GOOD)
    assert loaded.take("p").workspace == "/srv/work"
    with pytest.raises(Refused, match="not TOML"):
        loaded.take("q")


def test_a_profile_that_is_not_there_is_denied_and_the_others_are_named(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        shelf(tmp_path, GOOD).take("q")
    assert (refused.value.kind, refused.value.hint) == ("Denied", "there are: p")


@pytest.mark.parametrize(
    ("globs", "principal", "may"),
    [
        ("", "alice", True), ("", "", True), ('"alice"', "alice", True), ('"alice"', "alicex", False),
        ('"alice"', "", False), ('"ci-*"', "ci-", True), ('"ci-*"', "xci-1", False), ('"*"', "", False),
        ('"*"', "a\nb", True), ('"bob", "al*"', "alice", True), ('"Alice"', "alice", False),
    ],
)  # fmt: skip
def test_a_profile_is_for_whom_it_names(tmp_path: Path, globs: str, principal: str, *, may: bool) -> None:
    one = shelf(tmp_path, GOOD + (f"principals = [{globs}]" if globs else "")).profiles["p"]
    assert one.admits(principal) == may


def test_a_refusal_names_the_profiles_that_the_principal_may_use(tmp_path: Path) -> None:
    shelf(tmp_path, 'name = "q"\nworkspace = "/w"\nprincipals = ["al*"]', "q")
    shelf(tmp_path, 'name = "r"\nworkspace = "/w"\nprincipals = ["bob"]', "r")
    loaded = shelf(tmp_path, GOOD)
    with pytest.raises(Refused, match="profile 'r' is not for 'alice'") as refused:
        loaded.take("r", "alice")
    assert (refused.value.kind, refused.value.hint) == ("Denied", "alice may use: p, q")
    with pytest.raises(Refused, match="needs to know who asks") as refused:
        loaded.take("r")
    assert refused.value.field == "why"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_profile_that_others_may_write_is_not_read(tmp_path: Path, mode: int) -> None:
    shelf(tmp_path, GOOD)
    (tmp_path / "p.toml").chmod(mode)
    assert "must belong to root" in profile.load(str(tmp_path), development=True).broken["p"]


def test_a_folder_that_others_may_write_is_not_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Refused, match="must belong to root"):
        profile.load(str(tmp_path), development=True)


def test_a_profile_that_is_a_link_a_pipe_or_a_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(GOOD)
    (tmp_path / "p.toml").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "q.toml", 0o600)
    (tmp_path / "r.toml").mkdir()
    loaded = profile.load(str(tmp_path), development=True)
    assert "cannot be opened" in loaded.broken["p"]
    assert "plain file" in loaded.broken["q"]
    assert "plain file" in loaded.broken["r"]


@pytest.mark.root
@needs_root
def test_a_profile_of_another_user_is_not_read(tmp_path: Path) -> None:
    shelf(tmp_path, GOOD)
    os.chown(tmp_path / "p.toml", 65534, 65534)
    assert "must belong to root" in profile.load(str(tmp_path), development=True).broken["p"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs its own commands anyway")
def test_root_runs_nothing_as_root_outside_development(tmp_path: Path) -> None:
    shelf(tmp_path, GOOD)
    assert "run_as: is missing" in profile.load(str(tmp_path), development=False).broken["p"]


@pytest.mark.parametrize(
    ("names", "default"), [(["p"], "p"), (["p", "q"], ""), (["default", "q"], "default"), ([], "")]
)
def test_the_default_is_the_one_called_so_or_the_only_one(
    tmp_path: Path, names: list[str], default: str
) -> None:
    for name in names:
        shelf(tmp_path, f'name = "{name}"\nworkspace = "/w"', name)
    assert profile.load(str(tmp_path), development=True).default == default


@pytest.mark.parametrize(("broken", "default"), [("default", "default"), ("q", "")])
def test_nothing_takes_the_place_of_a_default_that_cannot_be_read(
    tmp_path: Path, broken: str, default: str
) -> None:
    shelf(tmp_path, "broken", broken)
    assert shelf(tmp_path, GOOD).default == default


def test_where_no_profile_is_named_and_none_is_the_default_those_that_there_are_are_told(
    tmp_path: Path,
) -> None:
    shelf(tmp_path, 'name = "q"\nworkspace = "/w"', "q")
    shelf(tmp_path, "broken", "r")
    with pytest.raises(Refused, match="no profile is named, and of those that there are none is") as refused:
        shelf(tmp_path, GOOD).take("")
    assert refused.value.kind == "Denied"
    assert refused.value.hint == 'the rule of policy must say profile = "…"; there are: p, q; not readable: r'


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ({}, {"wall_seconds": 10, "open_files": 64}),
        ({"wall_seconds": 5}, {"wall_seconds": 5, "open_files": 64}),
        ({"wall_seconds": 50, "open_files": 128}, {"wall_seconds": 10, "open_files": 64}),
        ({"memory_bytes": 1.5e6}, {"wall_seconds": 10, "open_files": 64, "memory_bytes": 1_500_000}),
        ({"processes": 0.5}, {"wall_seconds": 10, "open_files": 64, "processes": 1}),
    ],
)
def test_a_limit_is_the_lower_of_the_two(tmp_path: Path, asked: dict[str, float], granted: object) -> None:
    one = shelf(tmp_path, GOOD + "[limits]\nwall_seconds = 10\nopen_files = 64").take("p")
    assert limits.granted(one, asked) == granted


def test_a_profile_is_described_to_the_host_agent_by_these_words(tmp_path: Path) -> None:
    text = GOOD + 'read_only = ["/usr/share"]\nprincipals = ["ann"]\nenvironment_allowed = ["CI"]\n'
    told = service._described(shelf(tmp_path, text).take("p", "ann"))

    names = ("name", "workspace", "directories", "read_only", "principals", "environment_allowed", "limits")
    wanted: tuple[object, ...] = ("p", "/srv/work", [], ["/usr/share"], ["ann"], ["CI"], {})
    assert tuple(told[name] for name in names) == wanted


def test_a_folder_for_which_no_descriptor_is_left_is_refused(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    for room in (0, 1):  # to open it takes one, to list it another
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + room, before[1]))
        try:
            with pytest.raises(Refused, match="cannot be read: "):
                profile.load(str(tmp_path), development=True)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
