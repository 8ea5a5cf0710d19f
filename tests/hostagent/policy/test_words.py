"""Words that the reading of a command knows, each tried: wrappers, shells, variables, what opens files."""

from collections.abc import Iterator

import pytest

from support.people import job, shell
from support.rules import allow, said
from wand_hostagent.model import FileVerb
from wand_hostagent.policy.builtins import HARMLESS, OPAQUE, STEERING, is_steering
from wand_hostagent.policy.effects import Use, use_of
from wand_hostagent.policy.forms import CARRIERS, FOREIGN_SHELLS, POWERS, RUNNERS, SHELLS, TERMINALS
from wand_hostagent.policy.programs.table import PROGRAMS
from wand_hostagent.policy.reading import Command
from wand_hostagent.policy.survey import survey
from wand_hostagent.policy.touching import touches

# A wrapper, how many words stand before its program, whether NAME=VALUE may, and its options with a value.
WRAPPERS = """
env 0 = -u --unset -C --chdir -a --argv0
nice 0 . -n --adjustment
ionice 0 . -c --class -n --classdata -p -P -u
nohup 0 .
setsid 0 .
timeout 1 . -s --signal -k --kill-after
stdbuf 0 . -i --input -o --output -e --error
time 0 . -f --format -o --output
command 0 .
builtin 0 .
exec 0 . -a
chrt 1 . -T -P -D
taskset 1 .
flock 1 . -w --timeout --wait -E --conflict-exit-code
catchsegv 0 .
xvfb-run 0 . -n --server-num -s --server-args -e -f -w
faketime 1 . -f
setarch 0 .
x86_64 0 .
i386 0 .
i686 0 .
aarch64 0 .
uname26 0 .
linux32 0 .
linux64 0 .
unbuffer 0 .
softlimit 0 . -a -c -d -f -l -m -o -p -r -s -t
prlimit 0 . -p --pid -o --output
ld.so 0 . --library-path --inhibit-rpath --audit --preload --argv0
ld.so 0 . --glibc-hwcaps-prepend --glibc-hwcaps-mask
busybox 0 .
toybox 0 .
sudo 0 = -u --user -g --group -C -D --chdir -h --host -p --prompt -R --chroot -r -t -T -U
doas 0 . -u -C -a
chroot 1 . --userspec --groups
unshare 0 . -S --setuid -G --setgid -R --root -w --wd --map-user --map-group
nsenter 0 . -t --target -S -G -W --wd
setpriv 0 . --reuid --regid --groups --inh-caps --ambient-caps --bounding-set
runuser 0 . -u --user -g --group
strace 0 . -o --output -e --trace -p --attach -s -S -O -a -b -E -I -P -u -X
ltrace 0 . -o -e -p -s -u -l -n -a -A -D -F
valgrind 0 .
perf 1 . -o --output -e --event -F -p --pid
gdb 0 . -ex --ex -x --command -p
parallel 0 . -j --jobs -S --sshlogin -a --arg-file --colsep --joblog
systemd-run 0 . -u --unit -p --property -E --setenv -t -G --uid --gid -M -H --slice -d --on-calendar
ld-linux-x86-64.so.2 0 . --library-path --preload
"""
RUN_BY = """
uv run: --with --python -p --extra --group --env-file --package --project --directory --index
uv tool run: --with --python -p --extra --group --env-file --package --project --directory --index
rye run: -p --pyproject
poetry run:
pdm run: -p --project
pipenv run:
hatch run: -e --env
bundle exec:
npm exec: -w --workspace -p --package
npm x: -w --workspace -p --package
pnpm exec: -C --dir --filter
yarn exec:
npx: -w --workspace -p --package
conda run: -n --name -p --prefix --cwd
mamba run: -n --name -p --prefix --cwd
direnv exec x:
mise exec:
mise x:
asdf exec:
rbenv exec:
pyenv exec:
op run: --env-file --account
git bisect run:
git submodule foreach:
"""


def spellings() -> Iterator[str]:
    for wrapper in WRAPPERS.strip().splitlines():
        name, skips, assigns, *values = wrapper.split()
        words = "word " * int(skips)
        yield f"{name} {words}"
        yield f"{name} -Z -- {words}"
        yield from (f"{name} {option} sudo {words}" for option in values)
        if assigns == "=":
            yield f"{name} A=1 {words}"
    for line in RUN_BY.strip().splitlines():
        before, _, options = line.partition(":")
        yield f"{before} "
        yield from (f"{before} {option} sudo " for option in options.split())


