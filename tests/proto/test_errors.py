"""The family keeps its class, message, hint and field over the wire."""

import grpc
import pytest

from wand_proto import errors


@pytest.mark.parametrize("kind", errors.FAMILY.values())
def test_an_error_comes_back_as_the_same_class(kind: type[errors.WandError]) -> None:
    sent = kind("rm is denied", hint="git is permitted", field="argv")

    got = errors.from_wire(kind.code, "details", errors.to_metadata(sent))

    assert type(got) is kind
    assert (got.message, got.hint, got.field) == ("rm is denied", "git is permitted", "argv")


@pytest.mark.parametrize("kind", errors.FAMILY.values())
def test_every_class_has_a_status_code_of_grpc(kind: type[errors.WandError]) -> None:
    assert kind.code in grpc.StatusCode.__members__


@pytest.mark.parametrize("untrusted", [b"", b"[]", b"{}", b"\xff", b'{"kind": 1}'])
def test_metadata_that_cannot_be_read_leaves_the_status_code_to_speak(untrusted: bytes) -> None:
    got = errors.from_wire("PERMISSION_DENIED", "no", [(errors.METADATA_KEY, untrusted)])

    assert (type(got), got.message) == (errors.Denied, "no")


def test_a_subclass_that_shares_a_code_is_not_taken_for_its_parent() -> None:
    assert type(errors.from_wire("PERMISSION_DENIED", "no", [])) is errors.Denied


def test_the_longest_error_fits_into_the_metadata_of_a_call() -> None:
    ((_, packed),) = errors.to_metadata(errors.Denied("😀" * 5000, hint="😀" * 5000, field="😀" * 300))

    assert len(packed) < 48 * 1024  # below grpc.max_metadata_size of either end, in base64 too


def test_text_that_is_no_unicode_still_travels() -> None:
    sent = errors.to_metadata(errors.NotFound("\udcff does not exist"))

    assert errors.from_wire("NOT_FOUND", "", sent).message == "? does not exist"


@pytest.mark.parametrize(("kind", "found"), [("Denied", errors.Denied), ("NoSuchKind", errors.Broken)])
def test_an_error_is_had_by_its_name_with_nothing_but_its_message(
    kind: str, found: type[errors.WandError]
) -> None:
    one = errors.named(kind, "no")

    assert (type(one), one.message, one.hint, one.field, str(one)) == (found, "no", "", "", "no")
