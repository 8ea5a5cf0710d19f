"""The plan as tests: who may import whom, and how big a thing may grow (docs/explanation/house.md)."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support import tree

MOST_LINES_OF_A_MODULE = 400
RUNS_ALONE = "hostagent/wand_hostagent/audit/verify.py"  # a copy of this one file checks a ledger
MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_WAND_PROTO = 1850  # a quarter of it what both doctors say, a sixth how settings files are read
KEYS = ("source_modules", "forbidden_modules")


def test_every_import_runs_downhill() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=tree.ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_top_level_folder_is_a_package() -> None:
    """`systemd/`, `packaging/` and `proto/` are names of real libraries."""
    assert not list(tree.ROOT.glob("*/__init__.py"))


def test_no_module_is_longer_than_the_house_allows() -> None:
    lengths = {tree.name(path): len(path.read_text().splitlines()) for path in tree.modules()}
    assert lengths.pop(RUNS_ALONE) < 500
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_MODULE}


def test_no_function_is_longer_than_sixty_lines() -> None:
    found = [place for path in tree.modules() for place in tree.functions(path)]
    assert not [(place, lines) for place, lines in found if lines > MOST_LINES_OF_A_FUNCTION]


def test_what_both_halves_share_stays_small() -> None:
    written = tree.modules_of("proto/wand_proto")
    assert sum(len(path.read_text().splitlines()) for path in written) < MOST_LINES_OF_WAND_PROTO


@pytest.mark.parametrize("package", tree.PACKAGES)
def test_every_module_says_its_subject_in_its_first_line(package: str) -> None:
    silent = [
        tree.name(path)
        for path in tree.modules_of(package)
        if path.read_text() and not path.read_text().startswith(('"""', 'r"""'))
    ]
    assert not silent


@pytest.mark.parametrize("contract", ["launcher stands apart", "of the launcher", "stops at the counter"])
def test_a_contract_about_rooms_of_the_host_agent_leaves_none_out(contract: str) -> None:
    """import-linter checks the list of a layer for being whole, and no other list."""
    settings = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    found = next(one for one in settings["contracts"] if contract in one["name"])
    named = {module.removeprefix("wand_hostagent.") for key in KEYS for module in found[key]}
    above_the_counter = {"cli", "daemon", "pki", "doctor", "service", "settings", "certificates"}
    apart = {"launcher"} | (above_the_counter if "counter" in contract else set())
    assert rooms("hostagent/wand_hostagent") - named <= apart


def rooms(package: str) -> set[str]:
    """The modules and folders right below a package."""
    below = (path.relative_to(tree.ROOT / package).parts[0] for path in tree.modules_of(package))
    return {part.removesuffix(".py") for part in below} - {"__init__"}


@pytest.mark.parametrize("package", ["hostagent/wand_hostagent", "server/wand_server"])
def test_the_house_names_every_room(package: str) -> None:
    house = (tree.ROOT / "docs" / "explanation" / "house.md").read_text()
    assert not {room for room in rooms(package) if f"`{room}`" not in house}
