"""Gemini's Files API and `batchGenerateContent`, as Google's reference and the google-genai SDK have them (November 2026)."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.endpoints.batching import BatchPlan, SimulatedBatches, SimulatedJob

_STATES = {
    "validating": "PENDING",
    "in_progress": "RUNNING",
    "cancelling": "RUNNING",
    "completed": "SUCCEEDED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}


class GeminiWording:
    """See `batching.Wording`."""

    separate_errors = False

    def __init__(self, model: str):
        self._path = f"/v1beta/models/{model}:generateContent"

    def request(self, row: Mapping[str, Any]) -> tuple[str, str, Any]:
        return row["key"], self._path, row["request"]

    def answer(self, key: str, status: int, body: Any) -> dict[str, Any]:
        if status == 200:
            return {"key": key, "response": body}
        error = body["error"]
        return {"key": key, "error": {"code": error.get("code", 13), "message": error["message"]}}

    def not_run(self, key: str, code: str) -> dict[str, Any]:
        return {"key": key, "error": {"code": 1, "message": "The batch ended before this request was run."}}


class GeminiBatchRoutes:
    """The routes of one endpoint."""

    def __init__(self, plan: BatchPlan, key: str, model: str):
        self.batches = SimulatedBatches(plan, GeminiWording(model), "files/f")
        self.key = key
        self._uploads: dict[str, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/upload/v1beta/files", self._begin_upload),
            web.post("/upload/v1beta/part/{name}", self._upload),
            web.get("/v1beta/files/{name}:download", self._download),
            web.post("/v1beta/models/{model:[^/:]+}:batchGenerateContent", self._create),
            web.get("/v1beta/batches", self._list),
            web.get("/v1beta/batches/{name:[^/:]+}", self._get),
            web.post("/v1beta/batches/{name:[^/:]+}:cancel", self._cancel),
        ]

    def start(self, url: str) -> None:
        self.batches.url = url
        self.batches.headers = {"x-goog-api-key": self.key}

    def _check_key(self, request: web.Request) -> None:
        if request.headers.get("x-goog-api-key") != self.key:
            raise web.HTTPBadRequest(text='{"error": {"code": 400, "message": "API key not valid."}}')

    async def _begin_upload(self, request: web.Request) -> web.Response:
        self._check_key(request)
        name = f"part{len(self._uploads) + 1}"
        self._uploads[name] = b""
        url = f"{self.batches.url}/upload/v1beta/part/{name}"
        return web.json_response({}, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})

    async def _upload(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self._uploads[name] += await request.read()
        if "finalize" not in request.headers["X-Goog-Upload-Command"]:
            return web.json_response({}, headers={"x-goog-upload-status": "active"})
        file = self.batches.add_file(self._uploads[name])
        return web.json_response({"file": {"name": file}}, headers={"x-goog-upload-status": "final"})

    async def _download(self, request: web.Request) -> web.Response:
        self._check_key(request)
        content = self.batches.files.get(f"files/{request.match_info['name']}")
        if content is None or self.batches.plan.loses_files:
            return _error(404, "The file does not exist or has expired.")
        return web.Response(body=content, content_type="application/octet-stream")

    async def _create(self, request: web.Request) -> web.Response:
        self._check_key(request)
        batch = (await request.json())["batch"]
        file = batch["inputConfig"]["fileName"]
        if file not in self.batches.files:
            return _error(400, f"File {file} not found.")
        transport = request.transport
        if self.batches.breaks_now("before") and transport is not None:
            transport.abort()
            return _error(500, "broken off")
        job = self.batches.create(file, {"displayName": batch.get("displayName", "")})
        if self.batches.breaks_now("after") and transport is not None:
            transport.abort()
        return web.json_response(self._shown(job))

    async def _list(self, request: web.Request) -> web.Response:
        self._check_key(request)
        jobs = list(reversed(self.batches.jobs.values()))
        start = int(request.query.get("pageToken") or 0)
        end = start + min(self.batches.plan.page, int(request.query.get("pageSize", "10")))
        more = {"nextPageToken": str(end)} if end < len(jobs) else {}
        return web.json_response({"operations": [self._shown(job) for job in jobs[start:end]], **more})

    async def _get(self, request: web.Request) -> web.Response:
        self._check_key(request)
        job = self.batches.jobs.get(request.match_info["name"])
        if job is None or self.batches.plan.forgets_jobs:
            return _error(404, "Requested entity was not found.")
        return web.json_response(self._shown(job))

    async def _cancel(self, request: web.Request) -> web.Response:
        self._check_key(request)
        job = self.batches.jobs.get(request.match_info["name"])
        if job is None or self.batches.plan.forgets_jobs:
            return _error(404, "Requested entity was not found.")
        job.cancelled = True
        return web.json_response({})

    def _shown(self, job: SimulatedJob) -> dict[str, Any]:
        made_at = datetime.fromtimestamp(job.made_at, UTC).isoformat().replace("+00:00", "Z")
        metadata: dict[str, Any] = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "displayName": job.mark.get("displayName", ""),
            "state": f"BATCH_STATE_{_STATES[job.status]}",
            "createTime": made_at,
            "updateTime": datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z"),
        }
        if job.results:
            metadata["output"] = {"responsesFile": job.results[0]}
        return {"name": f"batches/{job.name}", "metadata": metadata, "done": job.ended}


def _error(status: int, message: str) -> web.Response:
    body = {
        "error": {
            "code": status,
            "message": message,
            "status": "NOT_FOUND" if status == 404 else "INVALID_ARGUMENT",
        }
    }
    return web.json_response(body, status=status)
