"""The Gemini API, simulated as google-genai speaks it: REST under `/v1`, `/v1beta`, `/v1alpha`.

Peculiar to it: url-safe base64, camelCase and snake_case mixed; unknown fields refused; a wrong key is a 400
with reason `API_KEY_INVALID`; waiting times stand in `RetryInfo`, not in a header; prompts are blocked without
any candidate; thinking takes from the same token limit as the text. No model runs here.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from tests.endpoints.faults import Fault, spoiled
from tests.endpoints.wire import Ask, Content, Generated, Refusal, Reply

_PATH = re.compile(r"/(v1|v1beta|v1alpha)/models/([^/:]+):generateContent")
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_SCHEMAS = frozenset({"response_json_schema", "response_schema"})
_TOP = frozenset(
    {"contents", "system_instruction", "generation_config", "safety_settings", "tools", "cached_content"}
)
_SAMPLING = frozenset({"temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"})
_CONFIG = _SAMPLING | {
    "candidate_count",
    "max_output_tokens",
    "media_resolution",
    "response_json_schema",
    "response_mime_type",
    "response_modalities",
    "response_schema",
    "stop_sequences",
    "thinking_config",
}
_MIME_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
_FINISH = {
    Fault.CONTENT_FILTER: "SAFETY",
    Fault.RECITATION: "RECITATION",
    Fault.SPII: "SPII",
    Fault.PROHIBITED_CONTENT: "PROHIBITED_CONTENT",
    Fault.MALFORMED_RESPONSE: "MALFORMED_RESPONSE",
    Fault.TRUNCATED_EMPTY: "MAX_TOKENS",
}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class GeminiKind:
    """Serves one model. `refuses` names `response_mime_type`, `thinking_budget` or `system_instruction`."""

    name = "gemini"
    base_path = ""
    generation_paths = ("/{version:v1|v1beta|v1alpha}/models/{model:[^/:]+}:generateContent",)
    default_key = "simulated-key"
    rate_headers = False
    bad_image_status = 400

    def __init__(
        self, model: str, key: str = "", refuses: Iterable[str] | None = None, refusal_status: int = 400
    ):
        self.model = model
        self.key = key or self.default_key
        self.refuses = frozenset(refuses or ())
        self.refusal_status = refusal_status

    def routes(self) -> list[web.RouteDef]:
        version = "/{version:v1|v1beta|v1alpha}"
        return [
            web.get(version + "/models", self._list_models),
            web.get(version + "/models/{model}", self._get_model),
        ]

    def carried_key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-goog-api-key", "")

    def check_key(self, headers: Mapping[str, str]) -> None:
        key = self.carried_key(headers)
        if not key:
            raise Refusal(
                403, "Method doesn't allow unregistered callers (callers without established identity)."
            )
        if key != self.key:
            raise Refusal(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")

    def read(self, body: bytes, path: str) -> Ask:
        """Raises `Refusal` for what this endpoint does not take."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise Refusal(404, f"Not found: {path}")
        version, model = match.groups()
        if model != self.model:
            raise self._unknown(model, version)
        try:
            document = _snake(json.loads(body))
        except ValueError as error:
            raise Refusal(400, f"Invalid JSON payload received. {error}") from error
        config = document.get("generation_config", {})
        _known(document, _TOP, "")
        _known(config, _CONFIG, " at 'generation_config'")
        schema = self._schema(config, document)
        thinking = self._thinking(config)
        return Ask(
            model=model,
            content=_content(document, version),
            parameters={**config, **{k: v for k, v in document.items() if k in ("tools", "safety_settings")}},
            max_tokens=config.get("max_output_tokens"),
            schema=schema,
            thinking_off=thinking,
        )

    def _schema(self, config: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any] | None:
        schema = config.get("response_json_schema", config.get("response_schema"))
        mime = config.get("response_mime_type", "text/plain")
        if "response_mime_type" in self.refuses and mime != "text/plain":
            raise Refusal(self.refusal_status, f"JSON mode is not enabled for models/{self.model}")
        if "system_instruction" in self.refuses and "system_instruction" in document:
            raise Refusal(
                self.refusal_status, f"Developer instruction is not enabled for models/{self.model}"
            )
        if mime == "application/json":
            return schema or {}
        if schema:
            raise Refusal(400, f"Response schema with mime type '{mime}' is unsupported")
        return None

    def _thinking(self, config: Mapping[str, Any]) -> bool:
        """Whether thinking is switched off; raises `Refusal` where this model does not allow that."""
        thinking = config.get("thinking_config", {})
        budget, level = thinking.get("thinking_budget"), str(thinking.get("thinking_level", "")).lower()
        if budget is not None and level:
            raise Refusal(400, "You can only set only one of thinking budget and thinking level.")
        if level and re.search(r"gemini-[12]\.", self.model):
            raise Refusal(400, "Thinking level is not supported for this model.")
        if budget == 0 and ("-pro" in self.model or "thinking_budget" in self.refuses):
            raise Refusal(400, "Budget 0 is invalid. This model only works in thinking mode.")
        if level == "minimal" and "-pro" in self.model:
            raise Refusal(400, "Thinking level MINIMAL is not supported for this model.")
        return budget == 0 or level == "minimal"

    def error(self, status: int, message: str, reason: str = "") -> Any:
        """The body of an error; `reason` "retry:<seconds>" adds `RetryInfo`, any other an `ErrorInfo`."""
        details: list[dict[str, Any]] = []
        if reason.startswith("retry:"):
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{reason[6:]}s"}
            details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}, retry]
        elif reason:
            info = "type.googleapis.com/google.rpc.ErrorInfo"
            details = [{"@type": info, "reason": reason, "domain": "googleapis.com"}]
        error = {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}
        return {"error": {**error, "details": details} if details else error}

    def reply(self, ask: Ask, generated: Generated, fault: Fault | None, thinking_in: str) -> Reply:
        """The body for a generated text, `fault` (one that leaves the status at 200) applied."""
        text, finish = generated.text, "MAX_TOKENS" if generated.finish == "length" else "STOP"
        if fault is Fault.MALFORMED:
            text = spoiled(text)
        elif fault is Fault.TRUNCATED:
            text, finish = text[: len(text) // 2], "MAX_TOKENS"
        parts: list[dict[str, Any]] = [{"text": text}]
        if generated.thinking and ask.parameters.get("thinking_config", {}).get("include_thoughts"):
            parts.insert(0, {"text": generated.thinking, "thought": True})
        candidate: dict[str, Any] = {
            "finishReason": _FINISH.get(fault, finish) if fault else finish,
            "index": 0,
        }
        if fault is Fault.EMPTY:
            candidate["content"] = {"role": "model"}
        elif fault not in _FINISH and (text or finish == "STOP"):
            candidate["content"] = {"parts": parts, "role": "model"}
        used = {
            "promptTokenCount": generated.prompt_tokens,
            "candidatesTokenCount": generated.completion_tokens,
            "totalTokenCount": generated.prompt_tokens
            + generated.completion_tokens
            + generated.thinking_tokens,
        }
        if generated.thinking_tokens:
            used["thoughtsTokenCount"] = generated.thinking_tokens
        body: dict[str, Any] = {"candidates": [candidate], "usageMetadata": used, "modelVersion": self.model}
        if fault is Fault.REFUSED:
            del body["candidates"], used["candidatesTokenCount"]
            body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        elif fault is Fault.NO_CHOICES:
            body["candidates"] = []
        elif fault is Fault.ERROR_INSIDE:
            body = self.error(503, "The model is overloaded. Please try again later.")
        return Reply(body)

    def shape(self, text: str, ask: Ask, seed: int) -> str:
        """What the endpoint makes of the model's text before it is cut to length."""
        return text

    def _unknown(self, model: str, version: str) -> Refusal:
        return Refusal(
            404,
            f"models/{model} is not found for API version {version}, or is not supported for generateContent. "
            "Call ListModels to see the list of available models and their supported methods.",
        )

    async def _list_models(self, request: web.Request) -> web.Response:
        return self._answer(request, {"models": [self._card()]})

    async def _get_model(self, request: web.Request) -> web.Response:
        model, version = request.match_info["model"], request.match_info["version"]
        return self._answer(
            request, self._card(), None if model == self.model else self._unknown(model, version)
        )

    def _answer(self, request: web.Request, body: Any, refusal: Refusal | None = None) -> web.Response:
        try:
            self.check_key(request.headers)
            if refusal is not None:
                raise refusal
        except Refusal as error:
            return web.json_response(
                self.error(error.status, error.message, error.reason), status=error.status
            )
        return web.json_response(body)

    def _card(self) -> dict[str, Any]:
        return {
            "name": f"models/{self.model}",
            "displayName": f"{self.model} (simulated)",
            "inputTokenLimit": 1048576,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }


def _snake(document: Any, *, within_schema: bool = False) -> Any:
    """Field names in snake_case, as the API takes both; schemas keep theirs."""
    if isinstance(document, list):
        return [_snake(part, within_schema=within_schema) for part in document]
    if not isinstance(document, dict) or within_schema:
        return document
    renamed = {_CAMEL.sub(r"_\1", name).lower(): value for name, value in document.items()}
    return {name: _snake(value, within_schema=name in _SCHEMAS) for name, value in renamed.items()}


def _known(fields: Mapping[str, Any], names: frozenset[str], where: str) -> None:
    for name in fields:
        if name not in names:
            raise Refusal(
                400, f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
            )


def _content(document: Mapping[str, Any], version: str) -> Content:
    read = Content()
    for content in [document.get("system_instruction") or {}, *document.get("contents", ())]:
        for part in content.get("parts", ()):
            if version == "v1":
                _known(part, frozenset(part) - {"media_resolution"}, " at 'contents.parts'")
            if "text" in part:
                read.add_text(part["text"])
            elif "inline_data" in part:
                mime = part["inline_data"].get("mime_type", "")
                if mime not in _MIME_TYPES:
                    raise Refusal(400, f"Unsupported MIME type: {mime}")
                read.add_image(mime, _decoded(part["inline_data"].get("data", "")))
    return read


def _decoded(data: str) -> bytes:
    standard = data.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error as error:
        raise Refusal(
            400, f"Invalid value at 'contents.parts.inline_data.data' (TYPE_BYTES): {error}"
        ) from error
