"""`wand-server setup`: three questions, and the profile, the rules and the settings that follow from them."""

import argparse
import os
import pwd
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from wand_proto import layers
from wand_proto.errors import Conflict, Denied, Invalid, NotFound
from wand_server import settings
from wand_server.setup import texts
from wand_server.setup.texts import HERE, Answers, May

DIRECTORY = Path("/etc/wand")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_URL = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?")
_FOR_JOBS = "wand-job"  # the user that the packages make for commands
Ask = Callable[[str], str]


def main(words: Sequence[str]) -> int:
    """Ask what the options do not say, write what follows, and say what to type next."""
    asked = _parser().parse_args(words)
    given = answers(asked, input if sys.stdin.isatty() else None)
    files, settings_file = wanted(given, asked.directory)
    if asked.show:
        for path, text in {**files, **settings_file}.items():
            sys.stdout.write(f"## {path}\n{text}\n")
        return 0
    make_folder(given)
    write(files, settings_file)
    groups = _groups(asked.directory)
    sys.stdout.write(texts.next_steps(given, [*files, *settings_file], groups))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-server setup",
        description="Ask three questions, and write what Wand needs on this machine.",
    )
    does = "; ".join(f"{word}: {what}" for word, what in texts.MAY.items())
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where agents work; made where it is missing"
    )
    parser.add_argument("--may", choices=list(texts.MAY), help=does)
    parser.add_argument(
        "--reach", metavar="here|URL", help="from where clients come: here, or https://wand.example"
    )
    parser.add_argument(
        "--user", help="as whom commands run, and who may ask; default: whom the folder belongs to"
    )
    parser.add_argument("--name", help="of the profile; default: the last part of the folder")
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="with a URL: the server does TLS itself"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="of the certificate")
    parser.add_argument(
        "--directory",
        type=Path,
        default=DIRECTORY,
        metavar="DIR",
        help="where to write (default: %(default)s)",
    )
    parser.add_argument("--show", action="store_true", help="print what would be written, and write nothing")
    return parser


def answers(asked: argparse.Namespace, ask: Ask | None) -> Answers:
    """What the options say, and for the rest what a person answers; without `ask` there is nobody.

    Raises:
        Invalid: an answer is none, or nobody is there to give it.
    """
    folder = Path(_answer(str(asked.folder or ""), "folder", "Folder in which agents work", "/srv/work", ask))
    choice = "What may they do there? " + "".join(f"\n  {word:5} {what}" for word, what in texts.MAY.items())
    may = _answer(asked.may or "", "may", f"{choice}\nOne of these", "work", ask)
    reach = _answer(
        asked.reach or "", "reach", "From where do clients come: here, or https://NAME", HERE, ask
    )
    folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 - a link stays a link
    given = Answers(
        folder=folder,
        may=cast("May", may),
        reach=reach.rstrip("/"),
        user=asked.user or _owner(folder),
        name=asked.name or re.sub(r"[^a-z0-9-]+", "-", folder.name.lower()).strip("-"),
        certificate=_whole(asked.certificate),
        key=_whole(asked.key),
    )
    check(given)
    return given


def check(given: Answers) -> None:
    """Raise Invalid where an answer cannot be used, naming the option."""
    if given.may not in texts.MAY:
        raise Invalid(f"must be one of {', '.join(texts.MAY)}, not {given.may!r:.40}", field="--may")
    if given.reach != HERE and not _URL.fullmatch(given.reach):
        raise Invalid(f"must be here, or like https://wand.example, not {given.reach!r:.80}", field="--reach")
    if given.folder == Path("/") or not given.folder.name.isprintable():
        raise Invalid(f"{str(given.folder)!r:.80} is no folder for agents", field="--folder")
    if not _NAME.fullmatch(given.name):
        hint = "small letters, digits and dashes, the first a letter"
        raise Invalid(f"{given.name!r:.40} is no name of a profile", field="--name", hint=hint)
    _check_certificate(given)
    _check_user(given.user)


def _check_certificate(given: Answers) -> None:
    if (given.certificate is None) != (given.key is None):
        raise Invalid("goes together with --key", field="--certificate")
    if given.certificate is not None and given.reach == HERE:
        raise Invalid("needs --reach with the https address", field="--certificate")


