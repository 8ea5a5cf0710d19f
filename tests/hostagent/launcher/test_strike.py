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
    (["htpasswd", "-b", "file", "ada", "pw"], ["htpasswd", "-b", "file", "ada", "**"]),
    (["htpasswd", "-nbB", "ada", "pw"], ["htpasswd", "-nbB", "ada", "**"]),
    (["htpasswd", "file", "ada"], ["htpasswd", "file", "ada"]),
    (["podman", "login", "-p", "x"], ["podman", "login", "-p", "*"]),
    (["ldapsearch", "-w", "x"], ["ldapsearch", "-w", "*"]),
    (["curl", "-U", "ada:pw", "h"], ["curl", "-U", "ada:**", "h"]),
    (["curl", "--proxy-user", "ada:pw", "h"], ["curl", "--proxy-user", "ada:**", "h"]),
    (["curl", "-uada:pw", "h"], ["curl", "-uada:**", "h"]),
    (["sshpass", "-pxy", "ssh"], ["sshpass", "-p**", "ssh"]),
    (["mysqldump", "-pxy"], ["mysqldump", "-p**"]),
    (["mysqladmin", "-pxy"], ["mysqladmin", "-p**"]),
    (["mariadb", "-pxy"], ["mariadb", "-p**"]),
    (["/usr/bin/mariadb", "-pxy"], ["/usr/bin/mariadb", "-p**"]),
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


A = "aB3" * 30
SHAPES = [
    f"gho_{A[:20]}", f"ghp_{A[:20]}", f"ghs_{A[:20]}", f"ghu_{A[:20]}", f"ghr_{A[:20]}",
    f"github_pat_{A[:20]}", f"glpat-{A[:16]}",
    f"glcbt-{A[:16]}", f"glrt-{A[:16]}", f"xoxa-{A[:10]}", f"xoxb-{A[:10]}", f"xoxe-{A[:10]}",
    f"xoxp-{A[:10]}", f"xoxr-{A[:10]}",
    f"xoxs-{A[:10]}", "AKIA" + "A1B2" * 4, "ASIA" + "A1B2" * 4, f"sk-{A[:20]}", f"rk_live_{A[:16]}",
    f"sk_test_{A[:16]}",
    f"AIza{A[:30]}", f"ya29.{A[:20]}", f"eyJ{A[:10]}.{A[:10]}", f"npm_{A[:30]}", f"pypi-{A[:30]}",
    f"hf_{A[:30]}",
    f"SG.{A[:16]}.{A[:16]}", "shpat_" + "0af1" * 8, "shpca_" + "0af1" * 8, "shppa_" + "0af1" * 8,
    "shpss_" + "0af1" * 8,
    "doo_v1_" + "0af1" * 16, "dop_v1_" + "0af1" * 16, "dor_v1_" + "0af1" * 16, f"hvs.{A[:20]}",
    f"hvb.{A[:20]}", f"hvr.{A[:20]}",
    f"AGE-SECRET-KEY-1{A[:50]}", f"wand_{A[:30]}",
]  # fmt: skip


@pytest.mark.parametrize("secret", SHAPES, ids=lambda secret: secret[:8])
def test_a_token_of_a_known_service_is_struck_out_wherever_it_stands(secret: str) -> None:
    assert Pattern().text(f"a {secret} b") == f"a {'*' * len(secret)} b"
    assert Pattern().text(f"a {secret[: -len(secret) // 2]} b") == f"a {secret[: -len(secret) // 2]} b"
    assert Pattern().text(f"xx{secret}") == f"xx{secret}"  # it is part of a longer word


NAMES = """password passwd passphrase passwort pwd secret token api-key api_key apikey access-key access_key
private-key
private_key account-key account_key auth-key auth_key credential credentials PASSWORD my_token token2
secret.x"""


@pytest.mark.parametrize("name", NAMES.split())
def test_what_has_the_name_of_a_secret_is_struck_out(name: str) -> None:
    for text in (f"{name}=", f"{name}: ", f'"{name}": '):
        assert Pattern().text(f"{text}zz9") == f"{text}***"
    assert Pattern().words(["tool", f"--{name}", "zz9"]) == ["tool", f"--{name}", "***"]


ELSE = "file path dir name url uri policy length count type id ttl field prompt files"


@pytest.mark.parametrize("what", ELSE.split())
def test_the_name_of_something_about_a_secret_is_none(what: str) -> None:
    assert Pattern().words(["tool", f"--token-{what}", "zz9"]) == ["tool", f"--token-{what}", "zz9"]
    assert Pattern().text(f"TOKEN_{what}=zz9") == f"TOKEN_{what}=zz9"


HEADERS = [
    "Authorization",
    "x-a-key",
    "X-token",
    "x-my-secret",
    "private-token",
    "deploy-token",
    "JOB-TOKEN",
    "Cookie",
]


@pytest.mark.parametrize("header", HEADERS)
def test_the_value_of_a_header_that_lets_in_is_struck_out(header: str) -> None:
    assert Pattern().text(f"{header}: zz9 8") == f"{header}: *****"


@pytest.mark.parametrize("scheme", ["Bearer", "basic", "token", "Digest"])
def test_the_scheme_of_a_header_stays(scheme: str) -> None:
    assert Pattern().text(f"Authorization: {scheme} zz9") == f"Authorization: {scheme} ***"


@pytest.mark.parametrize("name", ["message", "path", "directory"])
def test_what_somebody_wrote_is_looked_through_too(name: str) -> None:
    assert Pattern()({name: "password=zz9", "other": "password=zz9"}, KEY) == {
        name: "password=***", "other": "password=zz9", "struck": [name],
    }  # fmt: skip
