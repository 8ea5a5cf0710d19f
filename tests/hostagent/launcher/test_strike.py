"""Secrets are struck out of records; what remains shows that something was there, and how long it was."""

import time
from typing import Any

import pytest

from wand_hostagent.launcher.strike import Pattern, prove

KEY = bytes(32)
TOKEN = "ghp_" + "a1B2" * 9

STRUCK = [
    (["mysql", "-u", "root", "-phunter2"], ["mysql", "-u", "root", "-p*******"]),
    (["mysql", "-p", "shop"], ["mysql", "-p", "shop"]),
    (["curl", "-u", "ada:pw", "https://h/"], ["curl", "-u", "ada:**", "https://h/"]),
    (["curl", "--user", "ada:pw", "h"], ["curl", "--user", "ada:**", "h"]),
    (["curl", "-H", "Authorization: Bearer ab.cd"], ["curl", "-H", "Authorization: Bearer *****"]),
    (["curl", "-H", "x-api-key: zzz"], ["curl", "-H", "x-api-key: ***"]),
    (["curl", "-b", "Cookie: a=b; c=d"], ["curl", "-b", "Cookie: ********"]),
    (["git", "clone", "https://ada:tok@h/x.git"], ["git", "clone", "https://ada:***@h/x.git"]),
    (["git", "clone", f"https://{TOKEN}@h/x"], ["git", "clone", f"https://{'*' * 40}@h/x"]),
    (["psql", "postgres://u:p%40w@db:5432/x"], ["psql", "postgres://u:*****@db:5432/x"]),
    (["tool", "--password", "hunter2", "x"], ["tool", "--password", "*******", "x"]),
    (["tool", "--db-password=hunter2"], ["tool", "--db-password=*******"]),
    (["tool", "--token-file", "/run/t"], ["tool", "--token-file", "/run/t"]),
    (["tool", "--password", "--verbose"], ["tool", "--password", "--verbose"]),
    (["env", "PGPASSWORD=abc", "psql"], ["env", "PGPASSWORD=***", "psql"]),
    (
        ["sh", "-c", "AWS_SECRET_ACCESS_KEY='a b' aws s3 ls"],
        ["sh", "-c", "AWS_SECRET_ACCESS_KEY=***** aws s3 ls"],
    ),
    (["sh", "-c", "tool --api-key abc && ls"], ["sh", "-c", "tool --api-key *** && ls"]),
    (["sh", "-c", "curl 'https://h/?token=qq&x=1'"], ["sh", "-c", "curl 'https://h/?token=**&x=1'"]),
    (["echo", '{"password": "p", "a": 1}'], ["echo", '{"password": ***, "a": 1}']),
    (["docker", "login", "-p", "x"], ["docker", "login", "-p", "*"]),
    (["sshpass", "-p", "x", "ssh", "h"], ["sshpass", "-p", "*", "ssh", "h"]),
    (["openssl", "rsa", "-passin", "pass:foo"], ["openssl", "rsa", "-passin", "pass:***"]),
    (["echo", TOKEN], ["echo", "*" * 40]),
    (["echo", f"a {TOKEN} b"], ["echo", f"a {'*' * 40} b"]),
    (["echo", "AKIAIOSFODNN7EXAMPLE"], ["echo", "*" * 20]),
    (["echo", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMiJ9.c2ln"], ["echo", "*" * 42]),
    (["tool", "--db-pin", "12"], ["tool", "--db-pin", "**"]),  # a name of the administrator's
    (["git", "commit", "-m", "fix the tokenizer: done"], ["git", "commit", "-m", "fix the tokenizer: done"]),
    (["grep", "-rn", "password", "."], ["grep", "-rn", "password", "."]),
    (["pytest", "-k", "test_password and not token"], ["pytest", "-k", "test_password and not token"]),
    (["kubectl", "get", "secret", "my"], ["kubectl", "get", "secret", "my"]),
    (["cat", "/etc/passwd"], ["cat", "/etc/passwd"]),
    (["tar", "-pxf", "x"], ["tar", "-pxf", "x"]),
    (["ssh-keygen", "-f", "key"], ["ssh-keygen", "-f", "key"]),
]


@pytest.mark.parametrize(("argv", "shown"), STRUCK, ids=[" ".join(argv)[:40] for argv, _ in STRUCK])
def test_a_secret_among_the_words_is_struck_out_and_its_length_stays(
    argv: list[str], shown: list[str]
) -> None:
    found = Pattern(["db-pin"]).words(argv)
    assert found == shown
    assert [len(word) for word in found] == [len(word) for word in argv]


def test_a_private_key_is_struck_out_whole() -> None:
    text = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\nc2g=\n-----END OPENSSH PRIVATE KEY-----"
    assert "b3Blbn" not in Pattern().text(text)


def test_a_record_says_what_was_struck_out_and_can_prove_it_to_who_has_the_key() -> None:
    argv = ["tool", "--password", "hunter2"]
    found: Any = Pattern()({"job": "a", "argv": argv, "message": "no --password=hunter2"}, KEY)
    assert "hunter2" not in str(found)
    assert (found["job"], found["struck"]) == ("a", ["argv", "message"])
    assert found["argv_hmac"] == prove(KEY, argv) != prove(KEY, [*argv[:2], "hunter3"])


def test_a_record_without_a_secret_is_left_as_it_is() -> None:
    fields = {"job": "a", "argv": ["ls", "-l"], "message": "x"}
    assert Pattern()(fields, KEY) is fields


@pytest.mark.parametrize(
    "evil",
    [
        "a.",
        "-",
        "token",
        "://a",
        "x:",
        "cookie",
        "token ",
        "--token",
        "eyJ-",
        "password='",
        "-----BEGIN ",
        "SG.",
    ],
)
def test_no_text_keeps_the_launcher_busy(evil: str) -> None:
    """Not a test of speed: a pattern that is not bounded takes minutes here, others milliseconds."""
    began = time.process_time()
    Pattern().words(["x", evil * (65536 // len(evil))])
    assert time.process_time() - began < 10