@pytest.mark.parametrize("before", list(spellings()))
def test_what_a_wrapper_runs_is_found_behind_its_own_words(before: str) -> None:
    argv = (*before.split(), "ls", "-l")
    found = [one.command for one in survey(job(*argv)).seen]
    assert ("ls", ("-l",)) in [(one.program, one.arguments) for one in found]
    assert "sudo" not in [one.program for one in found[1:]]


def test_no_wrapper_is_left_out() -> None:
    told = {line.split()[0] for line in WRAPPERS.strip().splitlines()}
    assert {*CARRIERS, *POWERS} - {"watch"} == told - {"ld-linux-x86-64.so.2"}
    assert set(RUNNERS) == {line.split()[0].rstrip(":") for line in RUN_BY.strip().splitlines()}


@pytest.mark.parametrize("name", ["env", "nice", "nohup", "timeout", "flock", "ld.so", "busybox"])
def test_what_only_carries_needs_no_rule_and_what_has_powers_does(name: str) -> None:
    rules = [allow("ls", programs=("ls",))]
    before = (name, "1") if name in {"timeout", "flock"} else (name,)
    assert said(rules, job(*before, "ls")) == "+ls"
    assert said(rules, job("sudo", "ls")) == said(rules, job("strace", "ls")) == "-"


def program_of(text: str) -> list[str]:
    return [one.command.program for one in survey(shell(text)).seen]


@pytest.mark.parametrize("name", ["sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"])
def test_a_shell_runs_the_text_after_c(name: str) -> None:
    assert name in SHELLS
    assert "ls" in [one.command.program for one in survey(job(name, "-c", "ls")).seen]
    assert "" in [one.command.program for one in survey(job(name)).seen]


@pytest.mark.parametrize("name", ["fish", "csh", "tcsh", "nu", "xonsh", "pwsh", "elvish", "rc", "es"])
def test_what_another_shell_runs_is_not_read(name: str) -> None:
    assert name in FOREIGN_SHELLS
    assert "" in [one.command.program for one in survey(job(name, "-c", "ls")).seen]
    assert "" not in [one.command.program for one in survey(job(name, "script")).seen]


@pytest.mark.parametrize("name", ["tmux", "screen", "dtach", "abduco", "zellij"])
def test_what_a_terminal_runs_is_not_read(name: str) -> None:
    assert name in TERMINALS
    assert "" in [one.command.program for one in survey(job(name, "new")).seen]


HARMLESS_WORDS = """: [ test true false echo printf cd pwd pushd popd dirs exit return break continue shift
read export
declare typeset local readonly unset set getopts wait jobs fg bg disown umask ulimit times type let hash
alias unalias
mapfile readarray suspend history logout caller"""


@pytest.mark.parametrize("name", HARMLESS_WORDS.split())
def test_what_a_shell_does_itself_needs_no_rule(name: str) -> None:
    text = "[ x ]; ls" if name == "[" else f"{name} ; ls"
    assert name in HARMLESS
    assert said([allow("ls", programs=("ls",))], shell(text)) == "+ls"
    assert said([allow("ls", programs=("ls",))], job(name)) == "-"  # there it is a program of that name


def test_no_word_of_the_shell_is_left_out() -> None:
    assert set(HARMLESS_WORDS.split()) == HARMLESS
    assert {"shopt", "enable", "bind", "complete", "compgen", "fc", "compopt"} == OPAQUE
    assert set(STEERING_NAMES.split()) == STEERING


