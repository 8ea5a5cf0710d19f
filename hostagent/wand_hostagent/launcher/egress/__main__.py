"""The proxy as a program: `python -I -S -E .../wand_hostagent/launcher/egress --fd N`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # isolated mode found only this folder

from wand_hostagent.launcher.egress.proxy import main

sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
sys.exit(main(sys.argv[1:]))
