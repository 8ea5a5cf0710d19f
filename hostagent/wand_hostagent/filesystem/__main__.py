"""The file tools as a program: `python -I -S -E .../wand_hostagent/filesystem --write DIR --read DIR …`."""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # isolated mode does not find the package

from wand_hostagent.filesystem.worker import main  # noqa: E402 - the lines above make it findable

sys.exit(main(sys.argv[1:]))
