"""Shell text as the commands that it runs, a text for every node of bash's grammar that is read."""

import pytest

from wand_hostagent.policy import shell
from wand_hostagent.policy.grammar import Node, parse
from wand_hostagent.policy.reading import HOLE, SPLITS, Unreadable
from wand_hostagent.policy.shellnodes import HOLDS, INERT, STEPS

Words = tuple[str, ...]
LS: Words = ("ls",)
ID: Words = ("id",)
ANY = (HOLE, SPLITS)  # the last is what shows only when it runs
ECHO: Words = ("echo", *ANY)
HIDDEN = ("",)  # a command of which nothing is known, so that it is asked about
Commands = list[Words]
READ: list[tuple[str, Commands]] = [
    ("ls; id", [LS, ID]),
    ("ls & id", [LS, ID]),
    ("ls && id || ls", [LS, ID, LS]),
    ("ls | id", [LS, ID]),
    ("(ls)", [LS]),
    ("{ ls; }", [LS]),
    ("! ls", [LS]),
    ("time -p ls", [("time", "-p", "ls"), LS]),
    ("coproc ls", [LS]),
    ("if ls; then id; elif ls; then id; else ls; fi", [LS, ID, LS, ID, LS]),
    ("while ls; do id; done", [LS, ID]),
    ("until ls; do id; done", [LS, ID]),
    ("case x in a|b) ls;; *) id;; esac", [LS, ID]),
    ("for i in a $(id); do ls; done", [ID, LS]),
    ("for ((i=0; i<3; i++)); do ls; done", [LS]),
    ("select i in a; do ls; done", [LS]),
    ("f() { ls; }; f", [LS]),
    ("function f { ls; }; f x", [LS]),
    ("# nothing\nls", [LS]),
    ("# it's\nls", [LS]),
    ("ls # it's <<X\nid", [LS, ID]),
    ("echo a#'b'", [("echo", "a#b")]),
    ("[[ $x -eq 1 ]]", [HIDDEN]),  # x may say `a[$(id)]`
    ("[[ -v a[0] ]]", [HIDDEN]),
    ("[ $x -eq 1 ]", []),
    ("x=1; [[ $x -eq 1 ]]", []),
    ("echo `id`", [ID, ECHO]),
    ("echo $(id)", [ID, ECHO]),
    ("cat <(id)", [ID, ("cat", HOLE)]),
    ('echo "a$(id)b"', [ID, ("echo", f"a{HOLE}b")]),
    ("A=$(id)", [ID]),
    ("A=(1 $(id))", [ID]),
    ("export A=$(id)", [ID, ("export",)]),
    ("declare -i A", [("declare", "-i", "A")]),
    ("unset A", [("unset", "A")]),
    ("A=1 ls", [LS]),
    ("A=1 B=2", []),
    ("[[ a =~ ^b$ ]]", []),
    ("[[ a == b* && -e $(id) ]]", [ID]),
    ("[ -e f ]", []),
    ("((1 ? 2 : 3))", []),
    ("echo $((2*(1+-1)))", [ECHO]),
    ("((i++))", [HIDDEN]),  # i may say `a[$(id)]`
    ("A=(1); echo ${A[0]}", [ECHO]),
    ("echo ${x[$(id)]}", [HIDDEN, ID, ECHO, HIDDEN]),
    *[(f"echo ${{x{how}}}", [ECHO]) for how in (":-y", "-y", ":1:2", "//a/b", "^^", ",", "%%a", "[@]", "")],
    ("echo ${#x}", [ECHO]),
    ("echo ${x@P}", [HIDDEN, ECHO]),
    ("echo ${!x}", [HIDDEN, ECHO]),
    ("echo $HOME", [ECHO]),
    ("echo $?", [ECHO]),
    ("echo $1", [ECHO]),
    ('echo "$@"', [ECHO]),
    ('echo "$*"', [("echo", HOLE)]),
    ('echo "$x"', [("echo", HOLE)]),
    ("echo {a,b}", [("echo", SPLITS)]),
    ("echo {1..3}", [ECHO]),
    ("echo x-{a,b}", [("echo", f"x-{SPLITS}")]),
    ("echo a*.py", [("echo", f"a{SPLITS}")]),
    ("echo ~/x", [("echo", f"/{HOLE}x")]),
    ("echo ~", [("echo", f"/{HOLE}")]),
    ("echo 12", [("echo", "12")]),
    ("echo 'a b'", [("echo", "a b")]),
    ("e'c'\"ho\" x", [("echo", "x")]),
    ("echo $'a\\tb\\x41\\101\\u0042\\e\\''", [("echo", "a\tbAAB\x1b'")]),
    ("echo $'\\c'", [("echo", HOLE)]),
    ('echo "\\$x \\" \\` \\\\ \\a"', [("echo", '$x " ` \\ \\a')]),
    ("echo \\$x", [("echo", "$x")]),
    ("$x y", [("", *ANY[1:], "y")]),
    ("l$x", [("", SPLITS)]),
    ("~/bin/x", [HIDDEN]),
    ("cat <<<x", [("cat",)]),
    ("ls >/dev/null 2>&1", [LS]),
]  # fmt: skip
OPENED: list[tuple[str, bool, Words, Words]] = [
    ("ls >f", True, (), ("f",)),
    ("ls >>f", True, (), ("f",)),
    ("ls >|f", True, (), ("f",)),
    ("ls &>f", True, (), ("f",)),
    ("ls &>>f", True, (), ("f",)),
    ("ls >&f", True, (), ("f",)),
    ("ls >& $x", True, (), (HOLE,)),
    ("ls <f", False, ("f",), ()),
    ("<f ls", False, ("f",), ()),
    ("ls <f >g", True, ("f",), ("g",)),
    ("ls 2>f", True, (), ("f",)),
    *[(f"ls {how}", False, (), ()) for how in ("2>&1", ">&2", "<&3", ">& 1", "3>&1-", ">&-", ">&/dev/null")],
]


