"""A small world of packages: an index for pip, a registry for npm, a mirror for apt, a repository for git."""

import base64
import functools
import hashlib
import http.server
import io
import json
import shutil
import ssl
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.egress import listening

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class World:
    """Where it is served, with TLS and without."""

    folder: Path
    secure: int
    plain: int

    @property
    def certificate(self) -> Path:
        return self.folder / "world.crt"


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Everything, served below *.site.example on two ports of this machine."""
    files = folder / "files"
    files.mkdir()
    _wheel(files)
    _repository(files)
    _debian(files)
    certificate = _certificate(folder)
    handler = functools.partial(_Files, directory=str(files))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, folder / "world.key")
    with listening(handler, ADDRESS, context) as secure, listening(handler, ADDRESS) as plain:
        _npm(files, secure)
        yield World(folder, secure, plain)


def _certificate(folder: Path) -> Path:
    argv = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", "/CN=site.example", "-addext", "subjectAltName=DNS:*.site.example",
        "-keyout", str(folder / "world.key"), "-out", str(folder / "world.crt"),
    ]  # fmt: skip
    subprocess.run(argv, check=True, capture_output=True)
    (folder / "world.crt").chmod(0o644)
    return folder / "world.crt"


def _wheel(files: Path) -> None:
    folder = files / "simple" / "demo"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "demo-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", "word = 'installed'\n")
        wheel.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(
            "demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("demo-1.0.dist-info/RECORD", "")
    (folder / "index.html").write_text('<a href="demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>')


def _repository(files: Path) -> None:
    work = files.parent / "repository"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@site.example", "-c", "init.defaultBranch=main"]
    for argv in (
        [*git, "init", "-q", str(work)],
        [*git, "-C", str(work), "commit", "-q", "--allow-empty", "-m", "cloned"],
        [*git, "clone", "-q", "--bare", str(work), str(files / "demo.git")],
        [*git, "-C", str(files / "demo.git"), "update-server-info"],
    ):
        subprocess.run(argv, check=True, capture_output=True)


def _npm(files: Path, port: int) -> None:
    """A packument is a file without an ending, and `npm` wants what it says of the tarball to be true."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (
            ("package.json", '{"name": "demo", "version": "1.0.0", "main": "index.js"}'),
            ("index.js", "module.exports = 'installed'"),
        ):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    folder = files / "npm"
    folder.mkdir()
    (folder / "demo-1.0.0.tgz").write_bytes(packed.getvalue())
    integrity = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
    tarball = f"https://npm.site.example:{port}/npm/demo-1.0.0.tgz"
    version = {
        "name": "demo", "version": "1.0.0", "main": "index.js",
        "dist": {"tarball": tarball, "integrity": f"sha512-{integrity}"},
    }  # fmt: skip
    about = {"name": "demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    (folder / "demo").write_text(json.dumps(about))


def _debian(files: Path) -> None:
    """One package, and the list that names it."""
    if shutil.which("dpkg-deb") is None:
        return
    folder, built = files.parent / "package", files / "debian"
    (folder / "DEBIAN").mkdir(parents=True)
    built.mkdir()
    control = "Package: demo\nVersion: 1.0\nArchitecture: all\nMaintainer: a\nDescription: a demonstration\n"
    (folder / "DEBIAN" / "control").write_text(control)
    subprocess.run(["dpkg-deb", "-b", str(folder), str(built / "demo.deb")], check=True, capture_output=True)
    content = (built / "demo.deb").read_bytes()
    where = f"Filename: ./demo.deb\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    (built / "Packages").write_text(control + where)
