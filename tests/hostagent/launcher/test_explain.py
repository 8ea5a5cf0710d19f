"""The steps of a profile, printed without a job."""

import subprocess

from support.launcher_client import SECONDS, Launcher, launched, needs_root

PROFILE = 'run_as = "nobody"\n[limits]\nwall_seconds = 60\nopen_files = 64'


def explained(launcher: Launcher, name: str) -> subprocess.CompletedProcess[str]:
    words = [*launcher.argv, "--explain", name]
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)


@needs_root
def test_the_steps_are_printed_with_the_hash_that_a_record_has() -> None:
    with launched(PROFILE) as launcher, launcher.client() as client:
        client.result("true")
        printed = explained(launcher, "p").stdout.splitlines()
        (record,) = launcher.records("run")
        guarantees = client.ask("profiles")["guarantees"]

    assert printed[0] == f"profile p {record['fields']['profile_sha256']}"
    assert "prlimit64(0, RLIMIT_NOFILE, {64, 64}, 0)" in printed
    assert printed[-2] == "execve(program, argv, environment)"
    summed = any(one["enforced"] for one in guarantees if one["name"] == "resource ceilings")
    assert printed[-1] == f"steps {record['fields']['steps']}" or summed


def test_a_profile_that_is_not_there_is_refused_by_name() -> None:
    with launched() as launcher:
        done = explained(launcher, "nonesuch")

    assert done.returncode == 1
    assert "nonesuch" in done.stderr
