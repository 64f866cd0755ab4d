"""The TAO inference microservice, simulated after its own server (`base_inference_microservice_server`).

Peculiar to it: only the system message and the **last** text part of the first user message reach the model;
the request's `model` is ignored; there is no `/v1/models`, no `usage`, no structured output, no key; the finish
reason is always `stop`, so a text cut at `max_tokens` (default 1024) looks complete; while it starts, the chat
route answers 202 with an `error` body, which an OpenAI client takes for a success without choices.
"""

import threading
from collections.abc import Mapping
from typing import Any, Literal

from aiohttp import web

from tests.endpoints.faults import Fault
from tests.endpoints.openai_common import OpenAIKind
from tests.endpoints.wire import Ask, Content, Generated, Refusal, Reply

State = Literal["server_initializing", "model_loading", "model_load_error", "ready"]
_MIME_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"})
_MESSAGES: Mapping[str, str] = {
    "server_initializing": "Server is initializing, please wait",
    "model_loading": "Model is currently loading, please wait",
    "model_load_error": "Model failed to load: simulated",
}


class TaoKind(OpenAIKind):
    """`starting` counts the requests (readiness or chat) answered as not ready before it is ready.

    `readiness_503` gives the form of later releases: 503 with `{"status": "not_ready", "reason": …}`.
    """

    name = "tao"
    default_max_tokens = 1024
    enforced_formats = frozenset()
    checks_model = False
    rate_headers = False
    bad_image_status = 500

    def __init__(
        self,
        *args: Any,
        starting: int = 0,
        load_error: bool = False,
        readiness_503: bool = False,
        **options: Any,
    ):
        super().__init__(*args, **options)
        self._readiness_503 = readiness_503
        self._starting = starting
        self._remaining = starting
        self._load_error = load_error
        self._lock = threading.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/health/readiness", self._readiness),
            web.get("/api/v1/health/liveness", self._liveness),
        ]

    def read(self, body: bytes, path: str) -> Ask:
        state = self._next_state()
        if state != "ready":
            raise Refusal(_status(state), _MESSAGES[state], state)
        return super().read(body, path)

    def _content(self, messages: Any) -> Content:
        """The system message and, of the first user message, the media and the last text."""
        system = [m for m in messages if m.get("role") == "system" and isinstance(m.get("content"), str)][:1]
        user = [m for m in messages if m.get("role") == "user"][:1]
        content = super()._content(system + user)
        if content.image is None:
            raise Refusal(500, "No media provided: an image or a video is required", "internal_error")
        if content.mime not in _MIME_TYPES:
            raise Refusal(400, f"Unsupported media type: {content.mime}", "invalid_request")
        content.keep_texts(content.texts[: len(system)] + content.texts[len(system) :][-1:])
        return content

    def error(self, status: int, message: str, reason: str = "") -> Any:
        return {"error": {"message": message, "type": reason or "internal_error"}}

    def reply(self, ask: Ask, generated: Generated, fault: Fault | None, thinking_in: str) -> Reply:
        reply = super().reply(ask, generated, fault, thinking_in)
        reply.body["model"] = self.model
        del reply.body["usage"]
        for choice in reply.body["choices"]:
            choice["finish_reason"] = "stop"
        return reply

    def _next_state(self) -> State:
        with self._lock:
            if self._remaining == 0:
                return "model_load_error" if self._load_error else "ready"
            self._remaining -= 1
            return "server_initializing" if self._remaining >= self._starting // 2 else "model_loading"

    async def _readiness(self, request: web.Request) -> web.Response:
        state = self._next_state()
        if state == "ready":
            return web.json_response({"status": "ready"})
        if self._readiness_503:
            body = {"status": "not_ready", "reason": state, "message": _MESSAGES[state]}
            return web.json_response(body, status=503)
        return web.json_response(self.error(0, _MESSAGES[state], state), status=_status(state))

    async def _liveness(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "healthy", "model_loaded": self._remaining == 0})


def _status(state: State) -> int:
    return 503 if state == "model_load_error" else 202
