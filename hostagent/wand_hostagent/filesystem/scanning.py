"""Looking for a pattern in lines that the asker brings along: what a job wrote."""

from wand_hostagent.filesystem.model import Scan, Search, SearchAnswer
from wand_hostagent.filesystem.paths import Roots
from wand_hostagent.filesystem.patience import stepping
from wand_hostagent.filesystem.search import Findings, find_in, prepared


def scan(_roots: Roots, ask: Scan) -> SearchAnswer:
    """Every match in those lines, as many as may be; it is here because a pattern may take any time."""
    search = Search(
        path="",
        pattern=ask.pattern,
        literal=ask.literal,
        ignore_case=ask.ignore_case,
        max_matches=ask.max_matches,
        context_lines=ask.context_lines,
        skip=ask.skip,
    )
    wanted = prepared(search)
    findings = Findings(most=search.max_matches, skip=search.skip)
    findings.here = "a piece of the output"
    with stepping(findings.now):
        find_in(ask.data.decode("utf-8", "replace"), "", wanted, findings)
    return SearchAnswer(
        path="",
        matches=tuple(findings.matches),
        truncated=findings.truncated,
        files_searched=1,
        files_skipped=0,
        passed_over=findings.passed_over,
    )
