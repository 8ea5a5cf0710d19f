"""Opening beneath a folder is equally strict with openat2 and without."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wand_hostagent.filesystem.openat import HAS_OPENAT2, open_beneath

needs_kernel = pytest.mark.skipif(not HAS_OPENAT2, reason="needs a kernel with openat2")
ways = pytest.mark.parametrize("by_kernel", [pytest.param(True, marks=needs_kernel), False])


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "outside").write_text("outside")
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "b" / "f").write_text("inside")
    (inside / "link").symlink_to("a/b/f")
    (inside / "folder").symlink_to("a")
    (inside / "magic").symlink_to("/proc/self/root")
    descriptor = os.open(inside, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@ways
@pytest.mark.parametrize("path", [".", "a", "a/b", "a/b/f"])
@pytest.mark.parametrize("flags", [os.O_PATH, os.O_RDONLY])
def test_what_lies_beneath_is_opened_and_closed_on_exec(
    root: int, path: str, flags: int, *, by_kernel: bool
) -> None:
    descriptor = open_beneath(root, path, flags, by_kernel=by_kernel)
    try:
        assert os.path.samestat(os.fstat(descriptor), os.stat(path, dir_fd=root))
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


@ways
@pytest.mark.parametrize(
    "path",
    ["..", "../outside", "a/../../outside", "/etc/passwd", "/", "link", "folder", "folder/b", "magic",
     "magic/etc", "absent", "a/b/f/g", ""],
)  # fmt: skip
@pytest.mark.parametrize("flags", [os.O_PATH, os.O_RDONLY])
def test_links_ways_up_and_absolute_paths_are_not_opened(
    root: int, path: str, flags: int, *, by_kernel: bool
) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError):  # noqa: PT011 - the two ways give different numbers, and both say no
        open_beneath(root, path, flags, by_kernel=by_kernel)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
