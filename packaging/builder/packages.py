"""What each package says of itself, and nfpm's work with it."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from builder.tools import ROOT, Tools

FORMATS = ("deb", "rpm")
_RPM_ARCH = {"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}
_HERE = ROOT / "packaging"
_ABOUT = {
    "hostagent": (
        "Lets AI agents work on this machine, within a policy",
        (
            "The host agent decides by a policy which commands may run, and streams what\n"
            "they say. A separate launcher records each in a ledger, and starts it in a box\n"
            "of its own."
        ),
    ),
    "server": (
        "MCP server that AI agents connect to, the unprivileged half of Wand",
        (
            "The server speaks the Model Context Protocol over stdio, HTTP and WebSocket. It\n"
            "can start nothing itself: it asks the host agent, on this machine or another."
        ),
    ),
    "": (
        "AI agents at work on a Linux machine, within a policy (metapackage)",
        "This metapackage brings both halves: the MCP server and the host agent.",
    ),
}
_MAINTAINER = "Wand <wand@example.invalid>"
_SYSTEMD = {"deb": ["systemd (>= 249)"], "rpm": ["systemd >= 249"]}
_LIBC = {"deb": "libc6 (>= 2.34)", "rpm": "glibc >= 2.34"}
_OWN_LIBC = {"deb": "libc6 (>= 2.35)", "rpm": "glibc >= 2.35"}
_PYTHON = {"deb": "python3.11 (>= 3.11.2)", "rpm": "python3.11"}
_CXX = {"deb": ["libstdc++6", "libgcc-s1"], "rpm": ["libstdc++", "libgcc"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What holds for all packages of a build."""

    version: str
    release: str
    arch: str
    own_python: bool
    epoch: int
    compression: str

    @property
    def moment(self) -> str:
        return datetime.fromtimestamp(self.epoch, UTC).isoformat().replace("+00:00", "Z")

    @property
    def full_release(self) -> str:
        """An own interpreter is told from none by the release: the one replaces the other."""
        return f"{self.release}+python" if self.own_python else self.release


@dataclass(frozen=True, slots=True)
class Package:
    """One package, as nfpm is told of it."""

    name: str
    settings: Mapping[str, Any]
    work: Path


def changelog(how: How) -> bytes:
    """What Debian wants to know of a release; what is new for people stands in the changelog beside it."""
    date = format_datetime(datetime.fromtimestamp(how.epoch, UTC))
    text = (
        f"wand ({how.version}-{how.full_release}) unstable; urgency=medium\n\n  * Release {how.version}.\n\n"
    )
    return gzip.compress(f"{text} -- {_MAINTAINER}  {date}\n".encode(), 9, mtime=0)


def described(work: Path, how: How) -> Iterator[Package]:
    """The packages of both halves, whose trees lie in `work`, and the one that brings both."""
    for half in ("hostagent", "server"):
        yield Package(f"wand-{half}", _half(half, work, how), work)
    yield Package("wand", _both(work, how), work)


def write(tools: Tools, package: Package, form: str, out: Path) -> Path:
    """Write one package in that format."""
    settings = package.work / f"{package.name}.{form}.json"
    settings.write_text(json.dumps(package.settings))  # all JSON is YAML
    about = package.settings
    version, release, arch = about["version"], about["release"], about["arch"]
    file = {
        "deb": f"{package.name}_{version}-{release}_{arch}.deb",
        "rpm": f"{package.name}-{version}-{release}.{_RPM_ARCH[arch]}.rpm",
    }[form]
    tools.run(tools.nfpm, "package", "-f", settings, "-p", form, "-t", out / file, cwd=ROOT)
    return out / file


def _half(half: str, work: Path, how: How) -> dict[str, Any]:
    return {
        **_common(f"wand-{half}", half, how.arch, how),
        "contents": [
            {"src": str(work / half / "usr"), "dst": "/usr", "type": "tree"},
            *_configuration(half),
            _lintian(f"wand-{half}"),
            _file(work / "changelog.gz", f"/usr/share/doc/wand-{half}/changelog.Debian.gz", packager="deb"),
        ],
        "overrides": {
            form: {"depends": _needs(form, how), "scripts": _scripts(half, form)} for form in FORMATS
        },
    }


def _both(work: Path, how: How) -> dict[str, Any]:
    exact = f"{how.version}-{how.full_release}"
    needs = {
        "deb": [f"wand-{half} (= {exact})" for half in ("hostagent", "server")],
        "rpm": [f"wand-{half} = {exact}" for half in ("hostagent", "server")],
    }
    doc = [
        {"dst": "/usr/share/doc/wand", "type": "dir", "file_info": {"mode": 0o755}},
        {"src": str(_HERE / "deb" / "copyright"), "dst": "/usr/share/doc/wand/copyright"},
        _lintian("wand"),
        {
            "src": str(work / "changelog.gz"),
            "dst": "/usr/share/doc/wand/changelog.Debian.gz",
            "packager": "deb",
        },
    ]
    return {
        **_common("wand", "", "all", how),
        "contents": doc,
        "overrides": {form: {"depends": needs[form]} for form in FORMATS},
    }


def _common(name: str, half: str, arch: str, how: How) -> dict[str, Any]:
    summary, text = _ABOUT[half]
    return {
        "name": name,
        "arch": arch,
        "platform": "linux",
        "version": how.version,
        "version_schema": "none",
        "release": how.full_release,
        "section": "admin",
        "priority": "optional",
        "maintainer": _MAINTAINER,
        "description": f"{summary}\n{text}",
        "license": "Apache-2.0",
        "mtime": how.moment,
        "umask": 0o022,
        "deb": {"compression": how.compression},
        "rpm": {
            "compression": "zstd:3",
            "buildhost": "reproducible",
            "summary": summary,
            "group": "System/Daemons",
            **_restarts(half),
        },
    }


def _needs(form: str, how: How) -> list[str]:
    python = [_OWN_LIBC[form]] if how.own_python else [_PYTHON[form], _LIBC[form]]
    return [*python, *_CXX[form], *_SYSTEMD[form]]


def _configuration(half: str) -> Iterator[dict[str, Any]]:
    """Files that an administrator may change: ours never change, so that no upgrade has to ask."""
    yield _file(_HERE / "etc" / f"{half}.toml", f"/etc/wand/{half}.toml", type="config|noreplace")
    needrestart = _HERE / "etc" / "needrestart" / f"wand-{half}.conf"
    yield _file(
        needrestart, f"/etc/needrestart/conf.d/wand-{half}.conf", type="config|noreplace", packager="deb"
    )


def _lintian(name: str) -> dict[str, Any]:
    overrides = _HERE / "deb" / f"{name}.lintian-overrides"
    return _file(overrides, f"/usr/share/lintian/overrides/{name}", packager="deb")


def _file(source: Path, target: str, **more: str) -> dict[str, Any]:
    return {"src": str(source), "dst": target, "file_info": {"mode": 0o644}, **more}


def _scripts(half: str, form: str) -> dict[str, str]:
    folder = _HERE / form
    kinds = {"postinstall": "postinst", "preremove": "prerm", "postremove": "postrm"}
    return {kind: str(folder / f"wand-{half}.{name}") for kind, name in kinds.items()}


def _restarts(half: str) -> dict[str, Any]:
    """After everything else of a transaction of rpm."""
    return {"scripts": {"posttrans": str(_HERE / "rpm" / f"wand-{half}.posttrans")}} if half else {}
