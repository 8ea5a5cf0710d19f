"""The settings, keys and command lines of the three parts."""

import importlib.util
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wand_server.embedded.place import Place, Unfit
from wand_server.embedded.shown import Person

HOST = "127.0.0.1"
FIRST_PORT = 8001
_PORTS = range(FIRST_PORT, FIRST_PORT + 20)
_TOOL_SECONDS = 60
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_PUBLIC = re.compile(r"https://[a-z0-9.-]+(:[0-9]+)?|http://(127\.0\.0\.1|localhost)(:[0-9]+)?")
_OURS = frozenset(
    {"http", "stdio", "hostagent", "execution", "issuer", "state", "tls"}
)  # tables that we write
_SAFE = ("-P",)  # Python's: nothing is imported from the folder that we were started in


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One program to run; `death_signal` is what the kernel sends it where we are killed."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    death_signal: signal.Signals = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Network:
    """What commands reach."""

    kind: str
    destinations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Public:
    """Where a proxy with TLS lets others reach us, and whether we can fetch what vouches for programs."""

    url: str = ""
    documents: bool = True

    def __post_init__(self) -> None:
        if self.url and not _PUBLIC.fullmatch(self.url):
            like = "like https://wand.example (http on loopback only)"
            raise Unfit(f"{self.url!r} is no address of a server: {like}")


@dataclass(frozen=True, slots=True)
class Also:
    """What is in the server's settings beside what they always say."""

    public: Public = Public()
    more: str = ""  # TOML


_NOTHING = Also()


def more_settings(file: Path | None) -> str:
    """The tables in a file, as text that can stand behind the settings that we write.

    Raises:
        Unfit: it cannot be read, or has a table that is ours.
    """
    if file is None:
        return ""
    try:
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, ValueError) as why:
        raise Unfit(f"{file} cannot be read: {why}") from why
    if wrong := sorted(
        name for name, value in tables.items() if name in _OURS or not isinstance(value, dict)
    ):
        raise Unfit(f"{file}: {wrong[0]} is set by what starts this Wand, or is no table")
    return text


def write_files(place: Place, port: int, network: Network, also: Also = _NOTHING) -> None:
    """Make certificates and the API key where they are missing, and write every settings file anew.

    Where it has a public address, people can sign in there.

    Raises:
        Unfit: a part of Wand is missing, or said no.
    """
    _tool("wand_hostagent.cli", "pki", "ensure", "--directory", str(place.state / "pki"))
    _ensure_key(place)
    person = Person(home=Path.home(), workspace=place.workspace, environment=os.environ)
    if not (place.home / ".gitconfig").exists():
        _write_private(place.home / ".gitconfig", person.git_identity())
    files = {
        "profiles.d/developer.toml": _profile(place, person, network),
        "policy.d/embedded.toml": _policy(place),
        "hostagent.toml": _hostagent(place),
        "server.toml": _server(place, port, also.public) + _issuer(also.public) + also.more,
    }
    for name, text in files.items():
        _write_private(place.state / name, text)


def launcher(place: Place) -> Child:
    """The launcher; it ends its jobs itself where we are killed, so it is asked and not killed."""
    argv = (
        *(sys.executable, "-I", "-S", "-E", str(_hostagent_package() / "launcher")),
        *("--socket", str(place.run / "launcher.sock")),
        *("--profiles", str(place.state / "profiles.d")),
        *("--ledger", str(place.state / "ledger")),
        "--development",
    )
    return _child("launcher", argv, place, signal.SIGTERM)


def hostagent(place: Place) -> Child:
    argv = _python("wand_hostagent.cli", "serve", "--settings", str(place.state / "hostagent.toml"))
    return _child("hostagent", argv, place)


def server(place: Place) -> Child:
    argv = _python("wand_server.cli", "serve", "--settings", str(place.state / "server.toml"))
    return _child("server", argv, place)


def pipe(path: str) -> tuple[str, ...]:
    """The command line of a pipe from stdin and stdout to a server's socket."""
    return _python("wand_server.cli", "stdio", "--socket", path)


def hold_port(wanted: int | None) -> socket.socket:
    """A socket that holds the port for HTTP: the one that was asked for, or the first free one from 8001 on.

    While it is open the server can listen there, however late it starts, and nobody gets the port by chance.

    Raises:
        Unfit: it is taken, or all are.
    """
    if wanted is not None:
        if not 0 <= wanted <= 65535:
            raise Unfit(f"{wanted} is no port: 0 to 65535")
        if (held := _held(wanted)) is None:
            raise Unfit(f"port {wanted} is taken; give another --port, or 0 for any")
        return held
    for port in _PORTS:
        if (held := _held(port)) is not None:
            return held
    raise Unfit(f"the ports {_PORTS[0]} to {_PORTS[-1]} are all taken; give --port 0 for any")


