"""An attempt through the real launcher: a real process, the real protocol, and no policy."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from containment.outcome import Outcome, bystander_is_harmed
from containment.rows import Row
from containment.scene import LEAK, MARK, PATH, PYTHON, SETUP_SECONDS, Scene, become
from support.launcher_client import PROGRAM, Client, Failed, Running, new_job
from wand_hostagent.filesystem import model, wire
from wand_hostagent.filesystem.refusal import Refused

ROW_SECONDS = 8.0
_MOST_BYTES = 4 * 1024 * 1024
_LAST_WORDS_SECONDS = 0.3  # for what is still in the pipes when the job has ended

PROFILE = """
name = "developer"
workspace = "{work}"
run_as = "{run_as}"
path = "{path}"
environment = {{ LANG = "C.UTF-8", {mark} = "{name}" }}
environment_allowed = ["*"]
{network}
[limits]
wall_seconds = {seconds}
"""
# Names that lead to this machine; the proxy knows them, and no name server.
HOSTS = "127.0.0.1 rebound.example a.wild.example\n::1 rebound6.example\n::ffff:127.0.0.1 mapped.example\n"


@dataclass(slots=True)
class Stage:
    """A launcher that runs for one attempt."""

    scene: Scene
    process: subprocess.Popen[bytes]
    clients: list[Client] = field(default_factory=list)

    @property
    def client(self) -> Client:
        if not self.clients:
            self.clients.append(Client(self.scene.state / "launcher.sock"))
        return self.clients[0]

    @property
    def harm(self) -> str:
        """What happened to the launcher, if anything."""
        if self.process.poll() is not None:
            return "the launcher has ended"
        try:
            self.client.ask("profiles")
        except (OSError, Failed) as error:
            return f"the launcher does not answer: {error}"
        return ""


@contextmanager
def launcher(scene: Scene, reach: Sequence[str] = ()) -> Iterator[Stage]:
    """A launcher with the developer profile for this scene; it has a secret in its environment and two
    descriptors that it should not hand on. With destinations, there is a proxy."""
    for name in ("profiles", "ledger"):
        (scene.state / name).mkdir()
        os.chown(scene.state / name, scene.who.launcher_uid, scene.who.launcher_uid)
    who = scene.who
    text = PROFILE.format(
        work=scene.work, run_as=who.name if who.mode == "dedicated" else "", path=PATH, mark=MARK,
        name=scene.name, seconds=ROW_SECONDS - 1, network=_network(scene, reach),
    )  # fmt: skip
    path = scene.state / "profiles" / "developer.toml"
    path.write_text(text)
    os.chown(path, who.launcher_uid, who.launcher_uid)
    flags = [] if who.mode == "dedicated" else ["--development"]
    proxies = []
    if reach:
        proxies.append(_start_proxy(scene))
        flags += ["--egress", str(scene.state / "egress.sock")]
    with leaks(scene) as leaked:
        process = _start(scene, leaked, flags)
    stage = Stage(scene, process)
    try:
        yield stage
    finally:
        for client in stage.clients:
            client.close()
        for one in (process, *proxies):
            _end(one)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(SETUP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _network(scene: Scene, reach: Sequence[str]) -> str:
    if not reach:
        return ""
    listed = ", ".join(f'"{scene.fill(one)}"' for one in reach)
    return f'network = "proxy"\ndestinations = [{listed}]'


def _start_proxy(scene: Scene) -> subprocess.Popen[bytes]:
    """A proxy of its own, as the launcher's user; what the launcher cannot reach yet it tries again."""
    hosts, settings = scene.state / "hosts", scene.state / "resolv.conf"
    hosts.write_text(HOSTS)
    settings.touch()
    argv = [
        _interpreter(), "-I", "-S", "-E", str(PROGRAM / "egress"),
        "--socket", str(scene.state / "egress.sock"), "--hosts", str(hosts), "--resolv-conf", str(settings),
    ]  # fmt: skip
    with (scene.state / "egress.log").open("wb") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **become(scene.who.launcher_uid)
        )


@contextmanager
def leaks(scene: Scene) -> Iterator[list[int]]:
    """Descriptors that must not reach an attempt: a folder outside, a file outside, and a socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    opened = [os.open(scene.out, os.O_RDONLY), os.open(scene.out / "secret", os.O_RDONLY)]
    try:
        yield [*opened, theirs.fileno()]
    finally:
        ours.close()
        theirs.close()
        for descriptor in opened:
            os.close(descriptor)


def _start(scene: Scene, leaked: Sequence[int], flags: Sequence[str]) -> subprocess.Popen[bytes]:
    reader, writer = os.pipe()
    state = scene.state
    argv = [
        _interpreter(), "-I", "-S", "-E", str(PROGRAM), "--socket", str(state / "launcher.sock"),
        "--profiles", str(state / "profiles"), "--ledger", str(state / "ledger"), "--ready-fd", str(writer),
        *flags,
    ]  # fmt: skip
    with (state / "launcher.log").open("wb") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writer, *leaked], cwd="/",
            env={"PATH": PATH, "LANG": "C.UTF-8", LEAK: scene.leak}, **become(scene.who.launcher_uid),
        )  # fmt: skip
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], SETUP_SECONDS)
    said = os.read(reader, 1) if ready else b""
    os.close(reader)
    if said != b"\n":
        process.kill()
        process.wait()
        raise RuntimeError(f"the launcher does not start: {(state / 'launcher.log').read_text()[-600:]}")
    return process


def compile_program() -> None:
    """Have the launcher's byte code kept: it is started for each row where nothing can be written."""
    argv = [_interpreter(), "-m", "compileall", "-q", str(PROGRAM.parent)]
    subprocess.run(argv, check=False, stdout=subprocess.DEVNULL)