@pytest.mark.parametrize(
    "text",
    [
        "shopt -s x", "enable -f x y", "bind -x x", "complete -C x y", "compgen -C x", "fc -s", "compopt x",
        "let x=1",
        "alias ls=rm", "alias $x", "declare -i x=y", "declare -n x=y", "typeset -i x", "local -n x",
        "readonly -i x=y",
        "export -i x=y", "mapfile -C x y", "readarray -C x", "hash -p x ls", "test -v 'a[x]'",
        "[ -R 'a[x]' ]",
        "printf -v 'a[x]' y", "printf -v'a[x]' y", "read 'a[x]'", "unset 'a[x]'", "declare 'a[x]=1'",
        "typeset 'a[x]=1'",
        "local 'a[x]=1'", "export 'a[x]=1'", 'read "$x"', 'unset -v "$x"', 'declare "$x=1"',
        'typeset "$x=1"', 'wait -np "$x"',
    ],
)  # fmt: skip
def test_what_may_run_what_does_not_stand_in_a_text_is_not_seen(text: str) -> None:
    assert said([allow("anything", programs=("*",)), allow("no", programs=("x",))], shell(text))[
        0
    ] in "?-" or "" in (program_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "alias",
        "declare x=1",
        "declare -x y",
        "mapfile x",
        "hash -r",
        "test -v x",
        "printf '[' x",
        "export x=$y",
        'wait "$x"',
    ],
)
def test_the_same_words_used_plainly_are_seen(text: str) -> None:
    assert "" not in program_of(text)


STEERING_NAMES = """PATH ENV BASH_ENV IFS PS4 SHELLOPTS BASHOPTS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT
PYTHONPATH
PYTHONSTARTUP PYTHONHOME PERL5OPT PERL5LIB PERL5DB RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS
_JAVA_OPTIONS TAR_OPTIONS LESSOPEN LESSCLOSE PAGER MANPAGER EDITOR VISUAL BROWSER SHELL ZDOTDIR PROMPT_COMMAND
GREP_OPTIONS RSYNC_RSH CVS_RSH SSH_ASKPASS SUDO_ASKPASS HOSTALIASES GCONV_PATH MAKEFLAGS
npm_config_script_shell
KUBECONFIG DOCKER_HOST PGHOST PGHOSTADDR PGSERVICE MYSQL_HOST"""
STARTS = "GIT_X LD_X DYLD_X BASH_FUNC_x npm_config_x PIP_X CARGO_X UV_X"


@pytest.mark.parametrize("name", f"{STEERING_NAMES} {STARTS}".split())
def test_a_variable_that_steers_makes_of_looking_running(name: str) -> None:
    looks = [allow("looks", programs=("*",), effects=("read",))]
    assert is_steering(name)
    assert said(looks, job("ls", environment={name: "x"})) == "-"
    assert said(looks, shell(f"{name}=x ls"))[0] in "-?"


@pytest.mark.parametrize("name", ["HOME", "LANG", "TERM", "A", "TZ", "XPATH"])
def test_another_variable_steers_nothing(name: str) -> None:
    assert not is_steering(name)


@pytest.mark.parametrize("name", ["PS4", "PROMPT_COMMAND", "BASH_ENV", "ENV"])
def test_a_variable_of_which_a_shell_runs_what_it_holds_is_not_seen(name: str) -> None:
    assert "" in [one.command.program for one in survey(shell("ls", environment={name: "x"})).seen]
    assert "" in program_of(f"export {name}=x; ls")


# Which operands of a program are opened, and what for.
OPENED = """
READ: cat tac nl head tail wc rev cut paste join od hexdump cmp diff diff3 sdiff comm strings
READ: md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum less more bat file stat
READ: readelf nm objdump zcat bzcat xzcat zstdcat sort source .
LIST: ls du tree exa eza
CHANGE: touch mkdir rmdir rm tee truncate shred unlink chmod chown chgrp gzip gunzip bzip2 bunzip2 xz unxz
CHANGE: zstd unzstd sponge mktemp mkfifo dos2unix unix2dos setfacl patch vi vim nvim nano emacs ed ex
CHANGE: zip split
READ second: grep egrep fgrep zgrep rg awk gawk mawk jq sed
READ first, CHANGE second: cp install ln link
BOTH first, CHANGE second: mv rename
CHANGE -i: perl ruby
"""
VERBS = {
    "READ": {FileVerb.READ}, "LIST": {FileVerb.LIST}, "CHANGE": {FileVerb.WRITE, FileVerb.EDIT},
    "BOTH": {FileVerb.READ, FileVerb.WRITE, FileVerb.EDIT},
}  # fmt: skip


def opened() -> Iterator[tuple[str, str]]:
    for line in OPENED.strip().splitlines():
        how, _, names = line.partition(": ")
        yield from ((name, how) for name in names.split())


