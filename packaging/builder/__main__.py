"""Build the packages: `./dev package` puts .deb and .rpm of both halves, and of `wand`, into dist/.

The same commit gives the same bytes, wherever and whenever it is built.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from builder import interpreter, packages, tree
from builder.tools import ROOT, Failed, Tools, say


def main(words: Sequence[str]) -> int:
    """Run `./dev package`; the exit status."""
    told = _parser().parse_args(words)
    began = time.monotonic()
    try:
        made = build(told)
    except Failed as why:
        sys.stderr.write(f"package: {why}\n")
        return 1
    for path in made:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{digest}  {path.relative_to(told.out)}  {path.stat().st_size / 1e6:.1f} MB")
    say(f"{len(made)} packages in {told.out}, {time.monotonic() - began:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev package", description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist/")
    parser.add_argument(
        "--arch", choices=tuple(tree.PLATFORMS), default=tree.here(), help="default: this one"
    )
    parser.add_argument("--format", action="append", choices=packages.FORMATS, help="default: both")
    parser.add_argument(
        "--own-python",
        action="store_true",
        help="bring the interpreter along, for systems without Python 3.11 (needs apt-get)",
    )
    parser.add_argument("--release", default="1", help="of this version; default: 1")
    parser.add_argument(
        "--compression", default="zstd", choices=("zstd", "gzip", "xz"), help="of .deb; default: zstd"
    )
    parser.add_argument(
        "--also", metavar="RELEASE", help="of the same files, the .deb of another release too, with gzip"
    )
    return parser


def build(told: argparse.Namespace) -> list[Path]:
    """Make a tree for each half, and of it the packages that are wanted; their paths.

    Raises:
        Failed: a tool is missing, or said no.
    """
    os.umask(0o022)
    tools = Tools.find(told.arch)
    how = packages.How(
        version=tree.version(), release=told.release, arch=told.arch, own_python=told.own_python,
        epoch=tools.epoch, compression=told.compression,
    )  # fmt: skip
    told.out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="wand-package-") as name:
        work = Path(name)
        for half in tree.HALVES:
            root = work / half
            tree.make(tools, half, root, own_python=told.own_python)
            if told.own_python:
                interpreter.bring(tools, told.arch, root / "usr" / "lib" / f"wand-{half}")
            tree.settle(tools, root, half)
        made += _written(tools, work, how, told.format or packages.FORMATS, told.out)
        if told.also:
            also = replace(how, release=told.also, compression="gzip")
            made += _written(tools, work, also, ("deb",), told.out)
    return made


def _written(tools: Tools, work: Path, how: packages.How, forms: Sequence[str], out: Path) -> Iterator[Path]:
    """Write the packages of one release, whose trees lie in `work`, in these formats."""
    (work / "changelog.gz").write_bytes(packages.changelog(how))
    os.utime(work / "changelog.gz", (how.epoch, how.epoch))
    for one in packages.described(work, how):
        yield from (packages.write(tools, one, form, out) for form in forms)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
