"""What is mutated, by which tests it is tried, and where the results lie."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".dev" / "mutants"
PACKAGES = {
    "policy": "hostagent/wand_hostagent/policy",
    "gate": "hostagent/wand_hostagent/gate.py",
    "launcher": "hostagent/wand_hostagent/launcher",
    "auth": "server/wand_server/auth",
    "wand_proto": "proto/wand_proto",
}
# Those that look at the code as text are left out, and those that start what has to be installed first.
TESTS = (
    "tests/proto", "tests/hostagent", "tests/server/auth", "tests/server/test_entrance.py",
    "tests/server/hostlink", "tests/fuzz", "tests/contract", "tests/server/transports", "tests/containment",
)  # fmt: skip


def name(path: Path) -> str:
    """A path as it is known: from the root of the project."""
    return path.relative_to(ROOT).as_posix()


def modules(package: str) -> list[Path]:
    """The modules of a package, those that are generated left out."""
    place = ROOT / PACKAGES[package]
    found = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return [path for path in found if "_pb2" not in path.name]


def tests() -> Iterator[Path]:
    """Every file of tests, once."""
    for place in TESTS:
        path = ROOT / place
        yield from [path] if path.is_file() else sorted(path.rglob("test_*.py"))