def touched(name: str, *words: str) -> dict[str, set[FileVerb]]:
    command = Command(program=name, arguments=words)
    program = PROGRAMS.get(name)
    use = (
        use_of(program, command)
        if program
        else Use(verb="", options=(), operands=words, words=words, is_open=False)
    )
    return {one.word: set(one.verbs) for one in touches(command, use)}


@pytest.mark.parametrize(("name", "how"), list(opened()))
def test_a_program_opens_its_operands(name: str, how: str) -> None:
    kind = how.partition(" ")[0]
    match how.rsplit(", ", maxsplit=1)[-1].split():
        case [_]:
            wanted = {"a": VERBS[kind], "b": VERBS[kind]}
            assert touched(name, "a", "b") == wanted
        case ["READ", "second"]:
            assert touched(name, "a", "b") == {"b": VERBS["READ"]}
        case ["CHANGE", "second"]:
            assert touched(name, "x/a", "b") == {
                "x/a": VERBS[kind],
                "b": VERBS["CHANGE"],
                "b/a": VERBS["CHANGE"],
            }
        case ["CHANGE", "-i"]:
            assert touched(name, "-pi", "a") == {"a": VERBS["CHANGE"]}
            assert touched(name, "a") == touched(name, "--in", "a") == {}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gcc", "-o --output"), ("g++", "-o --output"), ("cc", "-o"), ("c++", "-o"), ("clang", "-o"),
        ("clang++", "-o"),
        ("ld", "-o"), ("rustc", "-o"), ("shuf", "-o --output"), ("iconv", "-o --output"),
        ("gpg", "-o --output"),
        ("openssl", "-out"), ("ssh-keygen", "-f"), ("find", "-fprint -fprint0 -fprintf -fls"),
        ("tar", "-C --directory"),
        ("bsdtar", "-C"), ("gtar", "-C"), ("unzip", "-d"), ("cpio", "-D --directory"),
        ("wget", "-P --directory-prefix"),
        ("wget2", "-P"), ("curl", "--output-dir -o --output"), ("git", "-o --output-directory"),
        ("sort", "-o --output"),
        ("wget", "-O --output-document"), ("cp", "-t --target-directory"),
        ("install", "-t --target-directory"),
    ],
)  # fmt: skip
def test_an_option_names_what_is_written(name: str, options: str) -> None:
    for option in options.split():
        assert touched(name, option, "file").get("file") == VERBS["CHANGE"], option
        if option.startswith("--"):
            assert touched(name, f"{option}=file").get("file") == VERBS["CHANGE"], option
    assert VERBS["CHANGE"] not in touched(name, "-Z", "file").values() or name in {"cp", "install"}


@pytest.mark.parametrize(
    ("words", "opens"),
    [
        ("sed -i s/a/b/ x", {"x": "CHANGE"}), ("sed --in-place s/a/b/ x", {"x": "CHANGE"}),
        ("sed -e p x", {"x": "READ"}),
        ("sed -f s x", {"x": "READ"}), ("uniq a b", {"a": "READ", "b": "CHANGE"}),
        ("grep --regexp p x", {"p": "READ", "x": "READ"}),
        ("dd if=a of=b bs=1", {"a": "READ", "b": "CHANGE"}),
        ("git config core.pager x", {".git/config": "CHANGE"}),
        ("git config --global core.pager x", {".gitconfig": "CHANGE"}),
        ("git config set core.pager x", {".git/config": "CHANGE"}), ("git config get core.pager", {}),
        ("git config core.pager", {}),
        ("git config user.name x", {}), ("git init --template=x", {".git/hooks": "CHANGE"}),
        ("git clone --template=x y", {".git/hooks": "CHANGE"}),
        ("git init", {}), ("git checkout x -- y z", {"y": "CHANGE", "z": "CHANGE"}),
        ("git restore -- y", {"y": "CHANGE"}),
        ("git log -- y", {}), ("curl -o - x", {}),
    ],
)  # fmt: skip
def test_what_a_use_of_a_program_opens(words: str, opens: dict[str, str]) -> None:
    name, *rest = words.split()
    assert touched(name, *rest) == {word: VERBS[kind] for word, kind in opens.items()}
