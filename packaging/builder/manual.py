"""Man pages and completions of shells, with the subcommands that there are."""

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from builder.tools import ROOT
from wand_hostagent.cli import COMMANDS as _HOSTAGENT
from wand_server.cli import COMMANDS as _SERVER

_BASH = """\
# Completion of {program} in bash: subcommands, then files.
_{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}}
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "{names}" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}}
complete -o filenames -F _{function} {program}
"""
_ZSH = """\
#compdef {program}
local -a commands=(
{lines}
)
if ((CURRENT == 2)); then
    _describe command commands
else
    _files
fi
"""


def commands(half: str) -> dict[str, str]:
    """What each subcommand of a half does."""
    table: Mapping[str, tuple[str, ...]] = _SERVER if half == "server" else _HOSTAGENT
    return {name: about[-1] for name, about in table.items()}


def write(half: str, share: Path, *, version: str, epoch: int) -> None:
    """Put page and completions of a half where the system looks for them, below /usr/share."""
    program = f"wand-{half}"
    man = page(half, version=version, epoch=epoch).encode()
    _put(share / "man" / "man8" / f"{program}.8.gz", gzip.compress(man, 9, mtime=0))
    _put(share / "bash-completion" / "completions" / program, bash(half).encode())
    _put(share / "zsh" / "vendor-completions" / f"_{program}", zsh(half).encode())


def page(half: str, *, version: str, epoch: int) -> str:
    """The man page, in roff."""
    text = (ROOT / "packaging" / "man" / f"wand-{half}.8.in").read_text()
    entries = "".join(f".TP\n.B {name}\n{_roff(does)}.\n" for name, does in commands(half).items())
    date = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d")
    return (
        text.replace("@DATE@", date).replace("@VERSION@", version).replace("@COMMANDS@\n", f"{entries}.PP\n")
    )


def bash(half: str) -> str:
    names = " ".join(commands(half))
    return _BASH.format(program=f"wand-{half}", function=f"wand_{half}", names=names)


def zsh(half: str) -> str:
    lines = "\n".join(f"    {_quoted(f'{name}:{does}')}" for name, does in commands(half).items())
    return _ZSH.format(program=f"wand-{half}", lines=lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
