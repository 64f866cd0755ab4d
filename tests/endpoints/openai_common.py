"""What simulated OpenAI-compatible endpoints have in common: reading a chat completion, writing the reply.

What is peculiar to one of them is in `openai_kinds.py` and `tao_kind.py`; `model.py` answers.
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

_DATA_URL = re.compile(r"data:([^;,]*);base64,", re.ASCII)
_TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")


class OpenAIKind:
    """What OpenAI-compatible endpoints have in common. Subclasses say what is peculiar to each."""

    name = "openai"
    base_path = "/v1"
    generation_paths = ("/v1/chat/completions",)
    default_key = ""
    """Key that is required unless another is configured; "" lets anyone in."""
    default_refuses: frozenset[str] = frozenset()
    default_max_tokens: int | None = None
    enforced_formats = frozenset({"json_schema", "json_object"})
    checks_model = True
    rate_headers = True
    bad_image_status = 400

    def __init__(
        self, model: str, key: str = "", refuses: Iterable[str] | None = None, refusal_status: int = 400
    ):
        """`refuses` names parameters answered with `refusal_status`: `temperature`, `max_tokens`,
        `response_format`, `json_schema`, `json_object`, or any other top-level field."""
        self.model = model
        self.key = key or self.default_key
        self.refuses = self.default_refuses if refuses is None else frozenset(refuses)
        self.refusal_status = refusal_status

    def routes(self) -> list[web.RouteDef]:
        """Routes besides generation."""
        return [
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{model:.+}", self._get_model),
        ]

    def carried_key(self, headers: Mapping[str, str]) -> str:
        return headers.get("Authorization", "").removeprefix("Bearer ").strip()

    def check_key(self, headers: Mapping[str, str]) -> None:
        if self.key and self.carried_key(headers) != self.key:
            raise self.unauthorized()

    def unauthorized(self) -> Refusal:
        return Refusal(401, "Unauthorized", "invalid_api_key")

    def read(self, body: bytes, path: str) -> Ask:
        """Raises `Refusal` for what this endpoint does not take."""
        try:
            document = json.loads(body)
            messages = document["messages"]
            model = document.get("model", "")
        except (ValueError, TypeError, KeyError) as error:
            raise Refusal(
                400, f"request body is not a chat completion: {error!r}", "invalid_request"
            ) from error
        if self.checks_model and model != self.model:
            raise self.unknown_model(model)
        parameters = {name: value for name, value in document.items() if name not in ("messages", "model")}
        self._refuse(parameters)
        limits = [parameters[name] for name in _TOKEN_LIMITS if parameters.get(name) is not None]
        return Ask(
            model=model,
            content=self._content(messages),
            parameters=parameters,
            max_tokens=limits[0] if limits else self.default_max_tokens,
            schema=self._enforced(parameters.get("response_format")),
            thinking_off=_thinking_off(parameters),
        )

    def unknown_model(self, model: str) -> Refusal:
        return Refusal(404, f"The model `{model}` does not exist.", "NotFoundError")

    def _refuse(self, parameters: Mapping[str, Any]) -> None:
        response_format = parameters.get("response_format") or {}
        form = response_format.get("type", "text")
        if form != "text" and self.refuses & {form, "response_format"}:
            raise Refusal(
                self.refusal_status,
                f"Invalid parameter: 'response_format' of type '{form}' is not supported with this model.",
                "unsupported_parameter",
            )
        if "max_tokens" in parameters and "max_tokens" in self.refuses:
            raise Refusal(
                self.refusal_status,
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "unsupported_parameter",
            )
        if "temperature" in self.refuses and parameters.get("temperature", 1) != 1:
            raise Refusal(
                self.refusal_status,
                f"Unsupported value: 'temperature' does not support {parameters['temperature']} with this "
                "model. Only the default (1) value is supported.",
                "unsupported_value",
            )
        for name in sorted(self.refuses - {"max_tokens", "temperature", "response_format"}):
            if name in parameters:
                raise Refusal(
                    self.refusal_status, f"Unrecognized request argument supplied: {name}", "invalid_request"
                )

    def _enforced(self, response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        form = (response_format or {}).get("type", "text")
        if response_format is None or form not in self.enforced_formats:
            return None
        if form == "json_object":
            return {}
        schema = response_format.get("json_schema", {}).get("schema")
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            raise Refusal(
                400, "Invalid schema for response_format: schema must be a JSON Schema of 'type: \"object\"'."
            )
        return schema

    def _content(self, messages: Any) -> Content:
        """What of the messages reaches the model."""
        content = Content()
        for message in messages:
            parts: Any = message.get("content") or ()
            if isinstance(parts, str):
                parts = [{"type": "text", "text": parts}]
            for part in parts:
                if part["type"] == "text":
                    content.add_text(part["text"])
                elif part["type"] == "image_url":
                    content.add_image(*self.decode_image(part["image_url"]["url"]))
        return content

    def decode_image(self, url: str) -> tuple[str, bytes]:
        """(mime, bytes) of a data URL; raises `Refusal`."""
        match = _DATA_URL.match(url)
        if match is None:
            raise Refusal(400, f"cannot fetch image from {url[:80]!r}: this simulator takes data URLs only")
        try:
            return match.group(1), base64.b64decode(url[match.end() :], validate=True)
        except binascii.Error as error:
            raise Refusal(400, f"invalid base64 image: {error}") from error

    def error(self, status: int, message: str, reason: str = "") -> Any:
        """The body of an error, in this endpoint's wording."""
        return {
            "error": {"message": message, "type": reason or "server_error", "param": None, "code": reason}
        }

    def reply(self, ask: Ask, generated: Generated, fault: Fault | None, thinking_in: str) -> Reply:
        """The body for a generated text, `fault` (one that leaves the status at 200) applied."""
        text: str | None = generated.text
        finish, message = generated.finish, {"role": "assistant"}
        match fault:
            case Fault.MALFORMED:
                text = spoiled(generated.text)
            case Fault.TRUNCATED:
                text, finish = generated.text[: len(generated.text) // 2], "length"
            case Fault.TRUNCATED_EMPTY:
                text, finish = None, "length"
            case Fault.EMPTY:
                text = ""
            case Fault.REFUSED:
                text, message = None, {**message, "refusal": "I'm sorry, I can't help with this image."}
            case Fault.CONTENT_FILTER:
                text, finish = "", "content_filter"
            case Fault.ERROR_INSIDE:
                text, finish = "", "error"
        if generated.thinking and thinking_in == "content" and text is not None:
            text = f"<think>\n{generated.thinking}\n</think>\n\n{text}"
        elif generated.thinking:
            message[thinking_in] = generated.thinking
        choice = {
            "index": 0,
            "message": {**message, "content": text},
            "finish_reason": finish,
            "logprobs": None,
        }
        if fault is Fault.ERROR_INSIDE:
            choice["error"] = {"code": 502, "message": "Upstream error: the provider returned nothing."}
        return Reply(
            {
                "id": "chatcmpl-simulated",
                "object": "chat.completion",
                "created": 0,
                "model": ask.model or self.model,
                "choices": [] if fault is Fault.NO_CHOICES else [choice],
                "usage": usage(generated),
            }
        )

    def shape(self, text: str, ask: Ask, seed: int) -> str:
        """What the endpoint makes of the model's text before it is cut to length."""
        return text

    async def _list_models(self, request: web.Request) -> web.Response:
        return self._answer(request, {"object": "list", "data": [self._card()]})

    async def _get_model(self, request: web.Request) -> web.Response:
        wanted = request.match_info["model"]
        unknown = None if wanted == self.model else self.unknown_model(wanted)
        return self._answer(request, self._card(), unknown)

    def _answer(self, request: web.Request, body: Any, refusal: Refusal | None = None) -> web.Response:
        try:
            self.check_key(request.headers)
            if refusal is not None:
                raise refusal
        except Refusal as error:
            body = self.error(error.status, error.message, error.reason)
            return web.json_response(body, status=error.status)
        return web.json_response(body)

    def _card(self) -> dict[str, Any]:
        return {"id": self.model, "object": "model", "created": 0, "owned_by": self.name}


def usage(generated: Generated) -> dict[str, Any]:
    completion = generated.completion_tokens + generated.thinking_tokens
    return {
        "prompt_tokens": generated.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": generated.prompt_tokens + completion,
    }


def _thinking_off(parameters: Mapping[str, Any]) -> bool:
    return (
        (parameters.get("chat_template_kwargs") or {}).get("enable_thinking") is False
        or (parameters.get("thinking") or {}).get("type") == "disabled"
        or parameters.get("reasoning_effort") in ("none", "minimal")
    )
