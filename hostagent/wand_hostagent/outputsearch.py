"""Looking for a pattern in what a job wrote, piece by piece; the confined file worker does the matching."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from wand_hostagent.filesystem.model import Answer, Match, Scan, Search, SearchAnswer
from wand_hostagent.reports import ProfilesReport
from wand_hostagent.runs import Run, StreamName
from wand_proto.errors import Broken
from wand_proto.plaintext import plain

PIECE_BYTES = 1024 * 1024
_DRAWN_BYTES = 64 * 1024
_LINE_END = b"\n"
_USUAL_MATCHES = 200
_MOST_CHARACTERS = 1024 * 1024  # of all matches together: the answer must fit into a message

Ask = Callable[[Scan], Awaitable[Answer]]


@dataclass(slots=True)
class _Found:
    """What has been found so far."""

    matches: list[Match]
    line: int  # how many lines lie behind us
    skip: int  # how many matches are still to be left out
    truncated: bool = False
    characters: int = 0


def profile_for(names: Iterable[str], known: ProfilesReport) -> str:
    """The first of those profiles that there is, in which the search is confined; else the default one."""
    return next((name for name in names if name and known.named(name)), known.default)


async def search(run: Run, stream: StreamName, offset: int, wanted: Search, ask: Ask) -> SearchAnswer:
    """The lines from `offset` on that match, control sequences left out; numbers count from there."""
    most = wanted.max_matches or _USUAL_MATCHES
    found = _Found([], 0, wanted.skip)
    end = run.part(stream, offset, 0).total_bytes
    while offset < end and not found.truncated:
        part = run.part(stream, offset, PIECE_BYTES)
        if not part.data:
            break
        piece = _whole_lines(part.data, is_last=part.offset + len(part.data) >= end)
        offset = part.offset + len(piece)
        answer = await ask(
            Scan(
                data=await _undrawn(piece),
                pattern=wanted.pattern,
                literal=wanted.literal,
                ignore_case=wanted.ignore_case,
                max_matches=max(1, most - len(found.matches)),
                context_lines=wanted.context_lines,
                skip=found.skip,
            )
        )
        _take(found, answer, most)
        found.line += piece.count(_LINE_END)
    return SearchAnswer(
        path=f"{run.origin.job}/{stream}",
        matches=tuple(found.matches),
        truncated=found.truncated,
        files_searched=1,
        files_skipped=0,
    )


async def _undrawn(piece: bytes) -> bytes:
    """The piece without control sequences, a little at a time: others have work to do meanwhile."""
    if b"\x1b" not in piece and b"\r" not in piece:
        return piece
    done, offset = [], 0
    while offset < len(piece):
        end = offset + _DRAWN_BYTES
        part = _whole_lines(piece[offset:end], is_last=end >= len(piece))
        done.append(plain(part.decode("utf-8", "replace")).encode("utf-8", "replace"))
        offset += len(part)
        await asyncio.sleep(0)
    return b"".join(done)


def _whole_lines(data: bytes, *, is_last: bool) -> bytes:
    """What ends with a line, where any does: no line is to be searched in two halves."""
    return data if is_last else data[: data.rfind(_LINE_END) + 1] or data


def _take(found: _Found, answer: Answer, most: int) -> None:
    if not isinstance(answer, SearchAnswer):
        raise Broken(f"the file worker answered {type(answer).__name__}; SearchAnswer was due")
    found.skip -= answer.passed_over
    if len(found.matches) >= most and answer.matches:
        found.truncated = True
        return
    found.truncated = answer.truncated
    for match in answer.matches:
        found.characters += len(match.text) + sum(map(len, match.before + match.after))
        if found.matches and found.characters > _MOST_CHARACTERS:
            found.truncated = True
            return
        found.matches.append(replace(match, line=match.line + found.line))
