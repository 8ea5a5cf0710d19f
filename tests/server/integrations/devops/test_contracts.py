"""Operations that a vendor's document does not describe, or not rightly: what is sent, and what is read."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from wand_server.integrations.devops.bitbucket import Bitbucket
from wand_server.integrations.devops.github import GitHub
from wand_server.integrations.devops.gitlab import GitLab
from wand_server.integrations.devops.opsgenie import Opsgenie
from wand_server.integrations.kit.base import BaseIntegration

KEY = SecretStr("key-of-a-test")
MAKE: dict[str, Any] = {
    "github": lambda url: GitHub(GitHub.Config(base_url=url, token=KEY)),
    "gitlab": lambda url: GitLab(GitLab.Config(base_url=url, token=KEY)),
    "opsgenie": lambda url: Opsgenie(Opsgenie.Config(base_url=url, api_key=KEY)),
    "bitbucket": lambda url: Bitbucket(Bitbucket.Config(base_url=url, token=KEY)),
}
HEADERS = {
    "github": ("authorization", "Bearer key-of-a-test"),
    "gitlab": ("private-token", "key-of-a-test"),
    "opsgenie": ("authorization", "GenieKey key-of-a-test"),
    "bitbucket": ("authorization", "Bearer key-of-a-test"),
}
MR = {"iid": 7, "title": "t", "state": "opened", "id": 99}
DONE = {"result": "Request will be processed", "requestId": "r", "took": 0.1}
ACCEPTED = {"result": "Request will be processed", "request_id": "r"}
Row = tuple[str, str, dict[str, Any], str, dict[str, str], Any, Says, Any]
ROWS: list[Row] = [
    ("gitlab", "list_merge_requests", {"id": "g/p", "per_page": 2}, "GET /projects/g%2Fp/merge_requests",
     {"state": "opened", "per_page": "2"}, None, Says(body=[MR, MR]), {"items": [7, 7], "next_cursor": "2"}),
    ("gitlab", "create_merge_request",
     {"id": "1", "source_branch": "a", "target_branch": "main", "title": "t", "squash": True},
     "POST /projects/1/merge_requests", {},
     {"source_branch": "a", "target_branch": "main", "title": "t", "squash": True}, Says(body=MR), 7),
    ("gitlab", "merge_merge_request", {"id": "1", "iid": 7, "sha": "abc"},
     "PUT /projects/1/merge_requests/7/merge", {}, {"sha": "abc"}, Says(body=MR), 7),
    ("gitlab", "list_pipelines", {"id": "1", "status": "failed"}, "GET /projects/1/pipelines",
     {"status": "failed", "per_page": "20"}, None, Says(body=[]), {"items": []}),
    ("gitlab", "trigger_pipeline", {"id": "1", "ref": "main", "variables": [{"key": "A", "value": "b"}]},
     "POST /projects/1/pipeline", {}, {"ref": "main", "variables": [{"key": "A", "value": "b"}]},
     Says(body={"id": 5, "status": "created"}), {"id": 5, "status": "created"}),
    ("github", "get_pull_request", {"owner": "o", "repo": "r", "pull_number": 7},
     "GET /repos/o/r/pulls/7", {}, None,
     Says(body={"number": 7, "title": "t", "state": "open", "mergeable_state": "dirty", "id": 9}),
     {"number": 7, "title": "t", "state": "open", "mergeable_state": "dirty"}),
    ("github", "list_issue_comments", {"owner": "o", "repo": "r", "issue_number": 7, "per_page": 1},
     "GET /repos/o/r/issues/7/comments", {"per_page": "1"}, None,
     Says(body=[{"id": 1, "body": "é", "user": {"login": "ann"}, "url": "x"}]),
     {"items": [{"id": 1, "body": "é", "user": {"login": "ann"}}], "next_cursor": "2"}),
    ("gitlab", "list_pipeline_jobs", {"id": "1", "pipeline_id": 3}, "GET /projects/1/pipelines/3/jobs",
     {"per_page": "20"}, None, Says(body=[{"id": 5, "name": "test", "status": "failed"}]),
     {"items": [{"id": 5, "name": "test", "status": "failed"}]}),
    ("gitlab", "get_job_log", {"id": "1", "job_id": 3}, "GET /projects/1/jobs/3/trace", {}, None,
     Says(text="failed: é"), "failed: é"),
    ("gitlab", "get_file", {"id": "1", "file_path": "src/a b.py", "ref": "v1"},
     "GET /projects/1/repository/files/src%2Fa%20b.py/raw", {"ref": "v1"}, None,
     Says(text="x = 1\n"), "x = 1\n"),
    ("gitlab", "search", {"text": "bug", "scope": "issues"}, "GET /search",
     {"search": "bug", "scope": "issues", "per_page": "20"}, None, Says(body=[{"iid": 1}]),
     {"items": [{"iid": 1}]}),
    ("gitlab", "update_issue", {"id": "1", "iid": 7, "state_event": "close", "labels": ["a", "b"]},
     "PUT /projects/1/issues/7", {}, {"state_event": "close", "labels": ["a", "b"]},
     Says(body={"iid": 7}), 7),
    ("opsgenie", "create_alert", {"message": "down", "responders": [{"type": "team", "name": "ops"}]},
     "POST /v2/alerts", {}, {"message": "down", "responders": [{"type": "team", "name": "ops"}]},
     Says(body=DONE), ACCEPTED),
    ("opsgenie", "acknowledge_alert", {"identifier": "a1", "note": "mine"}, "POST /v2/alerts/a1/acknowledge",
     {"identifierType": "id"}, {"note": "mine"}, Says(body=DONE), ACCEPTED),
    ("opsgenie", "close_alert", {"identifier": "7", "identifier_type": "tiny", "user": "ann"},
     "POST /v2/alerts/7/close", {"identifierType": "tiny"}, {"user": "ann"}, Says(body=DONE), ACCEPTED),
    ("opsgenie", "add_note", {"identifier": "a1", "note": "é"}, "POST /v2/alerts/a1/notes",
     {"identifierType": "id"}, {"note": "é"}, Says(body=DONE), ACCEPTED),
    ("opsgenie", "assign_alert", {"identifier": "a1", "owner": {"username": "ann@a.example"}},
     "POST /v2/alerts/a1/assign", {"identifierType": "id"},
     {"owner": {"type": "user", "username": "ann@a.example"}},
     Says(body=DONE), ACCEPTED),
    ("bitbucket", "get_file", {"workspace": "w", "repo_slug": "r", "commit": "main", "path": "src/a b.py"},
     "GET /repositories/w/r/src/main/src/a%20b.py", {}, None, Says(text="x = 1\n"), "x = 1\n"),
]  # fmt: skip


def seen(answer: Any) -> Any:
    """The number of what has one, so that a row stays short."""
    if isinstance(answer, dict) and "items" in answer:
        return {**answer, "items": list(map(seen, answer["items"]))}
    short = isinstance(answer, dict) and {"iid", "title"} <= answer.keys()
    if short or (isinstance(answer, dict) and set(answer) == {"iid"} and answer["iid"] == 7):
        return answer["iid"]
    return answer


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}.{row[1]}")
async def test_an_operation_is_one_request(row: Row) -> None:
    name, operation, given, line, query, body, says, told = row
    async with serving(says) as service:
        integration: BaseIntegration = MAKE[name](service.url)
        try:
            answer = await integration.execute(operation, given)
        finally:
            await integration.cleanup()
    (asked,) = service.asked
    assert (f"{asked.method} {asked.path}", asked.query) == (line, query)
    assert (json.loads(asked.body) if asked.body else None) == body
    assert asked.headers[HEADERS[name][0]] == HEADERS[name][1]
    assert seen(answer) == told
