"""What may stand in a request for a file, one case a line."""

from typing import Any

import pytest

from wand_hostagent.filesystem import model
from wand_hostagent.service import translate_files as translate
from wand_proto.errors import Invalid
from wand_proto.v1 import files_pb2 as wire

MIB = 1024 * 1024
CREATE = wire.WRITE_MODE_CREATE
UNKNOWN: Any = 9
EDIT = [wire.Replacement(old_text="a", new_text="b")]
REFUSED = [
    (translate.read_from_wire, wire.ReadRequest(), "path"),
    (translate.read_from_wire, wire.ReadRequest(path="a\0"), "path"),
    (translate.read_from_wire, wire.ReadRequest(path="é" * 2048), "path"),
    (translate.read_from_wire, wire.ReadRequest(path="a", offset=2**63), "offset"),
    (translate.read_from_wire, wire.ReadRequest(path="a", max_bytes=MIB + 1), "max_bytes"),
    (translate.read_from_wire, wire.ReadRequest(path="a", first_line=2**63), "first_line"),
    (translate.read_from_wire, wire.ReadRequest(path="a", max_lines=2**32 - 1), "max_lines"),
    (translate.write_from_wire, wire.WriteRequest(mode=CREATE), "path"),
    (translate.write_from_wire, wire.WriteRequest(path="a"), "mode"),
    (translate.write_from_wire, wire.WriteRequest(path="a", mode=UNKNOWN), "mode"),
    (translate.write_from_wire, wire.WriteRequest(path="a", mode=CREATE, data=bytes(4 * MIB + 1)), "data"),
    (
        translate.write_from_wire,
        wire.WriteRequest(path="a", mode=CREATE, expected_sha256="AB"),
        "expected_sha256",
    ),
    (translate.edit_from_wire, wire.EditRequest(replacements=EDIT), "path"),
    (translate.edit_from_wire, wire.EditRequest(path="a"), "replacements"),
    (translate.edit_from_wire, wire.EditRequest(path="a", replacements=EDIT * 257), "replacements"),
    (
        translate.edit_from_wire,
        wire.EditRequest(path="a", replacements=[*EDIT, wire.Replacement(new_text="b")]),
        "replacements[1].old_text",
    ),
    (
        translate.edit_from_wire,
        wire.EditRequest(path="a", replacements=EDIT, expected_sha256="0"),
        "expected_sha256",
    ),
    (translate.list_from_wire, wire.ListRequest(path="\0"), "path"),
    (translate.list_from_wire, wire.ListRequest(depth=9), "depth"),
    (translate.list_from_wire, wire.ListRequest(max_entries=5001), "max_entries"),
    (translate.search_from_wire, wire.SearchRequest(path="\0"), "path"),
    (translate.search_from_wire, wire.SearchRequest(pattern="x" * 4097), "pattern"),
    (translate.search_from_wire, wire.SearchRequest(name_glob="x" * 1025), "name_glob"),
    (translate.search_from_wire, wire.SearchRequest(max_matches=2001), "max_matches"),
    (translate.search_from_wire, wire.SearchRequest(context_lines=11), "context_lines"),
]


@pytest.mark.parametrize(("read", "untrusted", "field"), REFUSED)
def test_a_request_that_makes_no_sense_is_refused_by_its_field(read: Any, untrusted: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(untrusted)

    assert refused.value.field == field


def test_an_edit_keeps_its_replacements_in_order() -> None:
    request = wire.EditRequest(
        path="a", replacements=[*EDIT, wire.Replacement(old_text="x", every=True)], expected_sha256="0" * 64
    )

    assert translate.edit_from_wire(request) == model.Edit(
        path="a",
        replacements=(
            model.Replacement(old_text="a", new_text="b"),
            model.Replacement(old_text="x", new_text="", every=True),
        ),
        expected_sha256="0" * 64,
    )


def test_an_empty_listing_is_of_the_workspace_itself() -> None:
    assert translate.list_from_wire(wire.ListRequest()) == model.List(path="", depth=1)


@pytest.mark.parametrize("mode", model.Mode)
def test_every_mode_of_writing_can_be_asked_for(mode: model.Mode) -> None:
    request = wire.WriteRequest(path="a", data=b"\0", mode=wire.WriteMode.Value(f"WRITE_MODE_{mode.name}"))

    assert translate.write_from_wire(request) == model.Write(path="a", data=b"\0", mode=mode)


@pytest.mark.parametrize("kind", model.Kind)
def test_every_kind_of_file_has_a_number_on_the_wire(kind: model.Kind) -> None:
    entry = model.Entry(path="a", kind=kind, bytes=1, modified_unix_seconds=2.0, mode=0o644)

    sent = translate.listed_to_wire(model.ListAnswer(path="/", entries=(entry,), truncated=False))

    assert wire.FileKind.Name(sent.entries[0].kind) == f"FILE_KIND_{kind.name}"


def test_a_name_that_is_not_utf8_still_travels() -> None:
    entry = model.Entry(path="\udcff", kind=model.Kind.FILE, bytes=0, modified_unix_seconds=0, mode=0)

    sent = translate.listed_to_wire(model.ListAnswer(path="/", entries=(entry,), truncated=False))

    assert sent.entries[0].path == "\\udcff"
