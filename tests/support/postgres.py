"""A real PostgreSQL on loopback, thrown away afterwards: one for a whole run, a database for each test."""

import os
import pwd
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from support import certificates
from support.places import free_port, short_folder

PASSWORD = "password of a test"
_USER = "postgres"
_START_SECONDS = 60.0
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "listen_addresses=127.0.0.1,127.0.0.2",
)


def _programs() -> Path | None:
    """The folder of the newest server's programs: Debian keeps them off the path."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[4]))
    found = newest[-1] if newest else shutil.which("postgres")
    return Path(found).parent if found else None


PROGRAMS = _programs()


def why_not() -> str:
    """Why none can run here; empty where one can."""
    if PROGRAMS is None:
        return "there is no PostgreSQL: apt-get install postgresql"
    if os.geteuid() == 0 and _USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database of it; its superuser is `postgres`."""

    port: int
    name: str
    host: str = "127.0.0.1"
    user: str = _USER
    password: str = PASSWORD

    @property
    def url(self) -> str:
        """As asyncpg and others take it."""
        return f"postgresql://{self.user}:{quote(self.password)}@{self.host}:{self.port}/{self.name}"

    def sql(self, text: str) -> str:
        """What psql prints for it, bare: rows on lines, fields parted by |."""
        assert PROGRAMS is not None
        ran = subprocess.run(
            [PROGRAMS / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url],
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A server that runs."""

    port: int
    folder: Path

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A new database, gone with whoever is connected to it when this is left."""
        whole = Database(port=self.port, name="postgres")
        name = f"t{uuid.uuid4().hex[:12]}"
        whole.sql(f"CREATE DATABASE {name}")
        try:
            yield Database(port=self.port, name=name)
        finally:
            whole.sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running(
    *, tls: bool = False, durable: bool = False, programs: Path | None = PROGRAMS
) -> Iterator[Cluster]:
    """A new cluster, while entered, for who has looked at `why_not`; with TLS, by its cert.pem.

    What one that is `durable` has said to be done outlives the death of its processes.
    """
    assert programs is not None
    user = _USER if os.geteuid() == 0 else None
    with short_folder() as folder:
        secret, place = folder / "password", folder / "data"
        secret.write_text(PASSWORD)
        if tls:
            certificates.for_localhost(folder)
            (folder / "key.pem").chmod(0o600)
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        initdb = [str(programs / "initdb"), "--no-sync", "-U", _USER, "-E", "UTF8", "--locale=C.UTF-8"]
        words = [*initdb, "-A", "scram-sha-256", "--pwfile", str(secret), "-D", str(place)]
        subprocess.run(words, user=user, cwd=folder, capture_output=True, check=True)
        with (folder / "log").open("wb") as log:
            port = free_port()
            settings = [
                *_SETTINGS,
                *(("synchronous_commit=on",) if durable else ()),
                f"port={port}",
                f"unix_socket_directories={folder}",
            ]
            if tls:
                files = (f"ssl_cert_file={folder}/cert.pem", f"ssl_key_file={folder}/key.pem")
                settings += ["ssl=on", *files]
            process = subprocess.Popen(
                [programs / "postgres", "-D", place, *(word for one in settings for word in ("-c", one))],
                user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            _wait(process, port, folder / "log")
            yield Cluster(port=port, folder=folder)
        finally:
            process.send_signal(3)  # SIGQUIT, at which it ends at once: postgres(1)
            process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    assert PROGRAMS is not None
    give_up = time.monotonic() + _START_SECONDS
    asked = [str(PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while time.monotonic() < give_up and process.poll() is None:
        if subprocess.run(asked, check=False).returncode == 0:
            return
        time.sleep(0.05)  # a look at a socket, not a wait for time to pass
    raise AssertionError(f"PostgreSQL does not start: {log.read_text(errors='replace')[-2000:]}")
