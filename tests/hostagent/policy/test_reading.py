"""What bash runs was seen: it runs texts made at random, and tells the name of every program."""

import os
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.people import ANN, shell
from support.rules import allow, deny, said
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Permit, Policy
from wand_hostagent.policy.survey import survey

BASH = shutil.which("bash")
TELLS = '() { builtin printf "%s\\0" "$1" >&9 2>/dev/null; return 0; }'
# The same texts each time; to look for more, run with WAND_TRIES=20000 now and then.
TRIES = int(os.environ.get("WAND_TRIES", "0"))
QUICK = settings(
    max_examples=TRIES or 250,
    derandomize=not TRIES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

WORDS = (
    "aa", "bb", "'aa'", '"bb"', '"$(cc)"', "$(aa)", "`bb`", "$'aa'", "\\a", "x=1", "x=aa", "$x",
    "${x:-aa}", "{aa,bb}", "#", "-v", "-eq", '"aa bb"', "'aa;bb'", "$((x))", "$@", "a\\\nb", '$"aa"',
    "time -p", "time", "exec", "eval", "command", "!aa", "(", ")", "((", "))", "[[", "]]", "[", "]", "{",
    "}", "!", "if", "then", "else", "fi", "for", "in", "do", "done", "case", "esac", "while", "coproc",
    "function", "f()", "&&", "||", "|", "|&", ";", ";;", "&", "\n", "<", ">", ">>", "2>&1", "&>", "<<<",
    "<(aa)", ">(bb)", "3>f", "*", "~", "=", "$", "\\", "'", '"', "`", "\\\n", "\t", "1", "trap", "EXIT",
    "x[1]=2", "((x++))",
)  # fmt: skip
SOUP = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from((" ", "", " "))), min_size=1, max_size=9)
LINE = st.sampled_from(
    ("aa", "it's $x", "$(cc)", '"q"', "`bb`", "x\\", "E2", " E", "", "# no", "aa <<F", "$((1<<2))")
)
REST = st.sampled_from(("", " | bb", "; bb", " && bb", " > f", " 2>&1 | bb", " -n", ")", " <<F", " &"))
HEREDOC = st.builds(
    "{}{}{}\n{}\n{}\n{}".format,
    st.sampled_from(("aa ", "aa", "x=$(aa ", 'aa "$(bb ', "(aa ", "aa; cc ", "<", "aa 3")),
    st.sampled_from(("<<E", "<<'E'", '<<"E"', "<<-E", "<< E", "<<\\E")),
    REST,
    st.lists(LINE, max_size=3).map("\n".join),
    st.sampled_from(("E", "\tE", "E)", " E", "F\nE")),
    st.sampled_from(("cc", "", ")", ')"', "aa; bb")),
)


def names_run_by_bash(text: str, folder: Path) -> set[str]:
    """The names of the programs that bash looks for; it finds none of them."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    environment = {"PATH": "/nonexistent", "BASH_FUNC_command_not_found_handle%%": TELLS}
    script = 'exec 9>&"$0"; eval "$1"'
    try:
        subprocess.run(
            [str(BASH), "-c", script, str(writer), text],
            env=environment, cwd=folder, pass_fds=(writer,), timeout=10, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pass
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as told:
        return {name.decode(errors="replace") for name in (told.read() or b"").split(b"\0") if name}


def check(text: str, folder: Path) -> None:
    surveyed = survey(shell(text))
    if surveyed.unread or any(not one.command.program for one in surveyed.seen):
        return
    assert names_run_by_bash(text, folder) <= {one.command.program for one in surveyed.seen}


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@QUICK
@given(SOUP)
def test_every_program_that_bash_runs_was_seen(tmp_path: Path, words: list[tuple[str, str]]) -> None:
    text = "".join(word + blank for word, blank in words)
    if text.strip():
        check(text, tmp_path)


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@QUICK
@given(HEREDOC)
def test_every_program_around_a_here_document_was_seen(tmp_path: Path, text: str) -> None:
    check(text, tmp_path)


ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from(string.punctuation + " \n"), min_size=1)


@QUICK
@given(ANY_TEXT)
def test_no_text_is_allowed_that_could_not_be_read(text: str) -> None:
    policy = Policy(
        rules=(allow("anything", programs=("*",)), deny("no sudo", programs=("sudo",))), digest="d"
    )
    answer = decide(policy, ANN, shell(text.replace("\0", " ") or " "))

    if survey(shell(text.replace("\0", " "))).unread:
        assert not isinstance(answer, Permit)


@pytest.mark.parametrize(
    "text",
    [
        "git push >log --force",  # the grammar sees two targets
        "2>&1 git push --force",
        "time -p git push --force",
        "! git push --force",
        "x=1 git push --force",
        "cat <<E > f; git push --force\nE",
        "cat <<E\n$(git push --force)\nE",
        "git commit -m \"$(cat <<'E'\nit's\nE\n)\"; git push --force",
        "for i in 1; do { git push --force; }; done",
        "f() { git push --force; }; f",
        "case x in *) git push --force;; esac",
        "[[ a == b ]] || git push --force",
        "coproc git push --force",
        "ls & git push --force",
    ],
)
def test_a_denied_command_is_seen_wherever_it_stands(text: str) -> None:
    rules = [allow("anything"), deny("no force", programs=("git",), options=("--force",))]
    assert said(rules, shell(text)) == "-no force"
