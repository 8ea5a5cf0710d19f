"""ServiceNow and Britive as their makers describe them, in memory; what does not fit is refused."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from support.foreign import listening

USER, PASSWORD, TOKEN = "agent", "password-of-agent", "token-of-agent"
_TABLE = re.compile(r"/api/now/table/([a-z0-9_]+)(?:/([0-9a-f]{32}))?$")
_FILE = re.compile(r"/api/now/attachment/([0-9a-f]{32})/file$")
_STATS = re.compile(r"/api/now/stats/([a-z0-9_]+)$")
_KNOWN = {
    "sysparm_query", "sysparm_limit", "sysparm_offset", "sysparm_fields", "sysparm_display_value",
    "sysparm_exclude_reference_link", "sysparm_input_display_value", "sysparm_count", "sysparm_group_by",
    "sysparm_avg_fields", "sysparm_sum_fields", "sysparm_min_fields", "sysparm_max_fields", "table_name",
     "table_sys_id", "file_name",
}  # fmt: skip


def refused(status: int, message: str) -> web.Response:
    error = {"message": message, "detail": None}
    return web.json_response({"error": error, "status": "failure"}, status=status)


@dataclass
class Now:
    """An instance of ServiceNow: records of any table, and files."""

    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # records that the caller may not see

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/oauth_token.do":
            return await self._token(request)
        if request.headers.get("Authorization") not in (
            aiohttp.encode_basic_auth(USER, PASSWORD),
            f"Bearer {TOKEN}",
        ):
            return refused(401, "User Not Authenticated")
        if unknown := set(request.query) - _KNOWN:
            return refused(400, f"no such parameter: {unknown}")
        if match := _TABLE.match(request.path):
            return await self._table(request, match[1], match[2])
        if match := _STATS.match(request.path):
            return self._stats(match[1], request.query)
        return await self._attachments(request)

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        fits = form == {"grant_type": "client_credentials", "client_id": USER, "client_secret": PASSWORD}
        answer = {"access_token": TOKEN, "expires_in": 1799} if fits else {"error": "access_denied"}
        return web.json_response(answer, status=200 if fits else 401)

    async def _table(self, request: web.Request, table: str, sys_id: str | None) -> web.StreamResponse:
        rows = self.rows.setdefault(table, {})
        if sys_id is None and request.method == "GET":
            return self._page(rows, request)
        if sys_id is not None and sys_id not in rows:
            return refused(404, "No Record found")
        if request.method == "GET":
            return web.json_response({"result": _shown(rows[str(sys_id)], request.query)})
        if request.method == "DELETE":
            del rows[str(sys_id)]
            return web.Response(status=204)
        body = await _json(request)
        if not isinstance(body, dict) or not body or (request.method == "POST") != (sys_id is None):
            return refused(400, "Exception while reading request")
        new = sys_id or uuid.uuid4().hex
        kept = rows[new] if request.method == "PATCH" else {"sys_id": new, "number": f"INC{len(rows) + 1:07}"}
        rows[new] = {**kept, **body}
        return web.json_response({"result": rows[new]}, status=201 if request.method == "POST" else 200)

    def _page(self, rows: dict[str, dict[str, Any]], request: web.Request) -> web.Response:
        """One page, without what its reader may not see, and a link to the next."""
        query, headers = dict(request.query), {}
        begin, many = int(query.get("sysparm_offset", 0)), int(query.get("sysparm_limit", 10000))
        if len(self._found(rows, {"sysparm_query": query.get("sysparm_query", "")})) > begin + many:
            following = request.url.update_query({"sysparm_offset": str(begin + many)})
            headers["Link"] = f'<{request.url}>;rel="first",<{following}>;rel="next"'
        seen = [row for row in self._found(rows, query) if row.get("sys_id") not in self.hidden]
        return web.json_response({"result": seen}, headers=headers)

    def _found(self, rows: dict[str, dict[str, Any]], query: Any) -> list[dict[str, Any]]:
        conditions = [part.split("=", 1) for part in query.get("sysparm_query", "").split("^") if "=" in part]
        found = [
            row for row in rows.values() if all(str(row.get(name)) == value for name, value in conditions)
        ]
        begin, many = int(query.get("sysparm_offset", 0)), int(query.get("sysparm_limit", 10000))
        return [_shown(row, query) for row in found[begin : begin + many]]

    def _stats(self, table: str, query: Any) -> web.Response:
        if query.get("sysparm_count") != "true":
            return refused(400, "nothing to count")
        found = self._found(self.rows.get(table, {}), {"sysparm_query": query.get("sysparm_query", "")})
        by = query.get("sysparm_group_by")
        if not by:
            return web.json_response({"result": {"stats": {"count": str(len(found))}}})
        groups = {str(row.get(by)): 0 for row in found}
        for row in found:
            groups[str(row.get(by))] += 1
        told = [
            {"stats": {"count": str(count)}, "groupby_fields": [{"field": by, "value": value}]}
            for value, count in groups.items()
        ]
        return web.json_response({"result": told})

    async def _attachments(self, request: web.Request) -> web.StreamResponse:
        if match := _FILE.match(request.path):
            if match[1] not in self.files:
                return refused(404, "No Record found")
            about, data = self.files[match[1]]
            return web.Response(body=data, headers={"Content-Type": about["content_type"]})
        if request.path == "/api/now/attachment/file" and request.method == "POST":
            wanted = {name: request.query[name] for name in ("table_name", "table_sys_id", "file_name")}
            if wanted["table_sys_id"] not in self.rows.get(wanted["table_name"], {}):
                return refused(400, "the record does not exist")
            new, data = uuid.uuid4().hex, await request.read()
            kind = request.headers["Content-Type"]
            about = {**wanted, "sys_id": new, "size_bytes": str(len(data)), "content_type": kind}
            self.files[new] = (about, data)
            return web.json_response({"result": about}, status=201)
        if request.path == "/api/now/attachment" and request.method == "GET":
            rows = {key: about for key, (about, _) in self.files.items()}
            return self._page(rows, request)
        return refused(400, "Requested URI does not represent any resource")


@dataclass
class Vending:
    """A tenant of Britive with one profile, which needs approval and comes up slowly."""

    approved: bool = False
    transaction: dict[str, Any] | None = None
    looked: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"TOKEN {TOKEN}":
            return _wrong(401, "E0000", "not authenticated")
        handler = self._handlers().get((request.method, request.path))
        return await handler(request) if handler else _wrong(404, "E1001", "no such resource")

    def _handlers(self) -> dict[tuple[str, str], Callable[[web.Request], Awaitable[web.Response]]]:
        place = "/api/access/p1/environments/e1"
        return {
            ("GET", "/api/access"): self._mine,
            ("POST", place): self._check_out,
            ("POST", f"{place}/approvalRequest"): self._ask,
            ("GET", "/api/access/app-access-status"): self._status,
            ("GET", "/api/access/t1/tokens"): self._tokens,
            ("PUT", "/api/access/t1"): self._check_in,
            ("GET", "/api/apps"): self._apps,
            ("GET", "/api/apps/a1/paps"): self._profiles,
            ("GET", "/api/users"): self._people,
            ("GET", "/api/user-tags"): self._people,
            ("GET", "/api/logs/v2"): self._logs,
        }

    async def _mine(self, request: web.Request) -> web.Response:
        environments = [{"environmentId": "e1", "environmentName": "prod"}]
        profile = {"profileId": "p1", "profileName": "Admin", "environments": environments}
        return web.json_response([{"appContainerId": "a1", "appName": "AWS", "profiles": [profile]}])

    async def _check_out(self, request: web.Request) -> web.Response:
        if request.query.get("accessType") not in {"PROGRAMMATIC", "CONSOLE"}:
            return _wrong(400, "E1000", "accessType")
        if not isinstance(await _json(request), dict):
            return _wrong(400, "E1000", "no body")
        if not self.approved:
            return _wrong(403, "PE-0028", "approval is required")
        self.transaction = {
            "transactionId": "t1", "papId": "p1", "environmentId": "e1", "status": "checkOutSubmitted",
            "accessType": request.query["accessType"], "checkedIn": None,
        }  # fmt: skip
        return web.json_response(self.transaction)

    async def _ask(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if not isinstance(body, dict) or not body.get("justification"):
            return _wrong(400, "E1000", "justification")
        if self.approved:
            return web.Response(status=204)
        self.approved = True
        return web.json_response({"requestId": "r1"})

    async def _status(self, request: web.Request) -> web.Response:
        if self.transaction is None:
            return web.json_response([])
        self.looked += 1
        self.transaction["status"] = "checkedOut" if self.looked > 1 else "checkOutSubmitted"
        return web.json_response([self.transaction])

    async def _tokens(self, request: web.Request) -> web.Response:
        ready = self.transaction is not None and self.transaction["status"] == "checkedOut"
        keys = {"accessKeyID": "AKIA1", "secretAccessKey": "s3cr3t", "sessionToken": "session"}
        return web.json_response(keys) if ready else _wrong(400, "E1002", "not checked out")

    async def _check_in(self, request: web.Request) -> web.Response:
        if dict(request.query) != {"type": "API"} or self.transaction is None:
            return _wrong(400, "E1003", "not checked out")
        ended, self.transaction = {**self.transaction, "status": "checkedIn"}, None
        return web.json_response(ended)

    async def _apps(self, request: web.Request) -> web.Response:
        return web.json_response(
            [{"appContainerId": "a1", "catalogAppDisplayName": "AWS", "status": "active"}]
        )

    async def _profiles(self, request: web.Request) -> web.Response:
        return web.json_response([{"papId": "p1", "name": "Admin", "status": "active"}])

    async def _people(self, request: web.Request) -> web.Response:
        page, size = int(request.query.get("page", 0)), int(request.query["size"])
        people = [{"userId": f"u{one}", "userTagId": f"g{one}", "name": f"n{one}"} for one in range(3)]
        there = people[page * size : (page + 1) * size]
        return web.json_response({"count": 3, "page": page, "size": size, "data": there})

    async def _logs(self, request: web.Request) -> web.Response:
        if not {"from", "to"} <= set(request.query):
            return _wrong(400, "E1000", "from and to")
        second = request.headers.get("next-page") == "mark-2"
        headers = {} if second else {"next-page": "mark-2"}
        return web.json_response({"records": [{"n": 2 if second else 1}]}, headers=headers)


def _wrong(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"status": status, "errorCode": code, "message": message}, status=status)


def _shown(row: dict[str, Any], query: Any) -> dict[str, Any]:
    fields = query.get("sysparm_fields")
    return {name: row.get(name, "") for name in fields.split(",")} if fields else row


async def _json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        return None
    try:
        return json.loads(await request.text())
    except ValueError:
        return None


@asynccontextmanager
async def running(service: Now | Vending) -> AsyncIterator[str]:
    """The address of one of them, while entered."""
    async with listening(service.answer) as url:
        yield url
