"""Asks a simulated endpoint through the real SDKs, in the form of the project's prompt contract.

For tests of the simulators themselves; the project's own client is tested by what it sends.
"""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import openai
from google import genai
from google.genai import types
from PIL import Image, ImageDraw

from tests.endpoints.server import SimulatedEndpoint

SCHEMA = {
    "type": "object",
    "properties": {"expressions": {"type": "array", "items": {"type": "object", "properties": {
        "id": {"type": "string"},
        "boxes": {"type": "array", "items": {"type": "object", "properties": {
            "my_box": {"type": "array", "items": {"type": "number"}}, "score": {"type": "number"}}}},
    }}}},
}  # fmt: skip
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "boxes", "schema": SCHEMA}}


def drawn(
    colours: dict[str, tuple[int, int, int, int]], size: tuple[int, int] = (1344, 896), **save: Any
) -> bytes:
    image = Image.new("RGB", size, "white")
    for colour, box in colours.items():
        ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)
    return encoded(image, **save)


def encoded(image: Image.Image, form: str = "JPEG", **save: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **save)
    return out.getvalue()


def escaped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def varying(caption: str, expressions: list[str] | None = None) -> str:
    text = f"<caption>{escaped(caption)}</caption>"
    if expressions is None:
        return text
    rows = [{"id": f"e{i}", "text": expression} for i, expression in enumerate(expressions)]
    return f"{text}\n<expressions>{escaped(rows)}</expressions>"


SQUARE = drawn({"red": (100, 50, 500, 250), "blue": (700, 400, 900, 800)})
RED_AND_BLUE = varying("a red box", ["the red box", "the blue circle", "the green one", "the box"])


Ask = Callable[..., Coroutine[Any, Any, Any]]


@asynccontextmanager
async def openai_client(
    endpoint: SimulatedEndpoint, *, timeout: float = 20, api_key: str = ""
) -> AsyncIterator[Ask]:
    """AsyncOpenAI on its aiohttp transport, as the project uses it."""
    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=api_key or endpoint.key or "EMPTY",
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAioHttpClient(verify=False),
    ) as client:

        async def ask(text: str = RED_AND_BLUE, image: bytes = SQUARE, before: Any = (), **more: Any) -> Any:
            url = f"data:image/jpeg;base64,{base64.b64encode(image).decode()}"
            parts = [{"type": "image_url", "image_url": {"url": url}}] if image else []
            user = {"role": "user", "content": [*before, *parts, {"type": "text", "text": text}]}
            system = {"role": "system", "content": "Find the boxes."}
            arguments: dict[str, Any] = {"model": endpoint.model, "messages": [system, user], **more}
            return await client.chat.completions.create(**arguments)

        yield ask


@asynccontextmanager
async def gemini_client(
    endpoint: SimulatedEndpoint, *, timeout: float = 20, api_key: str = "", api_version: str | None = None
) -> AsyncIterator[Ask]:
    """google-genai's async client; `api_version` None leaves it to the SDK."""
    options = types.HttpOptions(
        base_url=endpoint.url,
        timeout=int(timeout * 1000),
        api_version=api_version,
        # Without options of its own the SDK sends once more after a lost connection, 1-10 s later.
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    async with genai.Client(api_key=api_key or endpoint.key, http_options=options).aio as client:

        async def ask(text: str = RED_AND_BLUE, image: bytes = SQUARE, part: Any = (), **more: Any) -> Any:
            mime_type, model = more.pop("mime_type", "image/jpeg"), more.pop("model", endpoint.model)
            picture = types.Part(inline_data=types.Blob(data=image, mime_type=mime_type), **dict(part))
            config = types.GenerateContentConfig(system_instruction="Find the boxes.", **more)
            parts = types.UserContent([picture, types.Part.from_text(text=text)])
            return await client.models.generate_content(model=model, contents=parts, config=config)

        yield ask


def once(endpoint: SimulatedEndpoint, *args: Any, client: dict[str, Any] | None = None, **more: Any) -> Any:
    """The reply to one request through the kind's SDK; raises what the SDK raises."""

    async def run() -> Any:
        of_kind = gemini_client if endpoint.kind.name == "gemini" else openai_client
        async with of_kind(endpoint, **(client or {})) as ask:
            return await ask(*args, **more)

    return asyncio.run(run())


def content(reply: Any) -> str:
    text = (
        reply.text if isinstance(reply, types.GenerateContentResponse) else reply.choices[0].message.content
    )
    assert isinstance(text, str)
    return text
