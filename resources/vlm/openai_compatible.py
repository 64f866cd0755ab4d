"""Any endpoint that speaks OpenAI's chat completions: NIM, TAO microservice, vLLM, LM Studio, custom."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from grounding_assets.core.annotation.calls import Finish, ModelReply, ModelRequest
from grounding_assets.core.budget.account import Account
from resources.vlm import openai_environment
from resources.vlm.client import IMAGE_PLACEHOLDER, EndpointClient, NoAnswer, token_count, without_path
from resources.vlm.keys import Scrubber, header_key
from resources.vlm.manners import Manners, Teachable
from resources.vlm.transport import Transport
from resources.vlm.untyped import as_dict, dicts_in, first_of

_CUT = re.compile(r"length|max_?\w*token|token_?limit|context_window|truncat|error_limit")
_REFUSED = re.compile(r"content_?filter|safety|sensitive|refus|moderat|block|prohibit|recitation|spii|guardrail|polic|violat|toxic|"
                      r"censor|unsafe|flagged")  # fmt: skip
_BROKEN = re.compile(
    r"error|abort|cancel|fail|time(d_)?_?out|network|insufficient|interrupt|overload|unavailable|deadline|time_limit|crash"
)
"""In finish reasons, in lower case: what endpoints and gateways call a refusal, a cut, and trouble of their own, in this order."""


class OpenAiClient(EndpointClient):
    """Sends one chat completion with an inline image. Create it inside the event loop that uses it."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str,
        timeout_s: float,
        manners: Manners | None = None,
        section: str = "image_grounding.vlm",
        account: Account | None = None,
    ):
        """`section` of the spec is named in messages; `account` is asked before each request."""
        setting = f"{section}.openai"
        api_key = header_key(api_key, f"{setting}.api_key or OPENAI_API_KEY")
        scrub = Scrubber(api_key)
        where = openai_environment.address(base_url)
        dialect = ChatCompletions(base_url or where, setting, model, manners or Manners())
        transport = Transport(
            f"{where}/chat/completions",
            openai_environment.headers(api_key),
            where=base_url or where,
            setting=setting,
            timeout_s=timeout_s,
            scrub=scrub,
        )
        super().__init__(dialect, transport, scrub, f"{where}/models", account)
        self.may_lack_v1 = without_path(where)
        if base_url:
            parts = urlsplit(where)
            self.readiness_url = f"{parts.scheme}://{parts.netloc}/api/v1/health/readiness"


class ChatCompletions:
    """See `client.Dialect`."""

    key_variable = "OPENAI_API_KEY"

    def __init__(self, where: str, setting: str, model: str, manners: Manners):
        self.where, self.setting, self.model = where, setting, model
        self.model_setting = f"{setting}.model_name"
        self.teachable = Teachable(manners, ("max_tokens", "max_completion_tokens"))

    def fields(self, request: ModelRequest, manners: Manners) -> dict[str, Any]:
        limits = {"max_tokens": manners.capped(request.max_tokens), "temperature": request.temperature}
        return manners.adapt({**limits, **request.extra})

    def body(self, request: ModelRequest, manners: Manners, fields: Mapping[str, Any]) -> dict[str, Any]:
        url = f"data:{request.image.mime_type};base64,{IMAGE_PLACEHOLDER}"
        image = {"type": "image_url", "image_url": {"url": url}}
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                *([{"role": "system", "content": request.instructions}] if request.instructions else []),
                {"role": "user", "content": [image, {"type": "text", "text": request.text}]},
            ],
            **fields,
        }
        level = manners.level_of(request.schema)
        if level == "json_schema":
            schema = {"name": "reply", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif level == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def read(self, document: Any) -> ModelReply:
        choice = first_of(as_dict(document).get("choices")) or {}
        if choice.get("error"):
            raise NoAnswer({"error": choice["error"]})
        message = choice.get("message")
        if not isinstance(message, dict):
            raise NoAnswer(document)
        detail = str(choice.get("finish_reason") or "")[:100]
        finish = finish_of(detail)
        if finish is None:
            raise NoAnswer(document, f"{self.where} broke off ({detail}).")
        text, thought = _text(message)
        usage = as_dict(document.get("usage"))
        tokens_in = token_count(usage.get("prompt_tokens"))
        tokens_out = token_count(usage.get("completion_tokens"))
        refusal = message.get("refusal") or _refusal_part(message.get("content"))
        if isinstance(refusal, str) and refusal:
            text, finish, detail = refusal, Finish.REFUSED, "refusal"
        elsewhere = ""
        if thought and not text.strip():
            elsewhere = (
                f"The reply is empty: all that the model wrote stands in {thought}, where the server's reasoning parser "
                "put it. Switch thinking or that parser off on the server."
            )
        return ModelReply(
            text,
            finish,
            tokens_in or 0,
            tokens_out or 0,
            detail=detail,
            thinking=bool(thought) or "</think>" in text,
            tokens_cached=token_count(as_dict(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0,
            counted=tokens_in is not None and tokens_out is not None,
            remark=elsewhere,
        )


def finish_of(reason: str) -> Finish | None:
    """What a finish reason means, whoever's word it is; None for trouble of the endpoint's own."""
    how = reason.lower().replace("-", "_").replace(" ", "_")
    if _REFUSED.search(how):
        return Finish.REFUSED
    if _CUT.search(how):
        return Finish.LENGTH
    return None if _BROKEN.search(how) else Finish.COMPLETE


def _text(message: Mapping[str, Any]) -> tuple[str, str]:
    """(the model's text, the name of the field that holds its thoughts or "")."""
    content = message.get("content")
    thought = next((name for name in ("reasoning_content", "reasoning", "thinking") if message.get(name)), "")
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list):
        if any(part.get("type") in ("thinking", "reasoning") for part in dicts_in(content)):
            thought = thought or "a thinking part"
        content = "".join(_texts(content))
    text = content if isinstance(content, str) else ""
    return text if text.strip() else _arguments(message) or text, thought


def _refusal_part(content: Any) -> Any:
    """What stands in a part of the content that refuses."""
    return next((part.get("refusal") for part in dicts_in(content) if part.get("type") == "refusal"), None)


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"):
            text = part.get("text")
            # OpenAI's assistants nest it once more
            text = text.get("value") if isinstance(text, dict) else text
            yield text if isinstance(text, str) else ""


def _arguments(message: Mapping[str, Any]) -> str:
    """What stands in the first tool call: a model that was given a schema may take it for a function's."""
    call = first_of(message.get("tool_calls"))
    function = message.get("function_call") if call is None else call.get("function")
    arguments = as_dict(function).get("arguments", "")
    if isinstance(arguments, dict):
        return json.dumps(arguments)
    return arguments if isinstance(arguments, str) else ""
