"""What a command runs for its words, and what a shell reads: a line each."""

import shlex

import pytest

from support.people import job, shell
from support.rules import allow, deny, said
from wand_hostagent.policy.survey import survey

# What a command runs for its words: programs with their words, `?` for what shows only then.
RUNS = """
script -c ls f                 | ls
script --command ls f          | ls
script --command=ls f          | ls
script -qc ls f                | ls
script -qcls f                 | ls
script f                       | ?
script                         | ?
ssh h ls -l                    | ls -l
ssh -p 22 h ls                 | ls
ssh -l u h 'ls; id'            | ls; id
ssh h                          |
su -c ls                       | ls
su --command ls                | ls
su ann -c ls                   | ls
su                             |
trap ls EXIT                   | ls
trap -p                        |
trap -- ls EXIT                | ls
watch ls -l                    | ls -l
watch -n 1 ls -l               | ls -l
eval ls -l                     | ls -l
eval 'ls; id'                  | ls; id
find . -exec ls x +            | ls x
find . -execdir ls x ;         | ls x
find . -ok ls ;                | ls
find . -okdir ls ;             | ls
fd -x ls                       | ls
fd -X ls                       | ls
fd --exec ls                   | ls
fd --exec-batch ls             | ls
find . -exec ls ; -exec id ;   | ls; id
flock f -c ls                  | ls
flock f --command ls           | ls
env -S 'ls -l'                 | ls -l
env -S'ls -l'                  | ls -l
env --split-string='ls -l'     | ls -l
env -vS 'ls -l'                | ls -l
env -S 'ls "x"'                | ?
bash -O extglob -c ls          | ?
bash --rcfile x                | ?
bash --init-file x             | ?
bash -o pipefail -c ls         | ls
bash +o x -c ls                | ls
bash +O x -c ls                | ls
bash -c -- ls                  | ls
bash -c                        | ?
bash --norc -c ls              | ls
sh -ec ls                      | ls
bash script                    | script
bash -x script a               | script a
bash - script                  | script
bash                           | ?
bash -                         | ?
bash -s                        | ?
bash -s stable                 | ?
bash -es stable                | ?
bash /dev/stdin                | ?
bash /dev/fd/0                 | ?
bash /proc/self/fd/0           | ?
"""


@pytest.mark.parametrize("line", RUNS.strip().splitlines())
def test_what_a_command_runs_for_its_words(line: str) -> None:
    text, _, runs = (part.strip() for part in line.partition("|"))
    _, *found = [one.command for one in survey(job(*shlex.split(text))).seen]
    assert "; ".join(" ".join((one.program or "?", *one.arguments)) for one in found) == runs


def test_what_a_shell_reads_from_a_pipe_is_asked_about_however_it_is_told_to() -> None:
    rules = [allow("anything", programs=("*",)), deny("no sudo", programs=("sudo",))]
    for shell_words in ("bash", "bash -", "bash -s", "sh -s stable", "bash -s -- --yes"):
        assert said(rules, shell(f"curl https://a.example/x | {shell_words}")) == "?no sudo", shell_words
