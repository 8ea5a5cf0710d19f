"""How programs are written that run another one: which of their words it is.

A wrapper of the table `CARRIERS` does nothing but run what it is given, so it needs no permission of its own;
what a wrapper of `POWERS` changes (the user, the root, the host) needs it all the same. A runner has a verb
behind which the program stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"})
FOREIGN_SHELLS = frozenset({"fish", "csh", "tcsh", "nu", "xonsh", "pwsh", "elvish", "rc", "es"})
TERMINALS = frozenset({"tmux", "screen", "dtach", "abduco", "zellij"})  # they run text, and stay


@dataclass(frozen=True, slots=True)
class Form:
    """How a wrapper is written: options that take a word of their own, and words before the program."""

    values: frozenset[str] = frozenset()
    skips: int = 0
    assigns: bool = False  # NAME=VALUE may stand before the program


def form(values: str = "", *, skips: int = 0, assigns: bool = False) -> Form:
    """A form; `values` with blanks between them."""
    return Form(frozenset(values.split()), skips, assigns)


LOADER = form(
    "--library-path --inhibit-rpath --audit --preload --argv0 --glibc-hwcaps-prepend --glibc-hwcaps-mask"
)
CARRIERS: Mapping[str, Form] = {
    "env": form("-u --unset -C --chdir -a --argv0", assigns=True),
    "nice": form("-n --adjustment"),
    "ionice": form("-c --class -n --classdata -p -P -u"),
    "nohup": form(),
    "setsid": form(),
    "timeout": form("-s --signal -k --kill-after", skips=1),
    "stdbuf": form("-i --input -o --output -e --error"),
    "time": form("-f --format -o --output"),
    "command": form(),
    "builtin": form(),
    "exec": form("-a"),
    "chrt": form("-T -P -D", skips=1),
    "taskset": form("", skips=1),
    "flock": form("-w --timeout --wait -E --conflict-exit-code", skips=1),
    "catchsegv": form(),
    "xvfb-run": form("-n --server-num -s --server-args -e -f -w"),
    "faketime": form("-f", skips=1),
    **dict.fromkeys(["setarch", "x86_64", "i386", "i686", "aarch64", "uname26"], form()),
    "linux32": form(),
    "linux64": form(),
    "unbuffer": form(),
    "softlimit": form("-a -c -d -f -l -m -o -p -r -s -t"),
    "prlimit": form("-p --pid -o --output"),
    "ld.so": LOADER,
    "busybox": form(),
    "toybox": form(),
}
POWERS: Mapping[str, Form] = {
    "sudo": form(
        "-u --user -g --group -C -D --chdir -h --host -p --prompt -R --chroot -r -t -T -U", assigns=True
    ),
    "doas": form("-u -C -a"),
    "chroot": form("--userspec --groups", skips=1),
    "unshare": form("-S --setuid -G --setgid -R --root -w --wd --map-user --map-group"),
    "nsenter": form("-t --target -S -G -W --wd"),
    "setpriv": form("--reuid --regid --groups --inh-caps --ambient-caps --bounding-set"),
    "runuser": form("-u --user -g --group"),
    "strace": form("-o --output -e --trace -p --attach -s -S -O -a -b -E -I -P -u -X"),
    "ltrace": form("-o -e -p -s -u -l -n -a -A -D -F"),
    "valgrind": form(),
    "perf": form("-o --output -e --event -F -p --pid", skips=1),
    "gdb": form("-ex --ex -x --command -p"),
    "watch": form("-n --interval"),
    "parallel": form("-j --jobs -S --sshlogin -a --arg-file --colsep --joblog"),
    "systemd-run": form(
        "-u --unit -p --property -E --setenv -t -G --uid --gid -M -H --slice -d --on-calendar"
    ),
}
_UV = "--with --python -p --extra --group --env-file --package --project --directory --index"
RUNNERS: Mapping[str, Mapping[str, Form]] = {
    "uv": {"run": form(_UV), "tool run": form(_UV)},
    "rye": {"run": form("-p --pyproject")},
    "poetry": {"run": form()},
    "pdm": {"run": form("-p --project")},
    "pipenv": {"run": form()},
    "hatch": {"run": form("-e --env")},
    "bundle": {"exec": form()},
    "npm": {"exec": form("-w --workspace -p --package"), "x": form("-w --workspace -p --package")},
    "pnpm": {"exec": form("-C --dir --filter")},
    "yarn": {"exec": form()},
    "npx": {"": form("-w --workspace -p --package")},
    "conda": {"run": form("-n --name -p --prefix --cwd")},
    "mamba": {"run": form("-n --name -p --prefix --cwd")},
    "direnv": {"exec": form("", skips=1)},
    "mise": {"exec": form(), "x": form()},
    "asdf": {"exec": form()},
    "rbenv": {"exec": form()},
    "pyenv": {"exec": form()},
    "op": {"run": form("--env-file --account")},
    "git": {"bisect run": form(), "submodule foreach": form()},
}
