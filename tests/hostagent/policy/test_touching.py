"""Rules about files bite in what commands open: redirections, and the operands of known programs."""

import pytest

from support.people import job, shell
from support.rules import allow, deny, said
from wand_hostagent.model import FileVerb, Job
from wand_hostagent.policy.model import Rule, Verdict

WRITE, READ = (FileVerb.WRITE, FileVerb.EDIT), (FileVerb.READ,)
RULES = [
    allow("anything", programs=("*",), profile="p"),
    deny("hooks", names=(".git/hooks",), verbs=WRITE),
    Rule(name="makefiles", verdict=Verdict.ASK, names=("Makefile",), verbs=WRITE, profile="p"),
    deny("secrets", paths=("/srv/work/secrets",), verbs=READ),
    deny("logs", paths=("/var/log",), verbs=WRITE),
    deny("no tools write", verbs=WRITE),  # of file tools alone: it names no file
]


def within(asked: Job) -> Job:
    return Job(id=asked.id, argv=asked.argv, shell=asked.shell, directory="/srv/work")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("echo x > .git/hooks/pre-commit", "-hooks"),
        ("echo x >> sub/.git/hooks/pre-commit", "-hooks"),
        ("cp x .git/hooks/pre-commit", "-hooks"),
        ("cp pre-commit .git/hooks", "-hooks"),
        ("install -t .git/hooks x", "-hooks"),
        ("tee -a .git/hooks/post-merge", "-hooks"),
        ("bash -c 'echo x > .git/hooks/x'", "-hooks"),
        ("{ ls; date; } > .git/hooks/x", "-hooks"),
        ("env A=1 touch .git/hooks/x", "-hooks"),
        ("mkdir -p .git/hooks", "-hooks"),
        ("cp -p x .git/hooks/x", "-hooks"),
        ("tar -C .git/hooks -xf x.tar", "-hooks"),
        ("unzip x -d .git/hooks", "-hooks"),
        ("wget -P .git/hooks https://a.example/x", "-hooks"),
        ("curl --output-dir .git/hooks -O https://a.example/x", "-hooks"),
        ("git init --template=x", "-hooks"),
        ("git format-patch -o .git/hooks HEAD", "-hooks"),
        ("git checkout other -- Makefile", "?makefiles"),
        ("perl -pi -e s/a/b/ Makefile", "?makefiles"),
        ("gcc -o Makefile x.c", "?makefiles"),
        ("find . -fprint Makefile", "?makefiles"),
        ("vim Makefile", "?makefiles"),
        ("cd .git/hooks && ls", "+anything"),
        ("cd .git/hooks && echo x > pre-commit", "?hooks"),
        ("cd .git; ls; cd hooks; touch pre-commit", "?hooks"),
        ("(pushd sub/.git/hooks; cp /x y)", "?hooks"),
        ("env -C .git/hooks touch x", "?hooks"),
        ("cd /srv && cat work/secrets/key", "?secrets"),
        ("cd sub && echo x > notes", "+anything"),
        ("echo x > $d/Makefile", "?makefiles"),
        ('echo x > "$d/.git/hooks/x"', "?hooks"),
        ("echo x > .git/hook[s]/x", "?hooks"),
        ("echo x > .git/*/x", "?hooks"),
        ("echo x > Make*", "?makefiles"),
        ("echo x > $d/notes", "+anything"),
        ("echo x > $d", "+anything"),  # where only the running tells, the box holds
        ("touch *.py", "+anything"),
        ("echo x > Makefile", "?makefiles"),
        ("cp Makefile.new sub/Makefile", "?makefiles"),
        ("mv old/Makefile new", "?makefiles"),
        ("cat Makefile", "+anything"),
        ("make > build.log 2>&1", "+anything"),
        ("echo x >& Makefile", "?makefiles"),
        ("echo x >&Makefile", "?makefiles"),
        ("echo x 1>& sub/Makefile", "?makefiles"),
        ("echo x >&1 2>& 1 3>&1-", "+anything"),
        ("cat secrets/key", "-secrets"),
        ("cat < secrets/key", "-secrets"),
        ("grep -r key ./secrets/..", "+anything"),
        ("grep secrets notes", "+anything"),  # a pattern is no file
        ("grep -e x secrets/key", "-secrets"),
        ("sed -n 1p ../work/secrets/key", "-secrets"),
        ("cp secrets/key x", "-secrets"),
        ("dd if=secrets/key of=x", "-secrets"),
        ("sort -o /var/log/x y", "-logs"),
        ("ls > /dev/null 2>&1", "+anything"),
        ("cat /var/log/syslog", "+anything"),
        ("cat <<< secrets/key", "+anything"),
    ],
)
def test_a_rule_about_files_bites_where_a_command_opens_one(text: str, answer: str) -> None:
    assert said(RULES, within(shell(text))) == answer


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (job("cat", "/srv/work/secrets/key"), "-secrets"),
        (job("cat", "secrets/key"), "?secrets"),  # below a folder that nobody names
        (job("cat", "work/secrets/key"), "?secrets"),
        (job("cat", "../secrets/key"), "?secrets"),
        (job("cat", "notes"), "+anything"),
        (job("touch", ".git/hooks/x"), "-hooks"),
        (shell("cd /srv/work && cat secrets/key"), "?secrets"),
        (shell("touch x", directory=".git/hooks"), "-hooks"),
        (job("cp", "/x", "y", directory="./sub/.git/hooks/"), "-hooks"),
        (job("touch", "x", directory="sub"), "+anything"),
    ],
)
def test_what_begins_where_nobody_knows_is_asked_about(asked: Job, answer: str) -> None:
    assert said(RULES, asked) == answer


def test_a_rule_that_asks_about_a_file_lets_no_command_run() -> None:
    rules = [RULES[2], allow("ls", programs=("ls",), profile="p")]
    assert said(rules, within(job("touch", "Makefile"))) == "-"
