"""The Hugging Face Hub as its own client speaks with it: a small one on loopback, which checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "hf_token_of_a_test"
CONFIG = b'{"architectures": ["TestModel"]}'
MODELS: list[dict[str, Any]] = [
    {
        "id": f"acme/model-{number}",
        "author": "acme",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "private": False,
        "downloads": 100 - number,
        "likes": number,
        "tags": ["text-generation", "license:mit"],
        "pipeline_tag": "text-generation",
        "lastModified": "2026-01-02T03:04:05.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "siblings": [{"rfilename": "config.json"}],
    }
    for number in range(3)
]
FILES = [
    {"type": "file", "path": "config.json", "size": len(CONFIG), "oid": "1" * 40},
    {"type": "directory", "path": "onnx", "size": 0, "oid": "2" * 40},
]
_QUERY = {"search", "author", "filter", "sort", "direction", "limit", "cursor", "full", "config", "expand"}


@dataclass
class Hub:
    """One that runs."""

    url: str = ""
    created: list[dict[str, Any]] = field(default_factory=list)

    async def listed(self, request: web.Request) -> web.Response:
        if unknown := set(request.query) - _QUERY:
            raise web.HTTPBadRequest(text=f"unknown: {unknown}")
        search = request.query.get("search", "")
        found = [one for one in MODELS if search in one["id"]]
        begin, limit = int(request.query.get("cursor", "0")), int(request.query.get("limit", "1000"))
        headers = {}
        if begin + limit < len(found):
            onward = request.rel_url.update_query(cursor=str(begin + limit))
            headers["Link"] = f'<{self.url}{onward}>; rel="next"'
        return web.json_response(found[begin : begin + limit], headers=headers)

    async def repo(self, request: web.Request) -> web.Response:
        wanted = f"{request.match_info['owner']}/{request.match_info['name']}"
        for one in MODELS:
            if one["id"] == wanted:
                return web.json_response(one)
        said = {"error": "Repository not found"}
        return web.json_response(
            said, status=404, headers={"X-Error-Code": "RepoNotFound", "X-Error-Message": "no"}
        )

    async def tree(self, request: web.Request) -> web.Response:
        if request.match_info["revision"] != "main":
            return web.json_response({"error": "Invalid rev id"}, status=404)
        return web.json_response(FILES)

    async def resolve(self, request: web.Request) -> web.Response:
        """Small files are moved to a cache of the Hub's own, which the client follows."""
        where = f"/api/resolve-cache/{request.match_info['owner']}/{request.match_info['path']}"
        headers = {"Location": where, "X-Repo-Commit": str(MODELS[0]["sha"]), "ETag": '"1"'}
        return web.Response(status=307, headers={**headers, "X-Linked-Size": str(len(CONFIG))})

    async def cached(self, request: web.Request) -> web.Response:
        if request.match_info["path"] != "config.json":
            return web.json_response({"error": "Entry not found"}, status=404)
        headers = {
            "X-Repo-Commit": str(MODELS[0]["sha"]),
            "ETag": '"1"',
            "Content-Type": "text/plain; charset=utf-8",
        }
        return web.Response(body=CONFIG, headers=headers)

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        if unknown := set(body) - {"name", "organization", "visibility", "type", "sdk"}:
            return web.json_response({"error": f"unknown: {unknown}"}, status=400)
        if body.get("type") == "space" and not body.get("sdk"):
            return web.json_response({"error": "sdk is required for a Space"}, status=400)
        if any(one["name"] == body["name"] for one in self.created):
            return web.json_response({"error": "You already created this repo"}, status=409)
        self.created.append(body)
        name = f"{body.get('organization') or 'ann'}/{body['name']}"
        below = {"dataset": "datasets/", "space": "spaces/"}.get(body.get("type", "model"), "")
        return web.json_response({"url": f"{self.url}/{below}{name}", "name": name})

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not body["messages"] or body.get("stream"):
            raise web.HTTPBadRequest(text="no messages")
        said = {"role": "assistant", "content": f"You said: {body['messages'][-1]['content']}"}
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        about = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"]}
        return web.json_response({**about, "choices": [choice], "usage": {"total_tokens": 3}})

    async def embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        texts = body["inputs"] if isinstance(body["inputs"], list) else [body["inputs"]]
        return web.json_response([[float(len(text)), 0.5] for text in texts])

    async def who(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"type": "user", "name": "ann", "fullname": "Ann", "orgs": [{"name": "acme"}]}
        )

    def routes(self) -> list[web.RouteDef]:
        repo = "{owner}/{name}"
        return [
            web.get("/api/models", self.listed),
            web.get("/api/datasets", self.listed),
            web.get("/api/spaces", self.listed),
            web.get(f"/api/models/{repo}", self.repo),
            web.get(f"/api/datasets/{repo}", self.repo),
            web.get(f"/api/models/{repo}/tree/{{revision}}", self.tree),
            web.get(f"/{repo}/resolve/{{revision}}/{{path:.+}}", self.resolve),
            web.get("/api/resolve-cache/{owner}/{path:.+}", self.cached),
            web.post("/api/repos/create", self.create),
            web.post("/v1/chat/completions", self.chat),
            web.post("/hf-inference/models/{model:.+}/pipeline/feature-extraction", self.embed),
            web.get("/api/whoami-v2", self.who),
        ]


@web.middleware
async def _signed_in(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return web.json_response({"error": "Invalid credentials in Authorization header"}, status=401)
    answer: web.StreamResponse = await handler(request)
    return answer


@asynccontextmanager
async def serving() -> AsyncIterator[Hub]:
    """A Hub, while entered."""
    hub = Hub()
    app = web.Application(middlewares=[_signed_in])
    app.add_routes(hub.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = site.name
    try:
        yield hub
    finally:
        await runner.cleanup()
