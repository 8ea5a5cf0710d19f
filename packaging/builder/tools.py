"""The programs that a build needs, found once, and the surroundings in which they give the same bytes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "packaging" / "locks"
_PYTHON = "python3.11"  # byte code is for this version, and so the packages depend on it
_STRIP = {"amd64": "x86_64-linux-gnu-strip", "arm64": "aarch64-linux-gnu-strip"}


class Failed(Exception):
    """Why a build has come to nothing; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Where the programs are; `environment` is that of each of them."""

    python: str
    uv: str
    nfpm: str
    strip: str
    environment: Mapping[str, str]

    @property
    def epoch(self) -> int:
        """The moment that every file bears: that of the commit."""
        return int(self.environment["SOURCE_DATE_EPOCH"])

    @classmethod
    def find(cls, arch: str) -> "Tools":
        """The tools for packages of that architecture; `./dev` names uv and nfpm in the environment.

        Raises:
            Failed: one is missing.
        """
        return cls(
            python=_needed(f"/usr/bin/{_PYTHON}", f"apt-get install {_PYTHON}"),
            uv=_needed(os.environ.get("UV", "uv"), "run ./dev package"),
            nfpm=_needed(os.environ.get("NFPM", "nfpm"), "run ./dev package"),
            strip=_needed(_STRIP[arch], f"apt-get install binutils-{_STRIP[arch].removesuffix('-strip')}"),
            environment=_environment(),
        )

    def run(self, *argv: str | Path, cwd: Path = ROOT, **more: str) -> str:
        """What a program prints.

        Raises:
            Failed: it ended otherwise than well.
        """
        words = [str(word) for word in argv]
        done = subprocess.run(
            words, cwd=cwd, env={**self.environment, **more}, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failed(f"{' '.join(words[:6])} … ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout


def say(text: str) -> None:
    print(f"package: {text}", file=sys.stderr, flush=True)


def _needed(program: str, hint: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Failed(f"{program} is needed and not here: {hint}")
    return found


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **inherited,
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or _moment(),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "UV_LINK_MODE": "copy",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
    }


def _moment() -> str:
    argv = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed("no commit tells the time of this build: set SOURCE_DATE_EPOCH")
    return done.stdout.strip()
