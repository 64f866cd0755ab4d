"""`/v1/files` and `/v1/batches` as OpenAI's API reference describes them (November 2026)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.endpoints.batching import BatchPlan, SimulatedBatches, SimulatedJob


class OpenAiWording:
    """See `batching.Wording`."""

    separate_errors = True

    def request(self, row: Mapping[str, Any]) -> tuple[str, str, Any]:
        assert row["method"] == "POST"
        return row["custom_id"], row["url"], row["body"]

    def answer(self, key: str, status: int, body: Any) -> dict[str, Any]:
        response = {"status_code": status, "request_id": f"req_{key[:8]}", "body": body}
        return {"id": f"batch_req_{key[:8]}", "custom_id": key, "response": response, "error": None}

    def not_run(self, key: str, code: str) -> dict[str, Any]:
        error = {"code": code, "message": "This request could not be executed before the batch ended."}
        return {"id": f"batch_req_{key[:8]}", "custom_id": key, "response": None, "error": error}


class OpenAiBatchRoutes:
    """The routes of one endpoint."""

    def __init__(self, plan: BatchPlan, key: str):
        self.batches = SimulatedBatches(plan, OpenAiWording(), "file-")
        self.key = key

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/files", self._upload),
            web.get("/v1/files/{name}/content", self._content),
            web.post("/v1/batches", self._create),
            web.get("/v1/batches", self._list),
            web.get("/v1/batches/{name}", self._retrieve),
            web.post("/v1/batches/{name}/cancel", self._cancel),
        ]

    def start(self, url: str) -> None:
        self.batches.url = url
        self.batches.headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _check_key(self, request: web.Request) -> None:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            raise web.HTTPUnauthorized(text='{"error": {"message": "Incorrect API key provided."}}')

    async def _upload(self, request: web.Request) -> web.Response:
        self._check_key(request)
        content, purpose, filename = b"", "", ""
        async for part in await request.multipart():
            assert not isinstance(part, web.Request)
            if part.name == "file":  # pyright: ignore
                filename = part.filename or ""  # pyright: ignore
                content = bytes(await part.read())  # pyright: ignore
            elif part.name == "purpose":  # pyright: ignore
                purpose = await part.text()  # pyright: ignore
        if purpose != "batch" or not filename.endswith(".jsonl"):
            return _error(400, "Invalid file: purpose 'batch' wants a .jsonl file.")
        name = self.batches.add_file(content)
        return web.json_response(
            {
                "id": name,
                "object": "file",
                "bytes": len(content),
                "created_at": 0,
                "filename": filename,
                "purpose": purpose,
                "status": "processed",
            }
        )

    async def _content(self, request: web.Request) -> web.Response:
        self._check_key(request)
        content = self.batches.files.get(request.match_info["name"])
        if content is None or self.batches.plan.loses_files:
            return _error(404, "No such File object.")
        return web.Response(body=content, content_type="application/octet-stream")

    async def _create(self, request: web.Request) -> web.Response:
        self._check_key(request)
        document = await request.json()
        if document["endpoint"] != "/v1/chat/completions" or document["completion_window"] != "24h":
            return _error(400, "Invalid value: 'endpoint' or 'completion_window'.")
        if document["input_file_id"] not in self.batches.files:
            return _error(400, "Invalid input_file_id.")
        transport = request.transport
        if self.batches.breaks_now("before") and transport is not None:
            transport.abort()
        job = self.batches.create(document["input_file_id"], document.get("metadata") or {})
        if self.batches.breaks_now("after") and transport is not None:
            transport.abort()
        return web.json_response(_shown(job))

    async def _list(self, request: web.Request) -> web.Response:
        self._check_key(request)
        jobs = list(reversed(self.batches.jobs.values()))
        names = [job.name for job in jobs]
        after = request.query.get("after")
        start = names.index(after) + 1 if after else 0
        page = jobs[start : start + min(self.batches.plan.page, int(request.query.get("limit", "20")))]
        return web.json_response(
            {
                "object": "list",
                "data": [_shown(job) for job in page],
                "first_id": page[0].name if page else None,
                "last_id": page[-1].name if page else None,
                "has_more": start + len(page) < len(jobs),
            }
        )

    async def _retrieve(self, request: web.Request) -> web.Response:
        self._check_key(request)
        job = self.batches.jobs.get(request.match_info["name"])
        if job is None or self.batches.plan.forgets_jobs:
            return _error(404, "No batch found with this id.")
        return web.json_response(_shown(job))

    async def _cancel(self, request: web.Request) -> web.Response:
        self._check_key(request)
        job = self.batches.jobs.get(request.match_info["name"])
        if job is None or self.batches.plan.forgets_jobs:
            return _error(404, "No batch found with this id.")
        job.cancelled = True
        if not job.ended:
            job.status = "cancelling"
        return web.json_response(_shown(job))


def _shown(job: SimulatedJob) -> dict[str, Any]:
    results = [*job.results, None, None]
    problem = job.problem
    return {
        "id": job.name,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": {"object": "list", "data": [{"code": problem[0], "message": problem[1]}]}
        if problem
        else None,
        "input_file_id": job.file,
        "completion_window": "24h",
        "status": job.status,
        "output_file_id": results[0],
        "error_file_id": results[1],
        "created_at": int(job.made_at),
        "request_counts": {"total": job.total, "completed": job.completed, "failed": job.failed},
        "metadata": dict(job.mark) or None,
    }


def _error(status: int, message: str) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return web.json_response(body, status=status)
