"""Programs that people use, in a job that may reach a few hosts: the real launcher, the proxy a service."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.egress import PROGRAM, listening_at
from support.launcher_client import Client, Launcher, launched
from support.packages import World, world
from support.places import short_folder

HOSTS = ("index", "npm", "git", "mirror", "other")
PIP = (
    "/usr/bin/python3 -m pip install -q --no-cache-dir --disable-pip-version-check --break-system-packages"
    " --target here --cert {certificate} --index-url https://{host}:{secure}/simple demo"
)
APT = (
    "mkdir -p s/lists/partial c/archives/partial &&"
    " echo 'deb [trusted=yes] http://{host}:{plain}/debian ./' > list &&"
    ' o="-o Dir::Etc::sourcelist=$PWD/list -o Dir::Etc::sourceparts=- -o Dir::State=$PWD/s'
    ' -o Dir::Cache=$PWD/c -o Dir::State::status=/dev/null -o APT::Sandbox::User=root" &&'
    " apt-get $o -q update && apt-get $o -q download demo"
)
NPM = (
    "npm install --no-audit --no-fund --cache c --cafile {certificate}"
    " --registry https://{host}:{secure}/npm demo"
)
# The host that a program wants, what is run, and what is there when it has worked.
PROGRAMS = {
    "curl": ("index", "curl -sS --cacert {certificate} https://{host}:{secure}/simple/demo/ -o got", "got"),
    "curl without TLS": ("mirror", "curl -sSf http://{host}:{plain}/simple/demo/ -o got", "got"),
    "wget": (
        "index",
        "wget -q --ca-certificate={certificate} https://{host}:{secure}/simple/demo/ -O got",
        "got",
    ),
    "git": (
        "git",
        "git -c http.sslCAInfo={certificate} clone -q https://{host}:{secure}/demo.git",
        "demo/.git/HEAD",
    ),
    "git without TLS": ("git", "git clone -q http://{host}:{plain}/demo.git", "demo/.git/HEAD"),
    "pip": ("index", PIP, "here/demo.py"),
    "npm": ("npm", NPM, "node_modules/demo/index.js"),
    "apt-get": ("mirror", APT, "demo_1.0_all.deb"),
}


@dataclass
class Scene:
    """A launcher whose profile reaches *.site.example, and what is served there."""

    launcher: Launcher
    client: Client
    world: World

    def run(self, script: str, host: str) -> tuple[bytes, int]:
        made = script.format(
            host=f"{host}.site.example" if "." not in host else host,
            certificate=self.launcher.workspace / "world.crt",
            secure=self.world.secure, plain=self.world.plain,
        )  # fmt: skip
        output, exited = self.client.result("bash", "-c", f"exec 2>&1; {made}")
        return output, exited["exit_code"]


@contextmanager
def service(folder: Path) -> Iterator[Path]:
    """The proxy as the unit starts it, with a list of hosts of our own."""
    (folder / "hosts").write_text(
        "".join(f"127.0.0.1 {name}.site.example {name}.evil.example\n" for name in HOSTS)
    )
    (folder / "resolv.conf").touch()
    path = folder / "egress.sock"
    argv = [
        sys.executable, "-I", "-S", "-E", str(PROGRAM), "--socket", str(path),
        "--hosts", str(folder / "hosts"), "--resolv-conf", str(folder / "resolv.conf"),
    ]  # fmt: skip
    with listening_at(argv) as process:
        yield path
        assert process.poll() is None


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with short_folder() as folder, world(folder) as served, service(folder) as path:
        ports = served.secure, served.plain
        listed = ", ".join(f'"{host}:{port}"' for port in ports for host in ("*.site.example", "127.0.0.1"))
        text = f'network = "proxy"\ndestinations = [{listed}]\nenvironment = {{ HOME = "/tmp" }}'
        with launched(text, "--development", "--egress", str(path)) as launcher, launcher.client() as client:
            if "network" not in {
                one["name"] for one in client.ask("profiles")["guarantees"] if one["enforced"]
            }:
                pytest.skip("this machine gives no network namespaces")
            shutil.copy(served.certificate, launcher.workspace / "world.crt")
            yield Scene(launcher, client, served)


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_works_for_a_destination_and_for_no_other_host(scene: Scene, program: str) -> None:
    host, script, made = PROGRAMS[program]
    if not _is_there(program):
        pytest.skip(f"there is no {program}")
    output, code = scene.run(f"mkdir 1 && cd 1 && {script}", host)
    assert (code, has_come(scene.launcher.workspace / "1" / made)) == (0, True), output.decode()
    shutil.rmtree(scene.launcher.workspace / "1")
    output, code = scene.run(f"mkdir 2 && cd 2 && {script}", f"{host}.evil.example")
    assert (code != 0, has_come(scene.launcher.workspace / "2" / made)) == (True, False), output.decode()
    shutil.rmtree(scene.launcher.workspace / "2")


def has_come(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _is_there(program: str) -> bool:
    if program == "pip":
        argv = ["/usr/bin/python3", "-m", "pip", "--version"]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0
    return shutil.which(program.split(maxsplit=1)[0], path="/usr/bin:/bin") is not None


def test_a_refusal_is_told_where_a_person_sees_it(scene: Scene) -> None:
    output, _ = scene.run("curl -sS https://{host}:{secure}/", "index.evil.example")
    assert b"403" in output
    output, _ = scene.run("curl -sS http://{host}:{plain}/", "index.evil.example")
    assert b"wand: index.evil.example" in output
    assert b"*.site.example" in output


def test_what_was_reached_is_in_the_ledger(scene: Scene) -> None:
    scene.run("curl -sS http://{host}:{plain}/simple/demo/", "mirror")
    last = scene.launcher.records("connect")[-1]["fields"]
    assert (last["host"], last["port"], last["tunnel"]) == ("mirror.site.example", scene.world.plain, False)
