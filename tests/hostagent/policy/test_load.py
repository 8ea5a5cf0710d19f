"""A policy is read whole or not at all, and says where it is wrong."""

from pathlib import Path

import pytest

from support.people import ANN, job
from wand_hostagent.model import FileVerb, Limits
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.policy.model import Permit, Rule, Verdict
from wand_proto.errors import BrokenPolicy

WHOLE = """
[[rule]]
name = "people may run anything"
verdict = "allow"
principals = ["*"]
programs = ["*"]
profile = "developer"
[rule.limits]
wall_seconds = 600
output_bytes = 1000

[[rule]]
name = "no force"
verdict = "deny"
programs = ["git"]
arguments = ["push", "--force*"]
shell = false
say = "push without --force"

[[rule]]
name = "files"
verdict = "allow"
paths = ["/srv/work"]
verbs = ["read", "write"]
profile = "developer"
"""


def folder(tmp_path: Path, **files: str) -> Path:
    path = tmp_path / "policy.d"
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    for name, text in files.items():
        (path / f"{name}.toml").write_text(text)
        (path / f"{name}.toml").chmod(0o644)
    return path


def read(tmp_path: Path, **files: str) -> PolicyFolder:
    return PolicyFolder(folder(tmp_path, **files), development=True)


def test_every_part_of_a_rule_is_read(tmp_path: Path) -> None:
    policy = read(tmp_path, base=WHOLE).current
    source = f"{tmp_path}/policy.d/base.toml"

    assert policy.rules == (
        Rule(
            name="people may run anything",
            verdict=Verdict.ALLOW,
            principals=("*",),
            programs=("*",),
            profile="developer",
            limits=Limits(wall_seconds=600.0, output_bytes=1000),
            source=f"{source}:2",
        ),
        Rule(
            name="no force",
            verdict=Verdict.DENY,
            programs=("git",),
            arguments=("push", "--force*"),
            shell=False,
            say="push without --force",
            source=f"{source}:12",
        ),
        Rule(
            name="files",
            verdict=Verdict.ALLOW,
            paths=("/srv/work",),
            verbs=(FileVerb.READ, FileVerb.WRITE),
            profile="developer",
            source=f"{source}:20",
        ),
    )


def test_files_are_read_in_order_of_name(tmp_path: Path) -> None:
    first, second = (f'[[rule]]\nname = "{name}"\nverdict = "deny"\n' for name in ("first", "second"))

    assert [rule.name for rule in read(tmp_path, b=second, a=first).current.rules] == ["first", "second"]


def test_a_folder_without_rules_permits_nothing(tmp_path: Path) -> None:
    policy = read(tmp_path).current

    assert not isinstance(decide(policy, ANN, job("ls")), Permit)


def test_the_digest_changes_with_the_meaning_and_stays_with_it(tmp_path: Path) -> None:
    source = read(tmp_path, base=WHOLE)
    before = source.current.digest
    source.reload()
    same = source.current.digest
    folder(tmp_path, base=WHOLE.replace("600", "601"))
    source.reload()

    assert same == before != source.current.digest
    assert len(before) == 64


ALLOW = '[[rule]]\nname = "a"\nverdict = "allow"\n'
DENY = '[[rule]]\nname = "a"\nverdict = "deny"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rule]\n", r"base\.toml.*line 1"),
        ('\n\n[[rule]]\nname = "a"\n', r"verdict: is missing.*base\.toml:3"),
        (f"{WHOLE}\n{ALLOW}program = ['ls']\n", r"program: is not a setting.*base\.toml:27"),
        ("rules = 1\n", r"rules: is not known.*\[\[rule\]\] tables only"),
        ("rule = 1\n", r"must be written as \[\[rule\]\]"),
        ('[rule]\nname = "a"\n', r"must be written as \[\[rule\]\]"),
        ('[[rule]]\nname = "a"\nverdict = "permit"\n', r"'allow', 'deny'"),
        (f"{ALLOW}programs = 'ls'\n", "must be a list"),
        (f"{ALLOW}programs = [1]\n", r"programs\[0\]"),
        (f"{ALLOW}paths = ['/x']\nverbs = ['delete']\n", r"verbs\[0\]"),
        (f"{ALLOW}paths = ['x']\n", "does not begin with /"),
        (f"{ALLOW}paths = ['/x']\nprograms = ['ls']\n", "write two rules"),
        (ALLOW, "allows everything"),
        (f"{ALLOW}shell = true\nprograms = ['ls']\n", "shell text only with"),
        (f"{ALLOW}shell = true\nprograms = ['*']\narguments = ['x']\n", "shell text only with"),
        (f"{ALLOW}programs = ['ls']\n[rule.limits]\nwall_seconds = 0\n", "not above 0"),
        (f"{ALLOW}programs = ['ls']\n[rule.limits]\nseconds = 1\n", r"limits\.seconds"),
        (f"{DENY}profile = 'developer'\n", "leave profile out"),
        (f"{DENY}[rule.limits]\nwall_seconds = 1\n", "no use for limits"),
        ('[[rule]]\nname = ""\nverdict = "deny"\n', "has no name"),
        (DENY + DENY, "the name of two rules"),
    ],
)
def test_a_rule_that_cannot_be_meant_breaks_the_policy_and_says_where(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(BrokenPolicy, match=says):
        _ = read(tmp_path, base=text).current


def test_a_broken_file_denies_everything_until_it_is_mended(tmp_path: Path) -> None:
    source = read(tmp_path, base=WHOLE)
    before = source.current
    folder(tmp_path, extra="[[rule]]\n")
    source.reload()
    for _ in range(2):
        with pytest.raises(BrokenPolicy, match=r"extra\.toml:1"):
            _ = source.current
    (tmp_path / "policy.d" / "extra.toml").unlink()
    source.reload()

    assert source.current == before


def test_a_folder_that_is_not_there_breaks_the_policy(tmp_path: Path) -> None:
    with pytest.raises(BrokenPolicy, match="does not exist"):
        _ = PolicyFolder(tmp_path / "nothing", development=True).current


@pytest.mark.parametrize(("what", "mode"), [("base.toml", 0o664), ("base.toml", 0o646), (".", 0o775)])
def test_what_others_may_write_breaks_the_policy(tmp_path: Path, what: str, mode: int) -> None:
    path = folder(tmp_path, base=WHOLE)
    (path / what).chmod(mode)

    with pytest.raises(BrokenPolicy, match="written by others"):
        _ = PolicyFolder(path, development=True).current


def test_a_link_breaks_the_policy(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (tmp_path / "elsewhere.toml").write_text(WHOLE)
    (path / "base.toml").symlink_to(tmp_path / "elsewhere.toml")

    with pytest.raises(BrokenPolicy, match="link"):
        _ = PolicyFolder(path, development=True).current