def _check_user(name: str) -> None:
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Invalid(f"there is no user {name!r:.40} on this machine", field="--user") from None
    if uid == 0:
        hint = "name the user whose folder it is, or wand-job"
        raise Invalid("commands do not run as root", field="--user", hint=hint)


def _answer(said: str, option: str, question: str, default: str, ask: Ask | None) -> str:
    if said:
        return said
    if ask is None:
        raise Invalid(
            "is needed, for there is no terminal to ask at", field=f"--{option}", hint=f"as {default}"
        )
    try:
        return ask(f"{question} [{default}]: ").strip() or default
    except EOFError:
        raise Invalid("got no answer; nothing was written", field=f"--{option}") from None


def _whole(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _owner(folder: Path) -> str:
    """Whose the folder is; where that is root, or it is not there, who called sudo, or the user for jobs."""
    uid = folder.stat().st_uid if folder.exists() else 0
    sudo = os.environ.get("SUDO_USER", "")
    for name in (_name_of(uid), sudo, _FOR_JOBS):
        if name and name != "root":
            return name
    return _FOR_JOBS


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def wanted(given: Answers, directory: Path) -> tuple[dict[Path, str], dict[Path, str]]:
    """The files to be made, and the server's with what it is to say; where that needs no change, none.

    Raises:
        Conflict: a file is there, or the server's file says something else already.
    """
    files = {
        directory / "profiles.d" / f"{given.name}.toml": texts.profile(given),
        directory / "policy.d" / f"60-{given.name}.toml": texts.policy(given),
    }
    for path in files:
        if path.exists() or path.is_symlink():
            raise Conflict(
                f"{path} is there already; nothing was written", hint="--name makes another beside it"
            )
    path = directory / "server.toml"
    there = _read(path)
    more = texts.settings(given, there)
    if both := sorted(tomllib.loads(more).keys() & there.keys()):
        tables = ", ".join(f"[{name}]" for name in both)
        hint = f"add to it what is missing of: {'; '.join(filter(None, more.splitlines()))}"
        where = f"{path}, or a file of {layers.folder_of(path)},"
        raise Conflict(f"{where} has {tables} already, and is not changed; nothing was written", hint=hint)
    before = path.read_text() if path.exists() else ""
    return files, {path: before + more} if more else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return layers.read(path, owners={0, os.geteuid()}).table()
    except NotFound:
        return {}


def make_folder(given: Answers) -> None:
    """Make the folder for that user alone, where it is missing.

    Raises:
        Denied: it cannot be made.
    """
    if given.folder.is_dir():
        return
    about = pwd.getpwnam(given.user)
    try:
        given.folder.mkdir(mode=0o750, parents=True)
        os.chown(given.folder, about.pw_uid, about.pw_gid)
    except OSError as error:
        raise Denied(f"{given.folder} cannot be made: {error.strerror}", hint="run this as root") from error


def write(files: Mapping[Path, str], settings_file: Mapping[Path, str]) -> None:
    """Make the files, and replace that of the server, which can be read before it is there; all or none.

    Raises:
        Denied: they cannot be written.
        Invalid: the server's would not be read.
    """
    made: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            made.append(path)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
        for path, text in settings_file.items():
            _replace(path, text)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            why = f"{error.filename} cannot be written: {error.strerror}; nothing was written"
            raise Denied(why, hint="run this as root, or name a --directory") from error
        raise


def _replace(path: Path, text: str) -> None:
    """Put the server's file in its place, once it was read as the server reads it."""
    descriptor, name = tempfile.mkstemp(".toml", ".setup-", path.parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            os.fchmod(descriptor, path.stat().st_mode & 0o777 if path.exists() else 0o644)
            if path.exists():
                os.fchown(descriptor, path.stat().st_uid, path.stat().st_gid)
        settings.load(new, {})
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _groups(directory: Path) -> list[str]:
    """The groups whose members may start `wand-server stdio`."""
    return list(settings.load(directory / "server.toml", {}).stdio.allowed_groups)