def _interpreter() -> str:
    """An interpreter that any user may run."""
    return PYTHON if Path(PYTHON).exists() else sys.executable


def attempt(row: Row, scene: Scene) -> Outcome:
    """Run the row through a launcher of its own and say how it ended."""
    with launcher(scene, row.reach) as stage:
        return attempt_on(stage, row)


def attempt_on(stage: Stage, row: Row) -> Outcome:
    """Run the row through a launcher that is there."""
    scene = stage.scene
    if row.beside:
        _beside(stage)
    if row.first:
        _run(stage, replace(row, directory=""), ["bash", "-c", scene.fill(row.first)])
    try:
        outcome = _ask_worker(stage, row) if row.form == "file" else _run(stage, row, _words(row, scene))
    except Failed as failure:
        absent = failure.kind == "NotFound" and failure.field == "argv"
        outcome = Outcome("absent" if absent else "refused", note=str(failure))
    outcome.harmed = bystander_is_harmed(scene) or stage.harm or _neighbour_is_harmed(stage, row)
    return outcome


def _words(row: Row, scene: Scene) -> list[str]:
    return [scene.fill(word) for word in row.words()]


def _run(stage: Stage, row: Row, argv: list[str]) -> Outcome:
    scene, client = stage.scene, stage.client
    environment = {name: scene.fill(text) for name, text in row.env.items()}
    asked: dict[str, Any] = {
        "job": new_job(), "profile": "developer", "environment": environment, "limits": dict(row.limits),
        "directory": scene.fill(row.directory),
    }  # fmt: skip
    if row.terminal:
        running: Running = client.run_in_terminal(*argv, **asked)
    else:
        running = client.run(*argv, stdin=scene.fill(row.stdin).encode(), keep=False, **asked)
    parts = {descriptor: b"" for descriptor in (running.stdout, running.stderr) if descriptor >= 0}
    _collect(client, running, parts)
    ended = client.exits.get(running.job)
    if ended is None:
        return Outcome("error", note="the job was not over in time")
    note = "" if ended["reason"] == "exited" else f"{ended['reason']} {ended['signal'] or ''}".strip()
    code = ended["exit_code"] if not ended["signal"] else 128 + ended["signal"]
    return Outcome("ran", code, parts[running.stdout], parts.get(running.stderr, b""), note)


def _collect(client: Client, running: Running, parts: dict[int, bytes]) -> None:
    """Read what the job writes until it has ended; then what is left, for a moment."""
    open_ends = set(parts)
    give_up = time.monotonic() + ROW_SECONDS + 1
    while open_ends or running.job not in client.exits:
        waiting = [*open_ends] if running.job in client.exits else [*open_ends, client.socket.fileno()]
        ready, _, _ = select.select(waiting, [], [], max(give_up - time.monotonic(), 0))
        if not ready:
            return
        for descriptor in ready:
            if descriptor == client.socket.fileno():
                client.receive()
                if running.job in client.exits:
                    give_up = min(give_up, time.monotonic() + _LAST_WORDS_SECONDS)
            elif part := _read(descriptor):
                parts[descriptor] = (parts[descriptor] + part)[:_MOST_BYTES]
            else:
                open_ends.discard(descriptor)


def _read(descriptor: int) -> bytes:
    """What is there; nothing at the end, which of a terminal is an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


# -- somebody in another job of the same profile ------------------------------------------------------------


def _beside(stage: Stage) -> None:
    """Start the bystander as a job of its own."""
    scene = stage.scene
    program = (Path(__file__).parent / "bystander.py").read_text()
    argv = [PYTHON, "-I", "-c", program, str(scene.work), scene.secret]
    environment = {"SECRET": scene.secret}
    stage.client.run(*argv, keep=False, job="beside", profile="developer", environment=environment)
    scene.learn(scene.work)


def _neighbour_is_harmed(stage: Stage, row: Row) -> str:
    if not row.beside or stage.process.poll() is not None:
        return ""
    with suppress(OSError, Failed):
        if "beside" in [job["job"] for job in stage.client.ask("jobs")["jobs"] if job["running"]]:
            stage.client.ask("kill", job="beside", signal=int(signal.SIGKILL), reason="cancelled")
            stage.client.exited("beside")
            return ""
    return "the job beside was ended"


# -- the file tools ------------------------------------------------------------------------------------------


def _ask_worker(stage: Stage, row: Row) -> Outcome:
    """Ask the confined worker of the file tools; `req` is the question, as `do` and its fields."""
    asked = {
        name: stage.scene.fill(text) if isinstance(text, str) else text for name, text in row.req.items()
    }
    kind = getattr(model, str(asked.pop("do")))
    if "data" in asked:
        asked |= {"data": str(asked["data"]).encode(), "mode": model.Mode.REPLACE}
    ours, theirs = socket.socketpair()
    ours.settimeout(ROW_SECONDS)
    with ours:
        with theirs:
            stage.client.ask("worker", [theirs.fileno()], job=new_job(), profile="developer", why={})
        ours.sendall(wire.pack(kind(**asked)))
        with ours.makefile("rb") as answers:
            header, body = wire.LENGTHS.unpack(answers.read(wire.LENGTHS.size))
            answer = wire.unpack(answers.read(header), answers.read(body))
    if isinstance(answer, Refused):
        return Outcome("ran", 1, stderr=f"{answer.kind}: {answer.message}".encode())
    return Outcome("ran", 0, stdout=getattr(answer, "data", b"") + repr(answer).encode())
