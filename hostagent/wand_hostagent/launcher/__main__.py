"""The launcher as a program: `python -I -S -E .../wand_hostagent/launcher --socket PATH …`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # isolated mode found only this folder

from wand_hostagent.launcher.main import main

sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
sys.exit(main(sys.argv[1:]))
