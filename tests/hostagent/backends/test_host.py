"""What is granted runs, word for word, and nothing else does."""

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from support.elsewhere import Elsewhere
from support.people import ANN, BOB, job, permit, shell
from wand_hostagent.backends.host import HostBackend, granted
from wand_hostagent.model import Job, Limits, Started
from wand_hostagent.reports import ProfileReport, ProfilesReport
from wand_hostagent.settings import Grant
from wand_proto.errors import Denied

GRANT = Grant(
    principals=("ann", "ops-*"),
    programs=("/usr/bin/systemctl",),
    arguments=(("status", "*"), ("reload", "nginx"), ()),
    paths=("/srv", "/tmp/x"),
    profile="services",
    run_as="root",
)


@pytest.mark.parametrize(
    ("asked", "starts"),
    [
        (job("/usr/bin/systemctl", "status", "nginx"), "/srv"),
        (job("/usr/bin/systemctl", "reload", "nginx", directory="a"), "/srv/a"),
        (job("/usr/bin/systemctl", directory="/tmp/x/y"), "/tmp/x/y"),
    ],
)
def test_what_is_granted_may_run(asked: Job, starts: str) -> None:
    assert granted({"nginx": GRANT}, ANN, asked) == ("nginx", starts)


@pytest.mark.parametrize(
    "asked",
    [
        job("systemctl", "status", "nginx"),
        job("/bin/systemctl", "status", "nginx"),
        job("/usr/bin/../bin/systemctl", "status", "nginx"),
        job("/usr/bin/systemctl", "stop", "nginx"),
        job("/usr/bin/systemctl", "status"),
        job("/usr/bin/systemctl", "status", "nginx", "--force"),
        job("/usr/bin/systemctl", "reload", "nginx.service"),
        job("/usr/bin/systemctl", "status", "nginx", directory="/etc"),
        job("/usr/bin/systemctl", "status", "nginx", directory="/srv/../etc"),
        job("/usr/bin/systemctl", "status", "nginx", environment={"PAGER": "sh"}),
        shell("/usr/bin/systemctl status nginx"),
    ],
)
def test_what_is_not_granted_is_denied_with_what_is(asked: Job) -> None:
    with pytest.raises(Denied, match="no grant lets ann run") as refused:
        granted({"nginx": GRANT}, ANN, asked)
    assert (
        "nginx: /usr/bin/systemctl with status * or reload nginx or no arguments in /srv"
        in refused.value.hint
    )


def test_who_is_granted_nothing_is_told_of_nothing() -> None:
    with pytest.raises(Denied) as refused:
        granted({"nginx": GRANT}, BOB, job("/usr/bin/systemctl"))
    assert refused.value.hint == "granted is nothing"


def report(run_as: str) -> ProfilesReport:
    profile = ProfileReport(
        name="services",
        workspace="/srv",
        directories=(),
        read_only=(),
        run_as=run_as,
        path="",
        limits=Limits(),
    )
    return ProfilesReport(profiles=(profile,), guarantees=(), default="")


async def test_it_runs_under_the_profile_of_its_grant() -> None:
    async def profiles() -> ProfilesReport:
        return report("root")

    launched = Elsewhere("native")
    backend = HostBackend(launched, {"nginx": GRANT}, profiles)
    async with aclosing(backend.run(permit(job("/usr/bin/systemctl")))) as events:
        first = await anext(events)

    assert isinstance(first, Started)
    assert (first.backend, first.rule) == ("host", "people, grant nginx")
    assert launched.asked[0].profile == "services"


@pytest.mark.parametrize("profile", ["services", "gone"])
async def test_a_grant_that_does_not_agree_with_its_profile_lets_nothing_run(profile: str) -> None:
    async def profiles() -> ProfilesReport:
        return report("wand-job")

    launched = Elsewhere("native")
    backend = HostBackend(launched, {"nginx": replace(GRANT, profile=profile)}, profiles)
    with pytest.raises(Denied, match="is for 'root'"):
        await anext(backend.run(permit(job("/usr/bin/systemctl"))))
    assert launched.asked == []


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"principals": ()}, "principals must not be empty"),
        ({"arguments": ()}, "arguments must not be empty"),
        ({"run_as": ""}, "run_as must not be empty"),
        ({"programs": ("systemctl",)}, "no whole path"),
        ({"programs": ("/usr/bin/*",)}, "no whole path"),
        ({"paths": ("/srv/..",)}, "no whole path"),
    ],
)
def test_a_grant_says_all_of_it(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(GRANT, **parts)
