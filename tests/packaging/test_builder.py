"""What a package says of itself, and the pages and completions that it brings."""

import subprocess
from pathlib import Path

import pytest

from builder import manual, packages, tree
from support.tree import ROOT

HOW = packages.How(
    version="1.2.3", release="4", arch="amd64", own_python=False, epoch=1700000000, compression="zstd"
)
HALVES = ("hostagent", "server")


def described(name: str, how: packages.How = HOW) -> packages.Package:
    return next(one for one in packages.described(Path("/work"), how) if one.name == name)


def test_the_one_that_brings_both_wants_this_very_version_of_each() -> None:
    settings = described("wand").settings["overrides"]

    assert settings["deb"]["depends"] == ["wand-hostagent (= 1.2.3-4)", "wand-server (= 1.2.3-4)"]
    assert settings["rpm"]["depends"] == ["wand-hostagent = 1.2.3-4", "wand-server = 1.2.3-4"]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("form", packages.FORMATS)
def test_every_file_that_a_package_names_is_there(half: str, form: str) -> None:
    settings = described(f"wand-{half}").settings
    scripts = settings["overrides"][form]["scripts"].values()
    after = settings["rpm"]["scripts"].values()
    sources = [one["src"] for one in settings["contents"] if one["src"].startswith(str(ROOT))]

    assert [path for path in (*scripts, *after, *sources) if not Path(path).is_file()] == []


def test_with_an_interpreter_of_its_own_no_python_is_wanted() -> None:
    own = packages.How(
        version="1.2.3", release="4", arch="amd64", own_python=True, epoch=0, compression="zstd"
    )
    settings = described("wand-server", own).settings

    assert not [need for need in settings["overrides"]["deb"]["depends"] if need.startswith("python")]
    assert settings["release"] == "4+python"


@pytest.mark.parametrize("half", HALVES)
def test_page_and_completions_have_every_subcommand(half: str) -> None:
    page = manual.page(half, version="1.2.3", epoch=1700000000)
    for name in manual.commands(half):
        assert f"\n.B {name}\n" in page
        assert f"    '{name}:" in manual.zsh(half)
        assert name in manual.bash(half)
    assert '"2023-11-14" "wand 1.2.3"' in page


@pytest.mark.parametrize("half", HALVES)
def test_bash_takes_the_completion_and_offers_what_fits(half: str) -> None:
    wanted = next(iter(manual.commands(half)))
    script = (
        f"{manual.bash(half)}\nCOMP_WORDS=(x {wanted[:3]}) COMP_CWORD=1; _wand_{half}; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)

    assert wanted in done.stdout.split()


def test_each_unit_belongs_to_one_half() -> None:
    theirs = {half: {path.name for path in tree.units_of(half)} for half in HALVES}

    assert theirs["server"] == {"wand-server.service", "wand-agent@.service"}
    assert theirs["hostagent"] >= {"wand-hostagent.service", "wand-launcher.socket", "wand-jobs.slice"}
    everything = {path.name for path in (ROOT / "systemd").iterdir() if path.is_file()}
    assert theirs["server"] | theirs["hostagent"] == everything


@pytest.mark.parametrize(
    "path", sorted((ROOT / "packaging").glob("*/wand-*.p*")) + sorted((ROOT / "packaging/libexec").iterdir())
)
def test_every_script_can_be_read_by_a_plain_shell(path: Path) -> None:
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
