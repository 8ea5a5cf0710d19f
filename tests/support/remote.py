"""A second server of a running Wand, reached by OAuth, with an authorization server of its own."""

import contextlib
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.places import free_port
from support.running import COMMAND, Running

PASSWORD = "correct horse battery"
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where it is, who may sign in there, and its settings."""

    origin: str
    user: str
    settings: Path

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def command(self, *words: str, stdin: str = "") -> str:
        """What an administrator's command prints."""
        argv = [str(COMMAND), words[0], "--settings", str(self.settings), *words[1:]]
        return subprocess.run(argv, input=stdin, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def remote(wand: Running, folder: Path) -> Iterator[Remote]:
    """Serve the same host agent beside `wand`, and let its user sign in by a password."""
    origin = f"http://127.0.0.1:{free_port()}"
    settings = wand.state / "remote.toml"
    settings.write_text(_settings(wand, origin, folder))
    settings.chmod(0o600)
    made = Remote(origin=origin, user=pwd.getpwuid(os.geteuid()).pw_name, settings=settings)
    made.command("people", "add", made.user, stdin=f"{PASSWORD}\n")
    with _serving(settings, folder / "server.log"):
        yield made


def _settings(wand: Running, origin: str, folder: Path) -> str:
    text = (wand.state / "server.toml").read_text()
    text = re.sub(r"^port = .*$", f"port = {origin.rpartition(':')[2]}", text, flags=re.MULTILINE)
    text = re.sub(r"^socket = .*$", f'socket = "{folder}/stdio.sock"', text, flags=re.MULTILINE)
    issuer = (
        f'[issuer]\nurl = "{origin}"\nfolder = "{folder}/issuer"\ndocuments = false\nregistration = true\n'
        "dpop_nonces = true\n[oauth]\ndpop_nonces = true\n"
    )
    return f"{text}\n{issuer}"


@contextlib.contextmanager
def _serving(settings: Path, log: Path) -> Iterator[None]:
    reading, writing = os.pipe()
    argv = [str(COMMAND), "serve", "--settings", str(settings), "--ready-fd", str(writing)]
    with log.open("wb") as file:
        child = subprocess.Popen(argv, pass_fds=[writing], stderr=file, stdin=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            assert ready.readline(), log.read_text()[-4000:]
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_SECONDS)
        finally:
            child.kill()
            child.wait()
