"""A file has a name for each name of the folder that it lies in."""

import pytest

from wand_hostagent.policy.paths import names_of

ONE = [("/srv/link", "/data/real")]
TWO = [("/srv/link/", "/data/real"), ("/srv/shared", "/data/real/shared"), ("/up", "/")]
LOOP = [("/data/real/in", "/data/real")]


@pytest.mark.parametrize(
    ("path", "folders", "names"),
    [
        ("/srv/link/a", [], ["/srv/link/a"]),
        ("/srv/link/a/b", ONE, ["/srv/link/a/b", "/data/real/a/b"]),
        ("/data/real/a/b", ONE, ["/data/real/a/b", "/srv/link/a/b"]),
        ("/srv/link", ONE, ["/srv/link", "/data/real"]),
        ("/data/real", ONE, ["/data/real", "/srv/link"]),
        ("/data/really", ONE, ["/data/really"]),
        ("/srv/linked/a", ONE, ["/srv/linked/a"]),
        ("", ONE, [""]),
        (
            "/srv/link/shared/a",
            TWO,
            [
                "/srv/link/shared/a", "/data/real/shared/a", "/up/srv/link/shared/a", "/srv/shared/a",
                "/up/data/real/shared/a",
            ],
        ),
        ("/up", TWO, ["/up", "/", "/up/up"]),
        ("/data/real/in/a", LOOP, ["/data/real/in/a", "/data/real/a", "/data/real/in/in/a"]),
    ],
)  # fmt: skip
def test_the_names_of_a_path(path: str, folders: list[tuple[str, str]], names: list[str]) -> None:
    assert list(names_of(path, folders)) == names
