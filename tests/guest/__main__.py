"""Install Wand's packages in guests that boot, and live with them: `./dev guest-test`.

Each step is something that an administrator does, with what must be seen; it prints how long it took.
"""

import argparse
import contextlib
import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guest import agents, followed, libraries, linted, machine, network, rootfs, steps, virtual
from guest import apart as two
from guest import redhat as rpm
from guest.certificates import Https
from guest.machine import Guest, Wrong
from guest.rootfs import Absent
from guest.steps import Stage
from support.tree import ROOT

RELEASES = ("1", "2")


def main(words: Sequence[str]) -> int:
    """Run `./dev guest-test`; 0 where every step was as it must be."""
    parser = argparse.ArgumentParser(prog="./dev guest-test", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--only", action="append", choices=tuple(SCENARIOS), help="default: all but own-python and virtual"
    )
    parser.add_argument(
        "--packages", type=Path, help="a folder of packages of both releases; default: build them"
    )
    told = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="wand-guest-") as name:
        try:
            packages = told.packages or build(Path(name) / "packages")
            return int(sum(_tried(one, Path(name), packages) for one in told.only or USUAL) > 0)
        except (Absent, Wrong) as why:
            print(f"guest-test: {why}")
            return 1


def build(folder: Path) -> Path:
    """Packages of two releases of what is here: both formats of the first, a .deb of the second for lintian,
    which knows no zstd here; and the first a second time, to the same bytes.

    Raises:
        Absent: they cannot be built.
        Wrong: the second time made other ones.
    """
    _built(folder, *RELEASES)
    _built(folder / "twice", "1")
    for path in sorted((folder / "twice").iterdir()):
        if path.read_bytes() != (folder / path.name).read_bytes():
            raise Wrong(f"built twice, and {path.name} is another")
    print(f"{'the same bytes twice':24}         {len(list((folder / 'twice').iterdir()))} packages")
    return folder


def _built(folder: Path, release: str, also: str = "", *more: str) -> None:
    began = time.monotonic()
    argv = [sys.executable, str(ROOT / "dev"), "package", "--out", str(folder), "--release", release]
    argv += [*(("--also", also) if also else ()), *more]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Absent(f"the packages cannot be built: {done.stderr[-800:]}")
    what = f"packages, release {release}" + (f" and {also}" if also else "")
    print(f"{what:24} {time.monotonic() - began:5.1f} s", flush=True)


def _tried(name: str, work: Path, packages: Path) -> int:
    """How many steps of a scenario went wrong: at the first that does, it ends."""
    print(f"\n{name}")
    try:
        with SCENARIOS[name](work, packages) as (table, stage):
            return _lived(table, stage)
    except Wrong as why:
        print(f"  WRONG: {why}")
        return 1


def _lived(table: Mapping[str, Callable[[Any], str]], stage: Any) -> int:
    for name, step in table.items():
        began = time.monotonic()
        try:
            seen = step(stage)
        except (Wrong, subprocess.TimeoutExpired) as why:
            print(f"  {name:22} WRONG: {why}", flush=True)
            if isinstance(stage, Stage):
                print(stage.guest.run("journalctl", "-q", "-n", "60", "--no-pager").out)
            return 1
        print(f"  {name:22} {time.monotonic() - began:5.1f} s  {seen}", flush=True)
    return 0


@contextlib.contextmanager
def debian(work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Stage]]:
    """Debian 12, the .deb: everything that happens to one machine."""
    with machine.booted(rootfs.root(), "life", work, share=packages) as guest:
        yield (
            _behind(_with_libraries(steps.LIFE), "call by stdio", {"agents beside": agents.beside}),
            Stage(guest, *RELEASES, Https(work / "https"), _install_deb, _remove_deb),
        )


def _with_libraries(life: Mapping[str, Callable[[Any], str]]) -> Mapping[str, Callable[[Any], str]]:
    return _behind(life, "install", {"libraries": libraries.loaded})


def _behind(
    life: Mapping[str, Callable[[Any], str]], name: str, more: Mapping[str, Callable[[Any], str]]
) -> Mapping[str, Callable[[Any], str]]:
    """The steps, with more of them behind that one."""
    before = list(life).index(name) + 1
    return {**dict(list(life.items())[:before]), **more, **dict(list(life.items())[before:])}


def _install_deb(guest: Guest, release: str) -> None:
    files = guest.sh(f"ls /srv/packages/wand-*-{release}_*.deb").split()
    guest.do("apt-get", "install", "-qq", "-y", *steps.KEEP, *files)


def _remove_deb(guest: Guest) -> None:
    guest.do("apt-get", "remove", "-qq", "-y", "wand-hostagent", "wand-server")


@contextlib.contextmanager
def apart(work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Any]]:
    """Two machines with a network between them, which goes away and comes back."""
    with contextlib.ExitStack() as both:
        pair = both.enter_context(network.pair())
        guests = [
            both.enter_context(
                machine.booted(rootfs.root(), name, work, share=packages, namespace=pair.names[number])
            )
            for number, name in enumerate(("far", "near"))
        ]
        yield two.APART, two.Two(guests[0], guests[1], pair)


@contextlib.contextmanager
def redhat(work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Any]]:
    """The .rpm, by dnf."""
    rpm.need()
    prepare = functools.partial(rpm.install, packages=packages, work=work)
    with machine.booted(rootfs.root(), "redhat", work, share=packages, prepare=prepare) as guest:
        stage = Stage(
            guest, *RELEASES, Https(work / "https-rpm"), lambda *_: None, lambda _: rpm.remove(guest, work)
        )
        yield _with_libraries(steps.RPM), stage


@contextlib.contextmanager
def lint(_work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Any]]:
    """What the distributions' own critics say, but for what is excused with a reason."""
    yield {"lintian": linted.lintian, "rpmlint": linted.rpmlint}, packages


@contextlib.contextmanager
def tutorial(work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Any]]:
    """What docs/tutorial/install.md says, word for word."""
    with machine.booted(rootfs.root(), "fresh", work, share=packages) as guest:
        yield {"install.md": followed.follow}, guest


@contextlib.contextmanager
def own_python(work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Any]]:
    """The packages that bring an interpreter, on a system that has none of that version."""
    own = packages / "own"
    if not own.exists():
        _built(own, "1", "", "--own-python", "--format", "deb")
    with machine.booted(rootfs.root(rootfs.NEXT), "next", work, share=own) as guest:
        stage = Stage(guest, "1+python", "", Https(work / "https-own"), _install_deb, _remove_deb)
        yield steps.OWN_PYTHON, stage


@contextlib.contextmanager
def emulated(work: Path, packages: Path) -> Iterator[tuple[Mapping[str, Callable[[Any], str]], Any]]:
    """A real install on a kernel of the distribution."""
    yield {"limits are held": lambda folder: virtual.tried(folder, work)}, packages


USUAL = {"lint": lint, "debian": debian, "tutorial": tutorial, "apart": apart, "redhat": redhat}
SCENARIOS = {**USUAL, "own-python": own_python, "virtual": emulated}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
