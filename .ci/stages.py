"""The stages of `.ci/run [fast | nightly]`, in the order in which they are told.

First comes what everything else needs, then what can share the machine, then what needs it alone: figures.
Of what shares it, what may take longest begins first; the tests do once all is there that they try.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from plan import Plan, Stage, need
from running import run

ROOT = Path(__file__).resolve().parent.parent

FAST, NIGHTLY = "fast", "nightly"
_DOCUMENTS = "WAND_OPENAPI_DIR"
_TOOLS = (
    "jq", "make", "ps:procps", "git", "curl", "wget", "perl", "gcc", "zip", "vim", "sqlite3", "openssl",
    "strace", "rsync", "ssh:openssh-client", "file", "man:man-db",
)  # fmt: skip
_CORPUS = tuple(need(*tool.split(":"), without="the corpus runs without it") for tool in _TOOLS)
_PYTEST = need(
    "/usr/lib/python3/dist-packages/pytest", "python3-pytest", without="no job runs the system's own"
)
_PROXY = "the test of this proxy does not run"
_TESTS = (
    need("haproxy", without=_PROXY),
    need("nginx", "nginx-light", without=_PROXY),
    need("caddy", without=_PROXY),
    need("sshd", "openssh-server", without="the bundle is not tried by SSH, and no backend is"),
    need("/usr/lib/postgresql", "postgresql", without="nothing is tried at a real PostgreSQL"),
    need("dovecot", "dovecot-imapd", without="e-mail is not tried at a real server"),
    need("dockerd", "docker.io", without="no backend is tried in containers, nor the service Docker"),
    need("busybox", "busybox-static", without="no backend is tried in containers"),
    need("prometheus", without="its operations are not tried"),
    need("prometheus-alertmanager", without="its operations are not tried"),
    need("chromium", without="nothing is tried in a browser"),
    need("pip3", "python3-pip", without="tests of the proxy run without it"),
    _PYTEST,
)
_NPM = (need("npm", "nodejs", "npm"),)
_QEMU = (need("qemu-system-x86_64", "qemu-system-x86", "seabios"), need("mke2fs", "e2fsprogs"))
_GUEST = (
    need("systemd-nspawn", "systemd-container"), need("mmdebstrap"), need("dnf"), need("rpm"),
    need("lintian"), need("createrepo_c", "createrepo-c"), need("rpmlint"), need("strip", "binutils"),
    need("python3.11"),
)  # fmt: skip

ENV = Stage(name="env", seconds=600, command="./dev sync")
BROUGHT = (  # they wait for the network
    Stage(name="clients", seconds=600, command="./dev clients", needs=_NPM, cores=0),
    Stage(name="bundle", seconds=300, command="./dev bundle", needs=_NPM, cores=0),
    Stage(name="documents", seconds=300, command="./dev documents", needs=_NPM, cores=0),
    Stage(name="services", seconds=300, command="./dev services", cores=0),
)
BESIDE = (
    Stage(name="check", seconds=300, command="./dev check"),
    Stage(
        name="shell",
        seconds=60,
        command="shellcheck .ci/run packaging/mcpb/wand",
        needs=(need("shellcheck"),),
    ),
    Stage(name="conformance", seconds=900, command="./dev conformance", needs=_NPM, show="."),
    Stage(name="schemathesis", seconds=300, command="./dev schemathesis 40", show=" +[0-9]+ |.*generated"),
)
FUZZ = Stage(name="fuzz", seconds=1500, command="./dev fuzz 400000", cores=2, show=".*messages")
VM = Stage(name="vm", seconds=1200, command="./dev vm", cores=2, needs=_QEMU, is_roots=True, show="(?!dev:)")
GUEST = Stage(
    name="guest", seconds=2000, command="./dev guest-test", needs=_GUEST, is_roots=True, show="[a-z ]"
)
SOAK = Stage(name="soak", seconds=900, command="./dev soak 600", cores=0, niceness=5, show=".")
CHAOS = Stage(
    name="chaos", seconds=900, command="./dev chaos 300", show="tasks|killed|list_agents|chaos",
)  # fmt: skip
CHAOS_LONG = tuple(
    Stage(name=name, seconds=3000, command=f"./dev chaos 2000{option}", show="tasks|killed|list_agents|chaos")
    for name, option in (("chaos-lite", ""), ("chaos-pg", " --postgres"))
)
GUESTS = Stage(
    name="guests", seconds=2400, command="./dev guest-test --only own-python --only virtual",
    needs=(*_GUEST, *_QEMU, need("patchelf")), is_roots=True, show="[a-z ]",
)  # fmt: skip
_LONG = (FUZZ, VM, GUEST, SOAK)
_TESTING = "./dev test -n 3 -q --dist worksteal"  # or one of them has the services left alone
BENCHES = (
    Stage(
        name="bench", seconds=600, command="./dev bench spine --quick", show=".",
        wants=(need("bwrap", "bubblewrap", without="the bench has no command in bwrap to stand beside"),),
    ),
    Stage(
        name="starts", seconds=600, command="./dev bench launcher --starts 200 --many 1000", show=".",
        needs=(need("cc", "gcc", "libc6-dev"),),
    ),
    Stage(name="signin", seconds=120, command="./dev bench signin --quick", show="."),
    Stage(name="streams", seconds=300, command="./dev bench streams --quick", show="."),
    Stage(name="agents", seconds=120, command="./dev bench agents --quick", show="."),
)  # fmt: skip


def fast() -> Plan:
    tests = "./dev test -n 2 -q --ignore tests/clients --ignore tests/documents"
    return Plan(first=(ENV,), alone=(BESIDE[0], *corpora()[:1], _tests(tests)))


def everything(*, nightly: bool) -> Plan:
    return Plan(
        first=(ENV,),
        beside=(
            *BROUGHT,
            *BESIDE,
            *_LONG,
            *corpora(fresh=nightly),
            *(() if nightly else (CHAOS,)),
            _tests(_TESTING),
        ),
        alone=(*((GUESTS, *CHAOS_LONG) if nightly else ()), *BENCHES),
        installs=os.geteuid() == 0 and shutil.which("apt-get") is not None,
    )


def corpora(*, fresh: bool = False) -> tuple[Stage, ...]:
    """Attacks through the real launcher, once for each user that a job can be; `fresh`: one for each row."""
    own = " --fresh" if fresh else ""
    modes = ("dedicated", "root", "user") if os.geteuid() == 0 else ("user",)
    return tuple(
        Stage(
            name=f"as-{mode}", seconds=900, command=f"./dev corpus --as {mode} --seconds 840{own}",
            wants=(*_CORPUS, _PYTEST), show="(?!dev:|  and )",
        )
        for mode in modes
    )  # fmt: skip


def _tests(command: str) -> Stage:
    """Three at once on two processors: half of the time a test waits for a process or a container."""
    # for tests/documents, and for no Wand that another stage starts: it is no setting
    folder = os.environ.get(_DOCUMENTS) or str(ROOT.parent / "shared" / "openapi")
    command = f"env {shlex.quote(f'{_DOCUMENTS}={folder}')} {command}"
    brought = tuple(stage.name for stage in BROUGHT)
    return Stage(name="tests", seconds=3000, command=command, wants=_TESTS, after=brought, show="SKIPPED")


def main(words: Sequence[str]) -> int:
    mode = words[0] if words else ""
    if len(words) > 1 or mode not in {"", FAST, NIGHTLY}:
        print(f"usage: .ci/run [{FAST} | {NIGHTLY}]", file=sys.stderr)
        return 2
    os.environ.setdefault("CI", "true")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    if mode == NIGHTLY:
        os.environ["LONG_TESTS"] = "1"
    os.chdir(ROOT)
    plan = fast() if mode == FAST else everything(nightly=mode == NIGHTLY)
    os.environ.pop(_DOCUMENTS, None)
    return run(plan, logs=Path(".dev/ci"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
