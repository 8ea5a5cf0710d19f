"""The folder in which an embedded Wand keeps what it needs, held by one process at a time."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_MOST_SOCKET_PATH = 100  # bytes; unix(7) allows 107
_JOIN_SECONDS = 30.0


class Unfit(Exception):
    """Something here is not as it has to be; the message says what, and what would be right."""


class Held(Unfit):
    """Another process keeps this state."""

    def __init__(self, state: Path, about: Mapping[str, str]) -> None:
        self.workspace = about.get("workspace", "")
        self.socket = about.get("socket", "")
        who = f"process {about.get('pid', '?')}, for {self.workspace or 'some folder'}"
        super().__init__(
            f"{state} is in use by another Wand ({who}); stop it, or give --state another folder"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where everything of one embedded Wand lies."""

    workspace: Path
    state: Path
    run: Path  # sockets: a path short enough for them

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def home(self) -> Path:
        """The home that commands have."""
        return self.state / "home"

    @property
    def stdio_socket(self) -> Path:
        return self.run / "stdio.sock"

    def key(self) -> str:
        """The API key that lets its owner in by HTTP."""
        return (self.state / "api-key").read_text().strip()


@contextlib.contextmanager
def prepared(workspace: Path, state: Path | None) -> Iterator[Place]:
    """The place for a workspace, ours alone until the end of the block.

    Raises:
        Unfit: the workspace is no folder, or the state's folder cannot be used.
        Held: another process uses that state.
    """
    folder = workspace.expanduser().resolve()
    if not folder.is_dir():
        raise Unfit(f"{folder} is no folder")
    home = (state or _default_state(folder)).expanduser().absolute()
    _make_private(home)
    with _locked(home) as lock, _run_folder(home) as run:
        for name in ("logs", "pki", "profiles.d", "policy.d", "ledger", "spool", "home"):
            _make_private(home / name)
        place = Place(workspace=folder, state=home, run=run)
        about = {"pid": str(os.getpid()), "workspace": str(folder), "socket": str(place.stdio_socket)}
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(about).encode(), 0)
        yield place


def wait_for_socket(path: str) -> None:
    """Wait until somebody listens there: the other Wand may just be starting.

    Raises:
        Unfit: nobody does.
    """
    deadline = time.monotonic() + _JOIN_SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.1)
    raise Unfit(f"the other Wand does not answer at {path}")


def _default_state(workspace: Path) -> Path:
    """One folder for each workspace, so that two can be served at once."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    digest = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", workspace.name)[:40] or "root"
    return Path(base) / "wand" / f"{name}-{digest}"


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
    except OSError as error:
        raise Unfit(f"{folder} cannot be made: {error.strerror}") from error
    if about.st_uid != os.geteuid():
        raise Unfit(f"{folder} belongs to user {about.st_uid}; it must be your own")
    if stat.S_IMODE(about.st_mode) & 0o077:
        folder.chmod(0o700)


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[int]:
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    except BlockingIOError:
        raise Held(state, _holder(lock)) from None
    finally:
        os.close(lock)


def _holder(lock: int) -> dict[str, str]:
    """What the one who holds the lock wrote into it, which may not have happened yet."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        try:
            return {str(name): str(value) for name, value in json.loads(os.pread(lock, 65536, 0)).items()}
        except ValueError:
            time.sleep(0.05)
    return {}


def _elsewhere(state: Path) -> Path:
    """A short path that is the same at every start: clients have it in their settings."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    return Path(base) / f"wand-{os.geteuid()}-{digest}"


@contextlib.contextmanager
def _run_folder(state: Path) -> Iterator[Path]:
    """A folder for sockets, gone at the end: in the state where its path is short, else elsewhere."""
    run = state / "run"
    longest = run / "hostagent.sock"
    if len(os.fsencode(longest)) > _MOST_SOCKET_PATH:
        run = _elsewhere(state)
    shutil.rmtree(run, ignore_errors=True)  # what a killed one has left; the lock says that it is dead
    if run.is_symlink():
        raise Unfit(f"{run} is a link; remove it")
    _make_private(run)
    try:
        yield run
    finally:
        shutil.rmtree(run, ignore_errors=True)
