"""What commands are shown of a person's own machine: their tools, never their home.

Tools that people install for themselves lie in their home, beside what must not be seen: so each folder of
PATH is shown by itself, with the installation that it belongs to where it plainly is one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/nix/store", "/gnu/store")))
_MOST_LINKS = 2000  # looked at in one folder of programs
_INSTALLED = ("lib", "lib64", "libexec", "pyvenv.cfg", "versions")  # one stands beside the programs' folder
_MIXED = (".local", ".cargo", ".config", ".cache")  # tools beside what must not be seen
_VENVS = (".venv", "venv", "env")
# Where tools keep what they have installed: the variable that says so, and where it is without one.
_HOMES = {"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv", "ASDF_DATA_DIR": ".asdf", "VOLTA_HOME": ".volta"}
# What a workspace that is itself a home must not show.
_SECRETS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".npmrc", ".pypirc", ".git-credentials",
    ".config/gcloud", ".config/gh", ".config/git/credentials", ".cargo/credentials.toml", ".m2/settings.xml",
    ".local/share/keyrings", ".password-store", ".mozilla", ".config/google-chrome", ".claude",
    ".vault-token",
)  # fmt: skip
_GIT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose machine it is, and the folder that they give to commands."""

    home: Path
    workspace: Path
    environment: Mapping[str, str]

    def path(self) -> str:
        """The folders in which commands look for programs."""
        parts = self.environment.get("PATH", "").split(":")
        return ":".join(part for part in parts if part.startswith("/")) or "/usr/local/bin:/usr/bin:/bin"

    def visible(self) -> list[str]:
        """The folders that are shown to be read, beside the system's."""
        found = {folder for folder in self._installations() if self._may_be_shown(folder)}
        return sorted(str(folder) for folder in found if not _within(folder, found - {folder}))

    def variables(self) -> dict[str, str]:
        """What tells tools where they are, since their home is another one for commands."""
        return {name: str(folder) for name, folder in self._tool_homes().items()}

    def hidden(self) -> list[str]:
        """What is not for commands where the workspace holds a home."""
        places = (self.home / name for name in _SECRETS)
        return [str(place) for place in places if _within(place, {self.workspace}) and place.exists()]

    def git_identity(self) -> str:
        """A configuration of git that says who the person is, and nothing else that theirs says."""
        lines = ["[user]"]
        for name in ("name", "email"):
            argv = ["git", "config", "--global", "--get", f"user.{name}"]
            try:
                done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_GIT_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                break
            if value := done.stdout.strip():
                lines.append(f"\t{name} = {_git_quoted(value)}")
        return "\n".join([*lines, "[safe]", f"\tdirectory = {_git_quoted(str(self.workspace))}", ""])

    # -- what is there -----------------------------------------------------------------------------------

    def _installations(self) -> Iterator[Path]:
        yield Path(sys.prefix)  # where Wand is installed
        yield Path(sys.base_prefix)
        yield from self._tool_homes().values()
        for part in self.path().split(":"):
            folder = Path(part)
            if _is_open_folder(folder) and self._may_be_shown(folder):
                yield self._installation(folder)
                yield from self._linked(folder)
        for name in _VENVS:
            python = (self.workspace / name / "bin" / "python").resolve()
            if python.is_file() and any(python.parent.parent.glob("lib/python3*/os.py")):
                yield self._installation(python.parent)

    def _installation(self, folder: Path) -> Path:
        """What a folder of programs belongs to, if that is one thing; else the folder alone."""
        above = folder.resolve().parent
        whole = folder.name == "shims" or any((above / name).exists() for name in _INSTALLED)
        return above if whole and self._may_be_shown(above) else folder.resolve()

    def _linked(self, folder: Path) -> Iterator[Path]:
        """What the links in a folder of programs lead to."""
        for entry in list(os.scandir(folder))[:_MOST_LINKS]:
            with suppress(OSError, RuntimeError):  # it leads where we may not look, or in a circle
                target = Path(entry.path).resolve()
                if entry.is_symlink() and target.is_file() and os.access(target, os.X_OK):
                    yield self._installation(target.parent)

    def _tool_homes(self) -> dict[str, Path]:
        places = {
            name: Path(self.environment.get(name) or self.home / usual) for name, usual in _HOMES.items()
        }
        return {
            name: place
            for name, place in places.items()
            if _is_open_folder(place) and self._may_be_shown(place)
        }

    def _may_be_shown(self, folder: Path) -> bool:
        """Neither the system's nor the workspace's, which are shown anyway, nor what holds a home."""
        holds_a_home = _within(self.home, {folder}) or _within(self.workspace, {folder})
        mixed = folder.parent == self.home and folder.name in _MIXED
        return not (holds_a_home or mixed or _within(folder, {*SYSTEM, self.workspace}))


def _is_open_folder(place: Path) -> bool:
    """Whether it is a folder that we may look into; PATH can name those of another user."""
    return os.access(place, os.R_OK | os.X_OK) and place.is_dir()


def _within(path: Path, folders: set[Path]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def _git_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
