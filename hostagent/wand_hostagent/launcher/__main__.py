"""The launcher as a program: `python -I -S -E .../wand_hostagent/launcher --socket PATH …`."""

import gc
import sys
from pathlib import Path
from types import ModuleType


def _load_when_used(name: str) -> None:
    """Have that module loaded when something of it is needed, and not when another imports it."""
    stands_for = ModuleType(name)

    def load(attribute: str) -> object:
        if sys.modules.get(name) is stands_for:
            del sys.modules[name]
        return getattr(__import__(name), attribute)

    stands_for.__getattr__ = load  # type: ignore[method-assign] # a module's own function: PEP 562
    sys.modules[name] = stands_for


gc.disable()  # until it listens: what is loaded stays, and to look through it takes a tenth of the start
_load_when_used(
    "inspect"
)  # dataclasses describe by it what does not describe itself: a megabyte, for nothing
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # isolated mode found only this folder

from wand_hostagent.launcher.main import main  # noqa: E402 - it is found now

sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
sys.exit(main(sys.argv[1:]))