def commands(text: str) -> Commands:
    return [(one.program, *one.arguments) for one in shell.read(text)]


@pytest.mark.parametrize(("text", "runs"), READ)
def test_a_text_runs_these_commands_and_no_others(text: str, runs: Commands) -> None:
    assert commands(text) == runs


@pytest.mark.parametrize(("text", "writes", "reads_from", "writes_to"), OPENED)
def test_a_redirection_opens_what_bash_opens(
    text: str, *, writes: bool, reads_from: tuple[str, ...], writes_to: tuple[str, ...]
) -> None:
    first, *opened = shell.read(text)

    assert (first.program, first.writes) == ("ls", writes)
    assert [(one.reads_from, one.writes_to) for one in opened] == (
        [(reads_from, writes_to)] if reads_from or writes_to else []
    )


def kinds(node: Node) -> set[str]:
    return {node.type} | {kind for child in node.children for kind in kinds(child)}


def test_every_node_that_is_read_stands_in_one_of_these_texts() -> None:
    texts = [text for text, _ in READ] + [text for text, *_ in OPENED]
    seen = {kind for text in texts for kind in kinds(parse(text)[0])}

    assert (HOLDS | INERT | STEPS.keys()) - seen <= {"translated_string"}  # bash: $"…"


@pytest.mark.parametrize(
    "text",
    [
        'echo $"a"', "f()", "if ls", "} ls", "ls 3<>f", "a?b", "for", "[-e f ]",
        "ls >-x", "!(ls)", "!$(ls)", "echo `", "((", "ls\x00", "{ls; }",
    ],
)  # fmt: skip
def test_what_bash_reads_otherwise_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        shell.read(text)


@pytest.mark.parametrize(("text", "line"), [("ls 3<>f", 1), ("ls\nid\nls 3<>f", 3)])
def test_where_it_is_not_read_is_said(text: str, line: int) -> None:
    with pytest.raises(Unreadable, match=f"line {line} is no bash"):
        shell.read(text)
