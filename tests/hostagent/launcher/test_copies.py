"""Small settings in a box are copies: of what everybody may read, and never older than the job."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.launcher_client import Client, launched, needs_root
from wand_hostagent.launcher import copies, sight
from wand_hostagent.launcher.lookout import Lookout
from wand_hostagent.launcher.sight import Watched, kind_of

# Below /tmp each box mounts its own tree, and nothing is copied.
PLACE = next((place for place in ("/srv", "/opt") if os.access(place, os.W_OK)), "/tmp")
# Stands in front of a launcher: an /etc of its own, which is the folder `etc` beside its profiles.
STAGE = """
mount --make-rprivate /
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache $1/etc
mount --bind $1/etc /etc
shift; exec "$@"
"""
LOOK = "cat /etc/profile /etc/profile.d/*; stat -c %n /etc/profile.d/*"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return settings(tmp_path / "etc")


def settings(etc: Path) -> Path:
    (etc / "profile.d").mkdir(parents=True)
    for name in ("profile", "profile.d/a.sh", "profile.d/b.sh"):
        (etc / name).write_text(f"{name} once\n")
    (etc / "profile.d" / "link.sh").symlink_to("a.sh")
    (etc / "hosts").write_text("192.0.2.1 once\n")
    return etc


def write(path: Path, text: str, mode: str = "r+") -> None:
    with path.open(mode) as file:
        file.write(text)


def replace_folder(etc: Path) -> None:
    (settings(etc / "new") / "profile.d" / "b.sh").unlink()
    (etc / "profile.d").rename(etc / "old")
    (etc / "new" / "profile.d").rename(etc / "profile.d")


HAPPENS: dict[str, Callable[[Path], object]] = {
    "written in place": lambda etc: write(etc / "profile", "profile then"),
    "written in place below": lambda etc: write(etc / "profile.d/a.sh", "profile.d/a.sh then"),
    "appended": lambda etc: write(etc / "profile", "then", "a"),
    "replaced": lambda etc: (etc / "new").write_text("then") and (etc / "new").replace(etc / "profile"),
    "made": lambda etc: (etc / "profile.d" / "c.sh").write_text("then"),
    "removed": lambda etc: (etc / "profile.d" / "b.sh").unlink(),
    "closed": lambda etc: (etc / "profile.d" / "b.sh").chmod(0o600),
    "its folder replaced": replace_folder,
}
happens = pytest.mark.parametrize("happens", HAPPENS.values(), ids=HAPPENS)


@happens
@pytest.mark.parametrize("guarded", [True, False])
def test_what_is_written_to_it_makes_a_copy_old(
    etc: Path, happens: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    if not guarded:  # it happened a moment ago that a guard saw something, say
        monkeypatch.setattr(sight, "is_due", lambda _: False)
    files = [str(etc / "profile"), str(etc / "profile.d")]
    watched = Watched([], kind_of, Lookout(), files)
    before = watched.stamp()
    assert watched.stamp() == before
    happens(etc)
    assert watched.stamp() != before


def test_a_copy_has_what_everybody_may_read_and_nothing_else(etc: Path, tmp_path: Path) -> None:
    (etc / "profile.d" / "secret").write_text("secret")
    (etc / "profile.d" / "secret").chmod(0o640)
    (etc / "profile.d" / "closed").mkdir(0o750)
    (etc / "profile.d" / "closed" / "file").write_text("secret")
    os.mkfifo(etc / "profile.d" / "pipe")
    (etc / "profile.d" / "b.sh").chmod(0o4755)
    copies.make(str(etc / "profile.d"), str(tmp_path / "made"))
    found = {path.name: path.lstat().st_mode & 0o7777 for path in (tmp_path / "made").iterdir()}
    assert found == {"a.sh": 0o444, "b.sh": 0o555, "link.sh": 0o777}
    assert (tmp_path / "made" / "link.sh").readlink() == Path("a.sh")
    assert (tmp_path / "made" / "a.sh").read_text() == "profile.d/a.sh once\n"


@pytest.mark.parametrize(("many", "bytes_"), [(1, copies.MOST_BYTES + 1), (60, 1)], ids=["large", "many"])
def test_what_is_large_or_many_is_not_copied(etc: Path, many: int, bytes_: int) -> None:
    assert copies.size_of(str(etc / "profile.d")) <= copies.MOST_BYTES
    for number in range(many):
        (etc / "profile.d" / str(number)).write_text("x" * bytes_)
    assert copies.size_of(str(etc / "profile.d")) > copies.MOST_BYTES


@pytest.fixture(scope="module")
def staged() -> Iterator[tuple[Path, Client]]:
    before = ["unshare", "--mount", "sh", "-c", f"mkdir -p $1/etc; {STAGE}", "sh", "{folder}"]
    with launched(before=before, place=PLACE) as launcher, launcher.client() as client:
        yield launcher.folder / "etc", client


@pytest.mark.root
@needs_root
@pytest.mark.skipif(PLACE == "/tmp", reason="there is no folder for a launcher but /tmp")
@happens
def test_a_job_sees_settings_as_they_are_when_it_starts(
    staged: tuple[Path, Client], happens: Callable[[Path], object], tmp_path: Path
) -> None:
    etc, client = staged
    for name in ("profile.d", "old", "new"):
        if (etc / name).exists():
            (etc / name).rename(tmp_path / name)
    settings(etc)
    mounts, _ = client.result("sh", "-c", "cut -d' ' -f5 /proc/self/mountinfo | grep ^/etc")
    assert mounts.decode().split() == ["/etc/hosts"], "or nothing was copied, and this tries nothing"
    before, _ = client.result("sh", "-c", LOOK)
    happens(etc)
    after, _ = client.result("sh", "-c", LOOK)
    assert after != before
    assert bool(re.search(b"then|c.sh", after)) or b"b.sh" not in after
