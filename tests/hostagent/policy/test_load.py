"""A policy is read whole or not at all, and says where it is wrong."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from support.people import ANN, BOB, act, job, shell
from wand_hostagent.model import FileAct, FileVerb, Job, Limits
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.load import PolicyFolder, load
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


SIMPLE = """
allowed_commands = ["git", "ls"]
blocked_commands = ["rm", "dd", "sudo"]
path_restrictions = ["/srv/work"]
resource_limits = { max_memory = "2GB", max_cpu = "2.0", max_execution_time = 300 }
profile = "developer"
"""


@pytest.mark.parametrize(
    ("asked", "permitted"),
    [
        (job("git", "status"), True),
        (shell("git log | ls"), True),
        (shell("ls; rm x"), False),
        (job("make"), False),
        (act("write", "/srv/work/x"), True),
        (act("write", "/srv/x"), False),
    ],
)
def test_the_simple_form_is_read(tmp_path: Path, asked: Job | FileAct, *, permitted: bool) -> None:
    answer = decide(read(tmp_path, base=SIMPLE).current, ANN, asked)

    assert isinstance(answer, Permit) is permitted
    if isinstance(answer, Permit) and isinstance(asked, Job):
        assert answer.limits == Limits(wall_seconds=300, memory_bytes=2 * 2**30, cpu_percent=200)


def test_a_policy_says_who_is_in_a_group(tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "a"\nverdict = "allow"\ngroups = ["team"]\nprograms = ["*"]\n'
    policy = read(tmp_path, a='groups.team = ["a*"]\n', b=f'groups.team = ["carl"]\n{rule}').current
    told = replace(BOB, groups=("team",))

    permitted = [isinstance(decide(policy, who, job("ls")), Permit) for who in (ANN, BOB, told)]
    assert permitted == [True, False, True]


@pytest.mark.parametrize(("hosts", "count"), [('["build-*"]', 1), ('["db-*"]', 0)])
def test_a_rule_for_other_hosts_is_not_in_force(tmp_path: Path, hosts: str, count: int) -> None:
    path = folder(tmp_path, base=f"{WHOLE}\nhosts = {hosts}\n")

    assert len(load(path, {0, os.geteuid()}, "build-7").rules) == 2 + count


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
        ("rules = 1\n", r"rules: is not known.*\[\[rule\]\] tables, \[groups\], allowed_commands"),
        ("rule = 1\n", r"must be written as \[\[rule\]\]"),
        ('[rule]\nname = "a"\n', r"must be written as \[\[rule\]\]"),
        ('[[rule]]\nname = "a"\nverdict = "permit"\n', r"'allow', 'deny', 'ask'"),
        (f"{ALLOW}programs = 'ls'\n", "must be a list"),
        (f"{ALLOW}programs = [1]\n", r"programs\[0\]"),
        (f"{ALLOW}paths = ['/x']\nverbs = ['delete']\n", r"verbs\[0\]"),
        (f"{ALLOW}paths = ['x']\n", "does not begin with /"),
        (f"{ALLOW}paths = ['/x']\nprograms = ['ls']\n", "write two rules"),
        (ALLOW, "allows everything"),
        (f"{ALLOW}effects = ['look']\n", r"effects\[0\].*'read', 'write'"),
        (f"{ALLOW}programs = ['ls']\nsource = 'x'\n", "source: is not a setting"),
        (f"{ALLOW}programs = ['ls']\nsay = 'x'\n", "whom a rule denies"),
        (f"{ALLOW}programs = ['ls']\noptions = ['force']\n", "written as - or --"),
        (f"{ALLOW}verbs = ['read']\nnames = ['/x']\n", "that is a path"),
        (f"{ALLOW}verbs = ['read']\nenvironment = {{ A = 'b' }}\n", "no environment"),
        (f"{DENY}environment = {{ A = 'b' }}\n", "no use for environment"),
        (f"{DENY}network = 'none'\n", "no use for network"),
        (f"{ALLOW}verbs = ['read']\nnetwork = 'none'\n", "need no network"),
        (f"{ALLOW}programs = ['ls']\nnetwork = 'host'\n", "none of none, loopback"),
        ("allowed_commands = 'ls'\n", "allowed_commands: must be a list"),
        ("path_restrictions = ['srv']\n", "does not begin with /"),
        ("resource_limits = { max_memory = 'much' }\n", "a size, as 2GB"),
        ("resource_limits = { max_cpu = 'all' }\n", "a number of CPUs, as 2.0"),
        ("resource_limits = { max_memory = '9e999' }\n", "a size, as 2GB"),
        (f"resource_limits = {{ max_memory = '{'9' * 400}GB' }}\n", "a size, as 2GB"),
        ("resource_limits = { max_execution_time = 0 }\n", "must be above 0"),
        ("resource_limits = { max_execution_time = nan }\n", "must be above 0"),
        (f"{ALLOW}programs = ['ls']\n[rule.limits]\nwall_seconds = 0\n", "not above 0"),
        (f"{ALLOW}programs = ['ls']\n[rule.limits]\nwall_seconds = nan\n", "is no number"),
        (f"{ALLOW}programs = ['ls']\n[rule.limits]\nwall_seconds = inf\n", "is no number"),
        (f"{ALLOW}programs = ['ls']\nprincipals = []\n", "principals: is empty.*left out means any"),
        (f"{ALLOW}programs = ['ls']\ngroups = []\n", "groups: is empty"),
        (f"{ALLOW}programs = ['']\n", "programs: is empty"),
        (f"{DENY}options = []\n", "options: is empty"),
        (f"{ALLOW}programs = ['ls']\nenvironment = {{ 'A=B' = 'c' }}\n", "= or a NUL in its name"),
        (
            f"{ALLOW}programs = ['ls']\nenvironment = {{ A = 'c\\u0000' }}\n".replace("'c", '"c').replace(
                "0'", '0"'
            ),
            "a NUL",
        ),
        ("rule = " + "9" * 5000, "is not TOML"),
        (f"{ALLOW}programs = ['ls']\n[rule.limits]\nseconds = 1\n", r"limits\.seconds"),
        (f"{DENY}profile = 'developer'\n", "leave profile out"),
        (f"{DENY}backend = 'docker'\n", "nothing of it runs on a backend"),
        (f"{ALLOW}programs = ['ls']\nbackend = 'os=debian'\n", "has a backend by labels; say in backends"),
        (f"{ALLOW}paths = ['/srv']\nbackends = ['docker']\n", "leave the backends out"),
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


def test_a_small_part_of_a_processor_is_not_all_of_it(tmp_path: Path) -> None:
    text = 'allowed_commands = ["ls"]\nresource_limits = { max_cpu = 0.001 }\n'
    (rule,) = read(tmp_path, base=text).current.rules
    assert rule.limits.cpu_percent == 1


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
