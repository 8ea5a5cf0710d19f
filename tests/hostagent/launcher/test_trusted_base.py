"""What the running launcher has loaded: the standard library, and its own folder of this project."""

import json
import subprocess
import sys
from pathlib import Path

import wand_hostagent

PROGRAM = Path(wand_hostagent.__file__).parent / "launcher"

# Run the program as it is run, up to its command line, and look at what that has loaded.
PROBE = """
import json, runpy, sys
sys.argv = ["launcher", "--help"]
try:
    runpy.run_path({program!r}, run_name="__main__")
except SystemExit:
    pass
json.dump(sorted(sys.modules), sys.stderr)
"""


def loaded() -> set[str]:
    argv = [sys.executable, "-I", "-S", "-E", "-c", PROBE.format(program=str(PROGRAM))]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return set(json.loads(done.stderr))


def test_the_launcher_runs_on_the_standard_library_and_its_own_folder() -> None:
    names = loaded()
    tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"__main__", "__mp_main__"}
    assert tops == {"wand_hostagent"}
    ours = {name for name in names if name.startswith("wand_hostagent.")}
    assert all(name.startswith("wand_hostagent.launcher") for name in ours)


def test_the_launcher_loads_nothing_that_talks_to_a_network_or_runs_a_shell() -> None:
    assert loaded().isdisjoint(
        {"ssl", "_ssl", "http.client", "urllib.request", "subprocess", "asyncio", "pickle"}
    )


def test_the_launcher_loads_nothing_that_makes_it_large() -> None:
    home = str(PROGRAM.parents[1])
    load = "import sys; sys.path.insert(0, sys.argv[1]); import wand_hostagent.launcher.main"
    argv = [sys.executable, "-I", "-S", "-E", "-c", f"{load}; print(*sys.modules)", home]
    names = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    assert set(names).isdisjoint({"hashlib", "_hashlib", "logging", "decimal", "email", "random", "tempfile"})
    assert len(names) < 220
