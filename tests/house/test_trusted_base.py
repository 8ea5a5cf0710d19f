"""What the host agent loads is a committed list; what the launcher loads is the standard library."""

import subprocess
import sys

from support import tree

LIST = tree.ROOT / "tests" / "hostagent" / "trusted_base.txt"

# grpc imports grpc_tools wherever it finds it; a packaged host agent does not have it.
PROBE = """
import sys
sys.modules["grpc_tools"] = None
before = set(sys.modules)
import importlib
importlib.import_module({module!r})
{then}
for name in sorted(set(sys.modules) - before):
    loaded = sys.modules[name]
    if loaded is not None and (getattr(loaded, "__file__", None) or hasattr(loaded, "__path__")):
        print(name)
"""


READS_SHELL_TEXT = "from wand_hostagent.policy import shell; shell.read('ls')"


def loaded_by(module: str, then: str = "") -> set[str]:
    """Every module with a file that importing `module`, and what is done `then`, bring along."""
    argv = [sys.executable, "-I", "-c", PROBE.format(module=module, then=then)]
    return set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())


def foreign(names: set[str]) -> set[str]:
    tops = {name.partition(".")[0] for name in names}
    return {top for top in tops - sys.stdlib_module_names if not top.startswith("wand_")}


def listed(*, later: bool = False) -> set[str]:
    """What the list says is loaded at the start; with `later`, what comes with the first shell text."""
    lines = (line.partition("#")[0].strip() for line in LIST.read_text().splitlines())
    return {line.removeprefix("+ ") for line in lines if line and line.startswith("+ ") is later}


def test_the_host_agent_loads_what_the_list_says_and_nothing_else() -> None:
    assert foreign(loaded_by("wand_hostagent.daemon")) == listed()


def test_the_grammar_is_loaded_with_the_first_shell_text() -> None:
    loaded = foreign(loaded_by("wand_hostagent.daemon", READS_SHELL_TEXT))
    assert loaded == listed() | listed(later=True)


def test_the_host_agent_loads_no_part_of_the_launcher_but_its_protocol_and_records() -> None:
    ours = {
        name for name in loaded_by("wand_hostagent.daemon") if name.startswith("wand_hostagent.launcher.")
    }
    words = ("jsontext", "protocol", "record", "sha256", "spelling")
    allowed = {f"wand_hostagent.launcher.{name}" for name in words}
    assert ours <= allowed


def test_the_launcher_loads_the_standard_library_and_itself_alone() -> None:
    names = loaded_by("wand_hostagent.launcher.main")
    assert not foreign(names)
    ours = {name for name in names if name.startswith("wand_")} - {
        "wand_hostagent",
        "wand_hostagent.launcher",
    }
    assert {name for name in ours if not name.startswith("wand_hostagent.launcher.")} == set()


def test_the_supervisor_loads_the_standard_library_and_itself_alone() -> None:
    names = loaded_by("wand_server.embedded")
    assert not foreign(names)
    ours = {name for name in names if name.startswith("wand_")} - {"wand_server", "wand_server.embedded"}
    assert {name for name in ours if not name.startswith("wand_server.embedded.")} == set()
