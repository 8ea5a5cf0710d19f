"""What one attempt needs: a repository to stand in, what lies outside it, and who is to be harmed."""

import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containment.theatre import UID, USER

HERE = Path(__file__).parent
ROOT = Path("/srv/c")
PYTHON = "/usr/bin/python3"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
MARK = "WAND_CORPUS_ROW"
LEAK = "WAND_SERVER_TOKEN"
SETUP_SECONDS = 10.0
EXEC_SECONDS = 2.0
_TOKEN = re.compile(r"(?<!\$)\{([A-Za-z]+)\}")


@dataclass(frozen=True, slots=True)
class Who:
    """The user whose the attempt is, and the user of the launcher."""

    mode: str
    uid: int
    name: str
    launcher_uid: int

    @property
    def started(self) -> dict[str, Any]:
        """What makes a process that of the attempt's user."""
        return become(self.uid)


def become(uid: int) -> dict[str, Any]:
    return {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": []}


def who(mode: str) -> Who:
    if os.geteuid() != 0:
        return Who(mode, os.geteuid(), "", os.geteuid())
    return {
        "dedicated": Who(mode, UID, USER, 0),
        "root": Who(mode, 0, "root", 0),
        "user": Who(mode, UID, USER, UID),
    }[mode]


@dataclass(slots=True)
class Scene:
    """The folders of one attempt; whatever was started here is ended by `close`."""

    name: str
    who: Who
    inside: bool = False  # the launcher keeps its state in the workspace
    secret: str = field(default_factory=lambda: f"secret-{secrets.token_hex(8)}")
    leak: str = field(default_factory=lambda: f"leak-{secrets.token_hex(8)}")
    unlisted: str = field(default_factory=lambda: f"unlisted-{secrets.token_hex(4)}")
    bystander: subprocess.Popen[bytes] | None = None
    known: dict[str, str] = field(default_factory=dict)
    before: object = ()
    kept: object = ()

    @property
    def folder(self) -> Path:
        return ROOT / self.who.mode / self.name

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def state(self) -> Path:
        return (self.work if self.inside else self.folder) / "state"

    @property
    def marker(self) -> Path:
        return self.out / "marker"

    @property
    def canary(self) -> Path:
        return self.out / "canary"

    @property
    def environment(self) -> dict[str, str]:
        """Of whatever runs as the attempt's user, unconfined."""
        return {
            "PATH": PATH, "HOME": str(self.folder / "home"), "LANG": "C.UTF-8", "TMPDIR": "/tmp",
            "USER": self.who.name, "LOGNAME": self.who.name, "SHELL": "/bin/bash", MARK: self.name,
        }  # fmt: skip

    def open(self, template: Path) -> None:
        """Make the folders anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        subprocess.run(["cp", "-a", str(template), str(self.work)], check=True)
        for folder, uid in (
            (self.out, self.who.uid), (self.folder / "home", self.who.uid),
            (self.state, self.who.launcher_uid),
        ):  # fmt: skip
            folder.mkdir()
            os.chown(folder, uid, uid)
        for name, text in {"secret": f"{self.secret}\n", self.unlisted: ""}.items():
            self._put(name, text)
        self._put("canary", "sing\n")
        self.kept = self._fixed()
        self._learn_names()

    def renew(self, template: Path) -> bool:
        """Make all as `open` did, in the same folders and with the same secret; whether that is so."""
        self.bystander, self.before = None, ()
        for folder in (self.work, self.out, self.folder / "home"):
            for entry in folder.iterdir():
                if entry not in {self.out / "secret", self.out / self.unlisted}:
                    _remove(entry)
        subprocess.run(["cp", "-a", f"{template}/.", str(self.work)], check=True)
        self._put("canary", "sing\n")
        self._learn_names()
        return self._fixed() == self.kept

    def _fixed(self) -> list[object]:
        """What must be the same from one attempt to the next: who holds it open still holds this."""
        folders = (self.folder, self.work, self.out, self.folder / "home", self.state)
        about = [(one, one.lstat()) for one in folders]
        files = [state_of(self.out / name) for name in ("secret", self.unlisted)]
        return [*((seen.st_ino, seen.st_mode, seen.st_uid, os.listxattr(one)) for one, seen in about), *files]

    def _put(self, name: str, text: str) -> None:
        (self.out / name).write_text(text)
        os.chown(self.out / name, self.who.uid, self.who.uid)

    def _learn_names(self) -> None:
        self.known = {
            "M": str(self.marker), "C": str(self.canary), "S": str(self.out / "secret"), "O": str(self.out),
            "W": str(self.work), "long": "x" * 60_000, "here": str(HERE), "name": self.name,
            "launcher": str(self.state / "launcher.sock"), "state": str(self.state),
            "ledger": str(self.state / "ledger" / "ledger.jsonl"),
            "profile": str(self.state / "profiles" / "developer.toml"),
        }  # fmt: skip

    def fill(self, text: str) -> str:
        """The text with its placeholders filled; other braces stay as they are."""
        return _TOKEN.sub(lambda found: self.known.get(found[1], found[0]), text)

    def prepare(self, setup: str, root_setup: str) -> str:
        """Run what comes before the attempt, unconfined; what went wrong, or nothing."""
        for text, started in ((setup, self.who.started), (root_setup, {})):
            if not text:
                continue
            try:
                subprocess.run(
                    ["bash", "-c", self.fill(text)], cwd=self.work, env=self.environment, check=False,
                    stdin=subprocess.DEVNULL, capture_output=True, timeout=SETUP_SECONDS, **started,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return "its setup takes too long"
        if self.marker.exists():
            return "the marker is there before the attempt"
        self.before = state_of(self.canary)
        return ""

    def add_bystander(self, folder: Path) -> None:
        """Start somebody outside who has what the attempt wants."""
        self.bystander = subprocess.Popen(
            [PYTHON, "-I", str(HERE / "bystander.py"), str(folder), self.secret],
            env={**self.environment, MARK: "", "SECRET": self.secret},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=folder, **self.who.started,
        )  # fmt: skip
        self.learn(folder)

    def learn(self, folder: Path) -> None:
        """Wait for what the bystander says of itself."""
        told = folder / "bystander.json"
        give_up = time.monotonic() + SETUP_SECONDS
        while not told.exists():
            if time.monotonic() > give_up:
                raise TimeoutError("the bystander does not come up")
            time.sleep(0.005)
        self.known |= json.loads(told.read_text())

    def close(self) -> list[str]:
        """End everything of this attempt; which processes had outlived it."""
        left = survivors(self.name)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        if self.bystander is not None:
            self.bystander.kill()
            self.bystander.wait()
        return [str(pid) for pid in left]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def state_of(path: Path) -> tuple[Any, ...]:
    """All of a file that an attempt could change."""
    try:
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
    except OSError:
        return ()
    return (
        about.st_mode,
        about.st_uid,
        about.st_gid,
        about.st_mtime_ns,
        about.st_nlink,
        about.st_ino,
        content,
    )


def survivors(name: str) -> list[int]:
    """The living processes that were started by the attempt of that name."""
    wanted = f"{MARK}={name}".encode()
    return [pid for pid in _pids() if wanted in _environment(pid) and _lives(pid)]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    """The variables of a process; one that is in the middle of execve(2) has none yet and is waited for."""
    give_up = time.monotonic() + EXEC_SECONDS
    try:
        while not (told := Path(f"/proc/{pid}/environ").read_bytes()) and _becomes(pid):
            if time.monotonic() > give_up:
                break
            time.sleep(0.005)
    except OSError:
        return []
    return told.split(b"\0")


def _becomes(pid: int) -> bool:
    """Whether a living process has no command line: neither has one whose new program is being loaded."""
    return not Path(f"/proc/{pid}/cmdline").read_bytes() and _lives(pid)


def _lives(pid: int) -> bool:
    return process_state(pid) not in {"", "Z", "X"}


def process_state(pid: int) -> str:
    """The letter of proc(5), empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def make_template(files: Mapping[str, str], folder: Path, as_whom: Who) -> None:
    """A repository with two commits and a modified file."""
    folder.mkdir(parents=True)
    os.chown(folder, as_whom.uid, as_whom.uid)
    script = [
        "set -e", "git init -q -b main .", "rm -rf .git/hooks", "git config user.name corpus",
        "git config user.email corpus@example.org", "git config commit.gpgsign false",
    ]  # fmt: skip
    for name, text in files.items():
        script += [f"mkdir -p $(dirname {name})", f"cat > {name} <<'___'\n{text}___"]
    script += ["git add -A", "git commit -qm one", "echo 'line four' >> f.txt", "git commit -qam two"]
    script += ["echo 'line five' >> f.txt"]
    environment = {"PATH": PATH, "HOME": str(folder), "LANG": "C.UTF-8"}
    subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, env=environment, check=True, **as_whom.started
    )