def _held(port: int) -> socket.socket | None:
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that who sets it too can listen there
    try:
        holder.bind((HOST, port))
    except OSError:
        holder.close()
        return None
    return holder


def _child(
    name: str, argv: Sequence[str], place: Place, death_signal: signal.Signals = signal.SIGKILL
) -> Child:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("WAND_")}
    return Child(name=name, argv=tuple(argv), folder=place.state, environment=ours, death_signal=death_signal)


def _python(module: str, *words: str) -> tuple[str, ...]:
    """The command line of a module of ours that has a `main` without arguments."""
    return (sys.executable, *_SAFE, "-c", f"from {module} import main; main()", *words)


def _tool(module: str, *words: str) -> str:
    """What one of our own commands prints."""
    argv = _python(module, *words)
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_TOOL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Unfit(f"{module} {' '.join(words[:2])} did not end in {_TOOL_SECONDS} seconds") from error
    if done.returncode != 0:
        raise Unfit(f"{module} {' '.join(words[:2])} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _hostagent_package() -> Path:
    found = importlib.util.find_spec("wand_hostagent")
    if found is None or not found.submodule_search_locations:
        raise Unfit("the host agent is not installed beside the server: pip install wand-hostagent")
    return Path(next(iter(found.submodule_search_locations)))


def _ensure_key(place: Place) -> None:
    key, keys = place.state / "api-key", place.state / "keys.toml"
    if key.is_file() and keys.is_file():
        return
    keys.unlink(missing_ok=True)
    _write_private(key, _tool("wand_server.cli", "keys", "add", _key_name(), "--file", str(keys)))


def _write_private(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    beside.replace(path)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid:{os.geteuid()}"  # as the server calls the user of its socket


def _key_name() -> str:
    """The principal of the API key: the person's own name, so that every way in is the same principal."""
    return _user() if _KEY_NAME.fullmatch(_user()) else "developer"


# -- the files -----------------------------------------------------------------------------------------


def _quoted(text: str | Path) -> str:
    """A TOML string."""
    try:
        str(text).encode()
    except UnicodeEncodeError as error:
        raise Unfit(f"{text!r} is not UTF-8") from error
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _profile(place: Place, person: Person, network: Network) -> str:
    variables = {"LANG": "C.UTF-8", **person.variables(), "HOME": str(place.home)}
    environment = ", ".join(f"{name} = {_quoted(text)}" for name, text in variables.items())
    hidden = [str(place.state), *person.hidden()]
    return f"""\
name = "developer"
workspace = {_quoted(place.workspace)}
directories = [{_quoted(place.home)}]
visible = [{", ".join(map(_quoted, person.visible()))}]
hidden = [{", ".join(map(_quoted, hidden))}]
network = {_quoted(network.kind)}
destinations = [{", ".join(map(_quoted, network.destinations))}]
path = {_quoted(person.path())}
environment = {{ {environment} }}
environment_allowed = ["*"]

[limits]
wall_seconds = 86400
"""


def _policy(place: Place) -> str:
    principals = ", ".join(_quoted(name) for name in sorted({_user(), _key_name()}))
    return f"""\
[[rule]]
name = "you may run anything, starting in the workspace"
verdict = "allow"
principals = [{principals}]
programs = ["*"]
profile = "developer"

[[rule]]
name = "you may use the files of the workspace"
verdict = "allow"
principals = [{principals}]
paths = [{_quoted(place.workspace)}]
verbs = ["read", "write", "edit", "list", "search"]
profile = "developer"
"""


def _hostagent(place: Place) -> str:
    return f"""\
listen = [{_quoted(f"unix:{place.run / 'hostagent.sock'}")}]
launcher_socket = {_quoted(place.run / "launcher.sock")}
policy_directory = "policy.d"
spool_directory = "spool"
development = true

[tls]
ca = "pki/ca.crt"
certificate = "pki/hostagent.crt"
key = "pki/hostagent.key"
"""


_NAMES = """\
allowed_hosts = [{host}]
trusted_proxies = ["127.0.0.1", "::1"]  # it says who asks; else one stranger could slow everybody
"""


def _server(place: Place, port: int, public: Public) -> str:
    names = _NAMES.format(host=_quoted(public.url.partition("//")[2])) if public.url else ""
    return f"""\
[http]
host = {_quoted(HOST)}
port = {port}
{names}keys_file = "keys.toml"

[stdio]
socket = {_quoted(place.stdio_socket)}

[hostagent]
address = {_quoted(f"unix:{place.run / 'hostagent.sock'}")}
ca = "pki/ca.crt"
certificate = "pki/server.crt"
key = "pki/server.key"

[state]
folder = "."

[execution]
stop_seconds = 0  # Ctrl-C ends everything, now
"""


def _issuer(public: Public) -> str:
    if not public.url:
        return ""
    return f"""
[issuer]
url = {_quoted(public.url)}
documents = {"true" if public.documents else "false"}
folder = "issuer"
registration = true
"""
