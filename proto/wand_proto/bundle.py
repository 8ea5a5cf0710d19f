"""What a doctor's command line has, and the bundle that it writes for who is to help: secrets struck out."""

import argparse
import io
import json
import os
import re
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wand_proto import findings, logline
from wand_proto.errors import Conflict, NotFound
from wand_proto.findings import Finding

HIDDEN = "[struck out]"
_MOST_LOG_BYTES = 2 * 1024 * 1024
_NAMED = re.compile(
    r"""((?:token|passw\w*|passphrase|secret|authorization|cookie|credential|\bkey)["']?\s*[:=]\s*)\S.*""",
    re.IGNORECASE,
)
_READ_IT = """\
What `{program} doctor --bundle` saw. Keys, tokens and passwords are struck out, and files are named and not
contained. Names of people, machines and folders are in here: read it before you give it away.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--json`, `--bundle` and `--log`."""
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument(
        "--bundle", type=Path, metavar="FILE", help="write all of it to a new .tar.gz too, without secrets"
    )
    parser.add_argument(
        "--log",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="with --bundle: the end of that log too, without secrets; can be said again",
    )


def finish(
    asked: argparse.Namespace, about: tuple[str, str], found: Sequence[Finding], settings: Mapping[str, Any]
) -> int:
    """Print what was found, and write the bundle where one is asked for: 0, or 1 where something is missing.

    `about` is the name of the program and its version; `settings` are told by their names.

    Raises:
        Conflict, NotFound: there is such a file already, or a log that is not there.
    """
    told = findings.as_json(*about, found)
    sys.stdout.write(told if asked.json else "".join(f"{finding.line()}\n" for finding in found))
    if asked.bundle:
        parts = {
            "READ-ME.txt": _READ_IT.format(program=about[0]),
            "findings.json": json.dumps(cleaned(json.loads(told)), indent=2),
            "settings.json": json.dumps(cleaned(settings), indent=2, default=str),
            "environment.json": json.dumps(environment(os.environ), indent=2),
            "files.txt": "".join(_modes(settings)),
            **_logs(asked.log),
        }
        write(asked.bundle, parts)
        sys.stderr.write(f"{asked.bundle} is written; read it before you give it away\n")
    return 0 if findings.is_good(found) else 1


def cleaned(value: Any, name: str = "") -> Any:
    """The same with secrets struck out: values that are called so, and texts that look so."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {logline.struck(str(key)): cleaned(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(each, name) for each in value]
    if isinstance(value, Path):
        return str(value)  # the name of a file is none
    if logline.is_secret(name):
        return HIDDEN
    return value if isinstance(value, int | float) else logline.struck(str(value))


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The names of variables that are ours or systemd's, without their values."""
    ours = ("WAND_", "CREDENTIALS_", "STATE_", "RUNTIME_", "LISTEN_", "NOTIFY_", "INVOCATION_")
    return {name: HIDDEN for name in sorted(variables) if name.startswith(ours)}


def write(path: Path, parts: Mapping[str, str]) -> None:
    """Make a .tar.gz of those texts, which nobody else can read.

    Raises:
        Conflict: there is such a file already, or it cannot be made.
    """
    folder = path.name.partition(".")[0]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise Conflict(f"{path} is there already", hint="name another file") from error
    except OSError as error:
        raise Conflict(f"{path} cannot be written: {error.strerror}", hint="name another file") from error
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in parts.items():
            body = text.encode("utf-8", "backslashreplace")
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mode, member.mtime = len(body), 0o600, int(time.time())
            archive.addfile(member, io.BytesIO(body))


def _logs(paths: Sequence[Path]) -> dict[str, str]:
    return {f"logs/{number}-{path.name}": _log(path) for number, path in enumerate(paths, start=1)}


def _log(path: Path) -> str:
    """The end of a log without secrets: lines of JSON by the names in them, others by what they look like."""
    try:
        with path.open("rb") as file:
            start = max(0, path.stat().st_size - _MOST_LOG_BYTES)
            file.seek(start)
            lines = file.read(_MOST_LOG_BYTES).decode("utf-8", "backslashreplace").splitlines()
    except OSError as error:
        raise NotFound(f"the log {path} cannot be read: {error.strerror}") from error
    return cleaned_log(lines[1:] if start else lines)


def cleaned_log(lines: Sequence[str]) -> str:
    """Those lines of a log without secrets; a key may go over several of them."""
    said: list[str] = []
    text: list[str] = []
    for line in lines:
        read = _table(line)
        if read is None:
            text.append(line)
        else:
            said += [_text(text), json.dumps(cleaned(read), ensure_ascii=False) + "\n"]
            text.clear()
    return "".join([*said, _text(text)])


def _text(lines: Sequence[str]) -> str:
    return _NAMED.sub(rf"\1{HIDDEN}", logline.struck("".join(f"{line}\n" for line in lines)))


def _table(line: str) -> dict[str, Any] | None:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _modes(settings: Mapping[str, Any]) -> Iterator[str]:
    """Whose each file is that the settings name, and who may do what with it."""
    for path in sorted({path for value in settings.values() for path in _paths(value)}):
        try:
            about = path.lstat()
        except OSError as error:
            yield f"{path}: {error.strerror}\n"
        else:
            whose = f"user {about.st_uid}, group {about.st_gid}"
            yield f"{path}: mode {about.st_mode:o}, {whose}, {about.st_size} bytes\n"


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _paths(each)
    elif isinstance(value, str) and value.startswith("unix:"):
        yield Path(value.removeprefix("unix:"))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _paths(each)
