"""In the machine: every check in turn, what was seen as one line of JSON each."""

import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from support import launcher_client
from vm import checks
from vm.checks import Stage, Unexpected

PATIENCE_SECONDS = 120.0  # an emulated processor is slow


def main() -> None:
    launcher_client.SECONDS = PATIENCE_SECONDS
    say(kernel=os.uname().release)
    with checks.Stage() as stage:
        for name, check in chosen().items():
            run(stage, name, check)
    say(done=True)


def chosen() -> Mapping[str, Callable[[Stage], str]]:
    """The checks that the kernel's command line names, or all."""
    words = Path("/proc/cmdline").read_text().split()
    named = next((word.partition("=")[2] for word in words if word.startswith("wand.only=")), "")
    wanted = set(named.replace("_", " ").split(",")) - {""}
    return {name: check for name, check in checks.CHECKS.items() if not wanted or name in wanted}


def run(stage: Stage, name: str, check: Callable[[Stage], str]) -> None:
    """One check; whatever goes wrong in it is what was seen."""
    began = time.monotonic()
    try:
        seen, good = check(stage), True
    except Unexpected as wrong:
        seen, good = str(wrong), False
    except Exception:  # noqa: BLE001 - one broken check must not end the others
        seen, good = traceback.format_exc()[-2000:], False
    say(check=name, good=good, seen=seen, seconds=round(time.monotonic() - began, 1))


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
