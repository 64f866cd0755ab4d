"""OpenAI-compatible endpoints, simulated: hosted NIM, vLLM, LM Studio and a custom one with plain text only.

Each differs in what it refuses, what it enforces and how it words an error. No model runs here. The TAO
microservice, whose server is of another make, is in `tao_kind.py`.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.endpoints.openai_common import OpenAIKind
from tests.endpoints.wire import Ask, Refusal, roll


class VllmKind(OpenAIKind):
    """vLLM: schemas are honoured; no key unless started with one ("EMPTY" is what clients then send)."""

    name = "vllm"

    def unauthorized(self) -> Refusal:
        return Refusal(401, "Unauthorized", "Unauthorized")

    def error(self, status: int, message: str, reason: str = "") -> Any:
        if status == 401:
            return {"error": message}
        return {
            "error": {"message": message, "type": reason or "BadRequestError", "param": None, "code": status}
        }


class LmStudioKind(OpenAIKind):
    """LM Studio: refuses `json_object`; errors are bare strings; unknown paths answer 200 with an error body."""

    name = "lmstudio"
    default_refuses = frozenset({"json_object"})
    rate_headers = False

    def _refuse(self, parameters: Mapping[str, Any]) -> None:
        if (parameters.get("response_format") or {}).get(
            "type"
        ) == "json_object" and "json_object" in self.refuses:
            raise Refusal(400, "'response_format.type' must be 'json_schema' or 'text'")
        super()._refuse(parameters)

    def error(self, status: int, message: str, reason: str = "") -> Any:
        return {"error": message}

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.route("*", "/{path:(?!_sim/|v1/chat/completions).*}", self._unexpected),
        ]

    async def _unexpected(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"error": f"Unexpected endpoint or method. ({request.method} {request.path})"}
        )


class NimKind(OpenAIKind):
    """Hosted NIM: small inline images only; takes `response_format` and does not keep to it; problem bodies."""

    name = "nim"
    default_key = "nvapi-simulated"
    enforced_formats = frozenset()
    base64_limit = 180_000
    """Characters of one inline image's base64 at which it is refused."""

    def unauthorized(self) -> Refusal:
        return Refusal(401, "Authentication failed", "Unauthorized")

    def unknown_model(self, model: str) -> Refusal:
        return Refusal(404, f"Function '{model}': Not found for account 'simulated'", "Not Found")

    def decode_image(self, url: str) -> tuple[str, bytes]:
        if len(url) - url.find(",") - 1 >= self.base64_limit:
            raise Refusal(
                413, "image is too large for inline data; upload it with the assets API", "Payload Too Large"
            )
        return super().decode_image(url)

    def shape(self, text: str, ask: Ask, seed: int) -> str:
        """Half of the replies come fenced and with a sentence before them, JSON mode or not."""
        if roll(seed, "nim prose", text) < 0.5 and text[:1] in "{[":
            return f"Sure! Here is the JSON you asked for:\n\n```json\n{text}\n```"
        return text

    def error(self, status: int, message: str, reason: str = "") -> Any:
        return {"type": "about:blank", "title": reason or "Error", "status": status, "detail": message}


class CustomKind(OpenAIKind):
    """A gateway with plain text only. On demand it refuses `temperature` and `max_tokens` as well."""

    name = "custom"
    default_key = "sk-simulated"
    default_refuses = frozenset({"response_format"})
