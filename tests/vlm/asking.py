"""One request of either kind of client to a server of a test, and good replies of either API."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from grounding_assets.core.annotation.calls import CallError, ModelReply, ModelRequest
from grounding_assets.core.images.prepared_image import PreparedImage
from resources.vlm.client import EndpointClient
from resources.vlm.gemini import GeminiClient
from resources.vlm.manners import Manners
from resources.vlm.openai_compatible import OpenAiClient
from tests.vlm.raw_server import raw_server

KEY = "sk-0123456789-of-nobody"
TEXT = '{"boxes": []}'
PICTURE = b"UGljdHVyZQ=="
SCHEMA = {"type": "object", "properties": {"boxes": {"type": "array", "minItems": 0}}, "required": ["boxes"]}
REQUEST = ModelRequest(
    "be brief",
    PreparedImage(PICTURE, "image/jpeg", (1, 1), (1, 1), "", True),
    "<caption>a man at a counter</caption>",
    SCHEMA,
    4096,
    0.7,
    {"chat_template_kwargs": {"enable_thinking": False}},
)


def request(caption: str = "", **changes: Any) -> ModelRequest:
    return replace(REQUEST, **({"text": f"<caption>{caption}</caption>"} if caption else {}), **changes)


def openai_client(url: str, timeout_s: float = 20, key: str = KEY, **manners: Any) -> OpenAiClient:
    return OpenAiClient(base_url=url, model="m", api_key=key, timeout_s=timeout_s, manners=Manners(**manners))


def gemini_client(
    url: str, timeout_s: float = 20, model: str = "gemini-2.5-flash", **manners: Any
) -> GeminiClient:
    return GeminiClient(
        model=model,
        api_key=KEY,
        media_resolution="MEDIA_RESOLUTION_HIGH",
        timeout_s=timeout_s,
        base_url=url,
        manners=Manners(**manners),
    )


def asked(client: Callable[[], EndpointClient], *requests: ModelRequest) -> list[ModelReply | CallError]:
    """The outcome of each, one after the other, with one client."""

    async def run() -> list[ModelReply | CallError]:
        one, outcomes = client(), []
        try:
            for request in requests or (REQUEST,):
                try:
                    outcomes.append(await one.complete(request))
                except CallError as error:
                    outcomes.append(error)
            return outcomes
        finally:
            await one.aclose()

    return asyncio.run(run())


def chat(
    content: Any = TEXT, finish: str | None = "stop", usage: Any = None, **message: Any
) -> dict[str, Any]:
    """A chat completion; `message` holds more fields of the message."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3} if usage is None else usage
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish,
    }
    return {"choices": [choice], "usage": usage}


def generated(text: str = TEXT, finish: str = "STOP") -> dict[str, Any]:
    """A reply of the Gemini API."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}
    return {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3}}


def packed(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def names(bodies: Sequence[Any], path: Sequence[str] = ()) -> list[set[str]]:
    """The fields at a place of each body that was sent."""
    found = []
    for body in bodies:
        for name in path:
            body = body.get(name, {})
        found.append(set(body))
    return found


def outcome(status: int, document: Any, *, gemini: bool = False, caption: str = "", **headers: str) -> Any:
    """Of one request that is answered in this way as often as it is asked."""
    make = gemini_client if gemini else openai_client
    answer = status, {name.replace("_", "-"): value for name, value in headers.items()}, packed(document)
    with raw_server(lambda arrived, handler: answer) as server:
        return asked(
            lambda: make(server.url if gemini else f"{server.url}/v1"), request(caption, schema=None)
        )[0]
