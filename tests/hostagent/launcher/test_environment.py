"""A job's environment: what no caller may set, what anybody may, and what is always there."""

from dataclasses import replace
from pathlib import Path

import pytest

from support.launcher_client import write_profile
from wand_hostagent.launcher import profile as profiles
from wand_hostagent.launcher.environment import HARMLESS, NEVER, build
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.refusal import Refused

REFUSED = """LD_PRELOAD LD_X DYLD_X GCONV_PATH GLIBC_TUNABLES LOCPATH NLSPATH HOSTALIASES RES_OPTIONS
BASH_ENV BASH_FUNC_x
BASHOPTS SHELLOPTS ENV IFS PS4 PROMPT_COMMAND ZDOTDIR PYTHONSTARTUP PYTHONHOME PYTHONPLATLIBDIR
PYTHONBREAKPOINT
PYTHONWARNINGS PERL5OPT PERL5LIB PERLLIB PERL5DB RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS
JDK_JAVA_OPTIONS
_JAVA_OPTIONS GIT_CONFIG GIT_CONFIG_X GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_EXTERNAL_DIFF
GIT_PROXY_COMMAND GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS SSH_ASKPASS SUDO_ASKPASS"""
ANYBODY = """PAGER=cat MANPAGER=cat GIT_PAGER=cat GH_PAGER=cat SYSTEMD_PAGER= GIT_TERMINAL_PROMPT=0
GIT_OPTIONAL_LOCKS=0
GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0=false GIT_CONFIG_KEY_1=core.hooksPath
GIT_CONFIG_VALUE_1=/dev/null GH_PROMPT_DISABLED=1 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
NO_UPDATE_NOTIFIER=1
DEBIAN_FRONTEND=noninteractive"""


@pytest.fixture
def one(tmp_path: Path) -> Profile:
    (tmp_path / "work").mkdir()
    write_profile(
        tmp_path / "p.toml", f'name = "p"\nworkspace = "{tmp_path}/work"\nenvironment = {{ SET = "here" }}\n'
    )
    return profiles.load(str(tmp_path), development=True).take("p")


@pytest.mark.parametrize("name", REFUSED.split())
def test_no_profile_lets_a_caller_set_what_makes_another_program_run(one: Profile, name: str) -> None:
    with pytest.raises(Refused, match="no caller may set") as caught:
        build(replace(one, environment_allowed=("*",)), {name: "x"})
    assert (caught.value.kind, caught.value.field) == ("Denied", "environment")


@pytest.mark.parametrize("pair", ANYBODY.split())
def test_what_keeps_programs_quiet_anybody_may_set_to_just_that(one: Profile, pair: str) -> None:
    name, _, value = pair.partition("=")
    assert build(one, {name: value})[name] == value
    with pytest.raises(Refused):
        build(one, {name: f"x{value}"})


def test_nothing_is_left_out() -> None:
    assert {f"{name}={value}" for name, value in HARMLESS.items()} == set(ANYBODY.split())
    assert all(any(glob.rstrip("*") in name for name in REFUSED.split()) for glob in NEVER)


def test_a_profile_lets_set_what_it_lists_and_its_own_comes_before(one: Profile) -> None:
    lets = replace(one, environment_allowed=("CI", "LC_*", "SET"))
    found = build(lets, {"CI": "1", "LC_ALL": "C", "SET": "there"})
    assert (found["CI"], found["LC_ALL"], found["SET"]) == ("1", "C", "there")
    assert build(one, {})["SET"] == "here"
    with pytest.raises(Refused, match="does not let a caller set 'XCI'") as caught:
        build(lets, {"XCI": "1"})
    assert caught.value.hint == "a caller may set: CI, LC_*, SET"


def test_a_job_knows_its_user_and_its_places(one: Profile) -> None:
    found = build(one, {})
    user = one.user
    assert found == {
        "PATH": one.path, "HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": user.shell,
        "TMPDIR": "/tmp", "SET": "here",
    }  # fmt: skip
    assert build(one, {}, with_terminal=True)["TERM"]


def test_the_way_out_by_the_proxy_is_set_by_the_launcher_alone(one: Profile) -> None:
    proxied = replace(one, network="proxy", environment_allowed=("*",))
    assert "http_proxy" in build(proxied, {})
    with pytest.raises(Refused, match="no other way out"):
        build(proxied, {"http_proxy": "x"})
    assert build(replace(one, environment_allowed=("*",)), {"http_proxy": "x"})["http_proxy"] == "x"
