"""A job's environment: the profile's own, and of the caller's only what the profile lets through."""

import fnmatch
from collections.abc import Iterable, Mapping

from wand_hostagent.launcher import terminal
from wand_hostagent.launcher.namespaces import PROXY
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.refusal import Refused

# What makes another program run than the one that was permitted: no profile can let a caller set these.
NEVER = (
    "LD_*", "DYLD_*", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "HOSTALIASES", "RES_OPTIONS",
    "BASH_ENV", "BASH_FUNC_*", "BASHOPTS", "SHELLOPTS", "ENV", "IFS", "PS4", "PROMPT_COMMAND", "ZDOTDIR",
    "PYTHONSTARTUP", "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONBREAKPOINT", "PYTHONWARNINGS",
    "PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH",
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS",
    "GIT_CONFIG*", "GIT_SSH*", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND",
    "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_ASKPASS", "SSH_ASKPASS", "SUDO_ASKPASS",
)  # fmt: skip

# With just these values anything may be set: they keep pagers, prompts, editors and hooks away.
HARMLESS = {
    "PAGER": "cat", "MANPAGER": "cat", "GIT_PAGER": "cat", "GH_PAGER": "cat", "SYSTEMD_PAGER": "",
    "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.hooksPath", "GIT_CONFIG_VALUE_1": "/dev/null",
    "GH_PROMPT_DISABLED": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "NO_UPDATE_NOTIFIER": "1", "DEBIAN_FRONTEND": "noninteractive",
}  # fmt: skip


def build(profile: Profile, asked: Mapping[str, str], *, with_terminal: bool = False) -> dict[str, str]:
    """The whole environment of a job.

    Raises:
        Refused: the caller sets what it may not; the hint names what it may.
    """
    proxy = PROXY if profile.network == "proxy" else {}
    for name, value in asked.items():
        if HARMLESS.get(name) == value:
            continue
        if name in proxy:
            message = f"no caller may set {name!r} here: the launcher does, and there is no other way out"
            raise Refused("Denied", message, hint="leave it out", field="environment")
        if _matches(name, NEVER):
            message = f"no caller may set {name!r}: it would make another program run than the permitted one"
            raise Refused("Denied", message, hint="leave it out", field="environment")
        if not _matches(name, profile.environment_allowed):
            message = f"profile {profile.name!r} does not let a caller set {name!r}"
            allowed = ", ".join(profile.environment_allowed) or "no variable"
            raise Refused("Denied", message, hint=f"a caller may set: {allowed}", field="environment")
    user = profile.user
    own = {
        "PATH": profile.path, "HOME": user.home, "USER": user.name, "LOGNAME": user.name,
        "SHELL": user.shell, "TMPDIR": "/tmp",  # noqa: S108 - the name of a place, not a file made there
    }  # fmt: skip
    return {**own, **(terminal.ENVIRONMENT if with_terminal else {}), **profile.environment, **asked, **proxy}


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
