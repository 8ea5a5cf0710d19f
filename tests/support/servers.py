"""Real servers that a test starts: programs of packages, on loopback, gone when it ends."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.prism import ROOT

PROGRAMS = ROOT / ".dev" / "services" / "bin"  # `./dev services` puts them there
_START_SECONDS = 60.0


@contextmanager
def running(words: list[str], url: str, folder: Path) -> Iterator[None]:
    """A server that answers at that URL, whatever it says, while entered; its log lies in the folder."""
    log = folder / f"{Path(words[0]).name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        _wait(process, url, log)
        yield
    finally:
        process.kill()
        process.wait(10)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError as answered:
            if answered.code < 500:
                return
        except OSError:
            pass
        else:
            return
        time.sleep(0.1)
    raise AssertionError(f"{words_of(process)} does not start: {log.read_text(errors='replace')[-2000:]}")


def words_of(process: "subprocess.Popen[bytes]") -> str:
    """What was started."""
    return str(process.args)
