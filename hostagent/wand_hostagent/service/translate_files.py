"""Messages of the wire read into values, and values made into messages: files."""

from collections.abc import Sequence

from wand_hostagent.filesystem import model
from wand_hostagent.service import fields
from wand_proto.errors import Invalid
from wand_proto.v1 import files_pb2 as wire

MOST_READ_BYTES = 1024 * 1024
MOST_WRITE_BYTES = 4 * 1024 * 1024
MOST_LINES = 1_000_000
MOST_REPLACEMENTS = 256
MOST_DEPTH = 8
MOST_ENTRIES = 5000
MOST_MATCHES = 2000
MOST_CONTEXT_LINES = 10
MOST_SKIPPED = 1_000_000
MOST_PATTERN_BYTES = 4096
MOST_GLOB_BYTES = 1024

_MODES = {
    wire.WRITE_MODE_CREATE: model.Mode.CREATE,
    wire.WRITE_MODE_REPLACE: model.Mode.REPLACE,
    wire.WRITE_MODE_APPEND: model.Mode.APPEND,
}
_ARRANGEMENTS = {wire.Arrangement.Value(f"ARRANGEMENT_{one.name}"): one for one in model.Arrangement}
_KINDS = {kind: wire.FileKind.Value(f"FILE_KIND_{kind.name}") for kind in model.Kind}


# -- from the wire ---------------------------------------------------------------------------------------


def read_from_wire(untrusted: wire.ReadRequest) -> model.Read:
    return model.Read(
        path=fields.spelled(untrusted.path, "path"),
        offset=fields.whole(untrusted.offset, "offset"),
        max_bytes=fields.whole(untrusted.max_bytes, "max_bytes", most=MOST_READ_BYTES),
        first_line=fields.whole(untrusted.first_line, "first_line"),
        max_lines=fields.whole(untrusted.max_lines, "max_lines", most=MOST_LINES),
        last_lines=fields.whole(untrusted.last_lines, "last_lines", most=MOST_LINES),
    )


def write_from_wire(untrusted: wire.WriteRequest) -> model.Write:
    return model.Write(
        path=fields.spelled(untrusted.path, "path"),
        data=fields.blob(untrusted.data, "data", most_bytes=MOST_WRITE_BYTES),
        mode=fields.chosen(untrusted.mode, "mode", _MODES),
        expected_sha256=fields.sha256(untrusted.expected_sha256, "expected_sha256"),
        create_directories=untrusted.create_directories,
    )


def edit_from_wire(untrusted: wire.EditRequest) -> model.Edit:
    return model.Edit(
        path=fields.spelled(untrusted.path, "path"),
        replacements=_replacements(untrusted.replacements),
        expected_sha256=fields.sha256(untrusted.expected_sha256, "expected_sha256"),
    )


def _replacements(untrusted: Sequence[wire.Replacement]) -> tuple[model.Replacement, ...]:
    if not 1 <= len(untrusted) <= MOST_REPLACEMENTS:
        raise Invalid(
            f"has {len(untrusted)} entries; it must have from 1 to {MOST_REPLACEMENTS}", field="replacements"
        )
    return tuple(_replacement(each, f"replacements[{place}]") for place, each in enumerate(untrusted))


def _replacement(untrusted: wire.Replacement, field: str) -> model.Replacement:
    if not untrusted.old_text:
        raise Invalid("must not be empty", field=f"{field}.old_text", hint="to make a new file, write it")
    return model.Replacement(old_text=untrusted.old_text, new_text=untrusted.new_text, every=untrusted.every)


def list_from_wire(untrusted: wire.ListRequest) -> model.List:
    return model.List(
        path=fields.spelled(untrusted.path, "path", empty=True),
        depth=fields.whole(untrusted.depth, "depth", most=MOST_DEPTH) or 1,
        max_entries=fields.whole(untrusted.max_entries, "max_entries", most=MOST_ENTRIES),
        hidden=untrusted.hidden,
    )


def search_from_wire(untrusted: wire.SearchRequest) -> model.Search:
    return model.Search(
        path=fields.spelled(untrusted.path, "path", empty=True),
        pattern=fields.text(untrusted.pattern, "pattern", most_bytes=MOST_PATTERN_BYTES),
        literal=untrusted.literal,
        ignore_case=untrusted.ignore_case,
        name_glob=fields.text(untrusted.name_glob, "name_glob", most_bytes=MOST_GLOB_BYTES),
        max_matches=fields.whole(untrusted.max_matches, "max_matches", most=MOST_MATCHES),
        context_lines=fields.whole(untrusted.context_lines, "context_lines", most=MOST_CONTEXT_LINES),
        hidden=untrusted.hidden,
        skip=fields.whole(untrusted.skip, "skip", most=MOST_SKIPPED),
    )


def arrange_from_wire(untrusted: wire.ArrangeRequest) -> model.Arrange:
    what = fields.chosen(untrusted.what, "what", _ARRANGEMENTS)
    needs_place = what in {model.Arrangement.MOVE, model.Arrangement.COPY}
    return model.Arrange(
        what=what,
        path=fields.spelled(untrusted.path, "path"),
        to=fields.spelled(untrusted.to, "to", empty=not needs_place),
    )


# -- to the wire -----------------------------------------------------------------------------------------


def read_to_wire(answer: model.ReadAnswer) -> wire.ReadReply:
    return wire.ReadReply(
        path=_text(answer.path),
        data=answer.data,
        offset=answer.offset,
        total_bytes=answer.total_bytes,
        binary=answer.binary,
        sha256=answer.sha256,
        modified_unix_seconds=answer.modified_unix_seconds,
        first_line=answer.first_line,
        next_line=answer.next_line,
    )


def written_to_wire(answer: model.WriteAnswer) -> wire.WriteReply:
    return wire.WriteReply(
        path=_text(answer.path),
        total_bytes=answer.total_bytes,
        sha256=answer.sha256,
        created=answer.created,
        diff=_text(answer.diff),
    )


def listed_to_wire(answer: model.ListAnswer) -> wire.ListReply:
    entries = [_entry_to_wire(entry) for entry in answer.entries]
    return wire.ListReply(path=_text(answer.path), entries=entries, truncated=answer.truncated)


def _entry_to_wire(entry: model.Entry) -> wire.FileEntry:
    return wire.FileEntry(
        path=_text(entry.path),
        kind=_KINDS[entry.kind],
        bytes=entry.bytes,
        modified_unix_seconds=entry.modified_unix_seconds,
        mode=entry.mode,
        target=_text(entry.target),
    )


def found_to_wire(answer: model.SearchAnswer) -> wire.SearchReply:
    return wire.SearchReply(
        path=_text(answer.path),
        matches=[_match_to_wire(match) for match in answer.matches],
        truncated=answer.truncated,
        files_searched=answer.files_searched,
        files_skipped=answer.files_skipped,
    )


def arranged_to_wire(answer: model.ArrangeAnswer) -> wire.ArrangeReply:
    return wire.ArrangeReply(
        path=_text(answer.path), to=_text(answer.to), files=answer.files, total_bytes=answer.total_bytes
    )


def _match_to_wire(match: model.Match) -> wire.Match:
    return wire.Match(
        path=_text(match.path),
        line=match.line,
        text=_text(match.text),
        before=map(_text, match.before),
        after=map(_text, match.after),
    )


def _text(text: str) -> str:
    """What protobuf can carry: lone surrogates, which a path that is spelled has not, become escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
