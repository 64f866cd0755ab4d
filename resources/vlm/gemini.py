"""Google's Gemini API, by its REST form."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from grounding_assets.core.annotation.calls import Finish, ModelReply, ModelRequest
from grounding_assets.core.budget.account import Account
from resources.vlm.client import IMAGE_PLACEHOLDER, EndpointClient, NoAnswer, token_count
from resources.vlm.keys import Scrubber, header_key
from resources.vlm.manners import Manners, Teachable
from resources.vlm.transport import Transport
from resources.vlm.untyped import as_dict, dicts_in, first_of

_ADDRESS = "https://generativelanguage.googleapis.com"
VERSION = "v1beta"
"""media_resolution and thinking levels are fields of v1beta."""
_REFUSALS = ("SAFETY", "RECITATION", "SPII", "PROHIBITED_CONTENT", "BLOCKLIST", "IMAGE_SAFETY", "LANGUAGE",
             "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION")  # fmt: skip
_FINISHES = {"MAX_TOKENS": Finish.LENGTH, **dict.fromkeys(_REFUSALS, Finish.REFUSED)}
_SPOKEN_OF_AS = {
    "systemInstruction": re.compile(r"(developer|system)[ _]?instruction"),
    "mediaResolution": re.compile(r"media[ _]?resolution"),
    "thinkingConfig": re.compile(r"thinking|\bbudget\b"),
    "maxOutputTokens": re.compile(r"max_?output_?tokens"),
}


class GeminiClient(EndpointClient):
    """Sends one `generateContent` with an inline image. Create it inside the event loop that uses it."""

    def __init__(
        self,
        *,
        model: str,
        api_key: str,
        media_resolution: str,
        timeout_s: float,
        base_url: str = "",
        manners: Manners | None = None,
        section: str = "image_grounding.vlm",
        account: Account | None = None,
    ):
        """`section` of the spec is named in messages; `account` is asked before each request."""
        setting = f"{section}.gemini"
        api_key = header_key(api_key, f"{setting}.api_key or GOOGLE_API_KEY")
        scrub, where = Scrubber(api_key), base_url or "the Gemini API"
        path = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        root = f"{(base_url or _ADDRESS).rstrip('/')}/{VERSION}"
        transport = Transport(
            f"{root}/{quote(path)}:generateContent",
            {"x-goog-api-key": api_key, "Content-Type": "application/json"},
            where=where,
            setting=setting,
            timeout_s=timeout_s,
            scrub=scrub,
        )
        dialect = GenerateContent(where, setting, model, media_resolution, manners or Manners())
        super().__init__(dialect, transport, scrub, f"{root}/models?pageSize=1000", account)


class GenerateContent:
    """See `client.Dialect`."""

    key_variable = "GOOGLE_API_KEY"

    def __init__(self, where: str, setting: str, model: str, media_resolution: str, manners: Manners):
        self.where, self.setting, self.model = where, setting, model
        self.model_setting = f"{setting}.model"
        self._media_resolution = media_resolution
        self._thinking = thinking_off(model)
        self.teachable = Teachable(manners, ("maxOutputTokens",), _SPOKEN_OF_AS)

    def fields(self, request: ModelRequest, manners: Manners) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "systemInstruction": request.instructions,
            "temperature": request.temperature,
            "maxOutputTokens": manners.capped(request.max_tokens),
            "mediaResolution": self._media_resolution,
        }
        return manners.adapt(fields | ({"thinkingConfig": self._thinking} if self._thinking else {}))

    def body(self, request: ModelRequest, manners: Manners, fields: Mapping[str, Any]) -> dict[str, Any]:
        config = dict(fields)
        instructions = config.pop("systemInstruction", None)
        image = {"inlineData": {"mimeType": request.image.mime_type, "data": IMAGE_PLACEHOLDER}}
        parts: list[dict[str, Any]] = [image, {"text": request.text}]
        body: dict[str, Any] = {"generationConfig": config}
        if instructions is None:
            parts.insert(0, {"text": request.instructions})
        else:
            body["systemInstruction"] = {"parts": [{"text": instructions}]}
        level = manners.level_of(request.schema)
        if level != "plain":
            config["responseMimeType"] = "application/json"
        if level == "json_schema":
            config["responseJsonSchema"] = request.schema
        return {"contents": [{"role": "user", "parts": parts}], **body}

    def read(self, document: Any) -> ModelReply:
        if not isinstance(document, dict):
            raise NoAnswer(document)
        usage = as_dict(document.get("usageMetadata"))
        tokens_in = token_count(usage.get("promptTokenCount"))
        written, thought = (
            token_count(usage.get(name, 0)) for name in ("candidatesTokenCount", "thoughtsTokenCount")
        )
        counts = tokens_in or 0, (written or 0) + (thought or 0)
        counted = None not in (tokens_in, written, thought)
        cached = token_count(usage.get("cachedContentTokenCount")) or 0
        candidate = first_of(document.get("candidates"))
        if candidate is None:
            blocked = as_dict(document.get("promptFeedback")).get("blockReason")
            if not blocked:
                raise NoAnswer(document)
            return ModelReply(
                "", Finish.REFUSED, *counts, detail=str(blocked)[:100], counted=counted, tokens_cached=cached
            )
        parts = dicts_in(as_dict(candidate.get("content")).get("parts"))
        texts = [
            part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought")
        ]
        detail = str(candidate.get("finishReason") or "")[:100]
        thinking = bool(thought or any(part.get("thought") for part in parts))
        return ModelReply(
            "".join(texts),
            _FINISHES.get(detail, Finish.COMPLETE),
            *counts,
            detail=detail,
            thinking=thinking,
            counted=counted,
            tokens_cached=cached,
        )


def thinking_off(model: str) -> dict[str, Any] | None:
    """The least thinking a model allows: it adds latency and no better boxes (Google's own advice).

    2.5 Flash takes a budget of 0, 3.x a minimal level; Pro models cannot switch it off.
    """
    name = model.lower()
    if "pro" in name:
        return None
    if "2.5" in name:
        return {"thinkingBudget": 0}
    if "gemini-3" in name:
        return {"thinkingLevel": "MINIMAL"}
    return None
