"""Questions about the host: what they may hold, and how the answers travel."""

from contextlib import nullcontext

import pytest

from wand_hostagent.model import Limits
from wand_hostagent.reports import Guarantee, ProfileReport, ProfilesReport
from wand_hostagent.service import translate_host as translate
from wand_proto.errors import Invalid
from wand_proto.v1 import host_pb2 as wire


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ([], "names"),
        (["x"] * 65, "names"),
        (["git", ""], "names[1]"),
        (["a\0"], "names[0]"),
        (["x" * 4096], "names[0]"),
    ],
)
def test_names_that_make_no_sense_are_refused_by_their_place(names: list[str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        translate.names_from_wire(wire.FindCommandRequest(names=names))

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (wire.ExplainRequest(), "argv"),
        (wire.ExplainRequest(argv=["ls"], shell="ls"), "argv"),
        (wire.ExplainRequest(argv=[""]), "argv[0]"),
        (wire.ExplainRequest(shell=" "), "shell"),
        (wire.ExplainRequest(shell="ls", directory="\0"), "directory"),
    ],
)
def test_a_question_about_nothing_is_refused_by_its_field(asked: wire.ExplainRequest, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        translate.question_from_wire(asked, "1")

    assert refused.value.field == field


def test_a_question_is_about_a_job_that_never_runs() -> None:
    job = translate.question_from_wire(wire.ExplainRequest(shell="ls | wc", directory="/srv"), "1")

    assert (job.argv, job.shell, job.directory) == (("ls | wc",), True, "/srv")


def test_profiles_tell_their_ceilings_and_what_bounds_them() -> None:
    profile = ProfileReport(
        name="developer",
        workspace="/srv/work",
        directories=(),
        read_only=(),
        run_as="wand-job",
        path="/usr/bin",
        limits=Limits(wall_seconds=60.0),
    )
    guarantee = Guarantee(name="process tree", enforced=True, detail="pid namespace")

    reply = translate.profiles_to_wire(
        ProfilesReport(profiles=(profile,), guarantees=(guarantee,), default="developer")
    )

    assert reply.default_profile == "developer"
    assert reply.profiles[0].limits.wall_seconds == 60.0
    assert [(one.name, one.enforced) for one in reply.profiles[0].guarantees] == [("process tree", True)]


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("slack.send_message", True),
        ("github:work.create_issue", True),
        ("aws:prod.read.iot-data.list_things", True),
        ("aws.read.s3.list_buckets.more", False),
        ("aws.read.", False),
        ("aws.read.s3 list", False),
        ("slack", False),
    ],
)
def test_an_operation_has_a_name_that_policy_can_speak_of(name: str, *, fits: bool) -> None:
    asked = wire.OperationBeginsRequest(id="a1", operation=name, arguments_sha256="ab" * 32)
    with nullcontext() if fits else pytest.raises(Invalid, match=r"SERVICE\.OPERATION"):
        assert translate.operation_from_wire(asked)["operation"] == name
