"""CPU of one call with an image of 190 kB, from one process: this project's client beside its peers in the same run.

    python -m bench.request_path [calls]

The endpoint simulates nothing but an answer, in a process of its own whose CPU is not counted. Each client
keeps 16 requests in flight; the best of three rounds counts, since other work on the machine only adds.
"""

import asyncio
import base64
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from openai import AsyncOpenAI, DefaultAioHttpClient

from bench.throughput import write_images
from grounding_assets.core.annotation.calls import ModelRequest
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import PreparedImage, prepare_image
from resources.vlm.openai_compatible import OpenAiClient
from tests.endpoints.process import RemoteEndpoint, launched

IN_FLIGHT, ROUNDS = 16, 3
Ask = Callable[[], Awaitable[object]]


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name:
        write_images(Path(name))
        image = prepare_image(Path(name) / "0.jpg", ImagePolicy())
    with launched("vllm", "--cheap", "--keep-requests", "1") as endpoint:
        asyncio.run(compare(endpoint, image, calls))


async def compare(endpoint: RemoteEndpoint, image: PreparedImage, calls: int) -> None:
    clients = {
        "AsyncOpenAI, its default transport": sdk(endpoint, image, aiohttp_transport=False),
        "AsyncOpenAI, its aiohttp transport": sdk(endpoint, image, aiohttp_transport=True),
        "bare aiohttp": bare(endpoint, image),
        "this project": ours(endpoint, image),
    }
    print("| client | CPU ms a call | calls/s |\n|---|---|---|")
    for name, opened in clients.items():
        async with opened as ask:
            rounds = [await measure(ask, calls) for _ in range(ROUNDS)]
        print(f"| {name} | {min(cpu for cpu, _ in rounds):.2f} | {max(rate for _, rate in rounds):.0f} |")


async def measure(ask: Ask, calls: int) -> tuple[float, float]:
    """(CPU ms a call, calls a second)."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await ask()

    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return (time.process_time() - cpu) / calls * 1000, calls / (time.perf_counter() - begun)


def messages(image: PreparedImage) -> list[dict[str, object]]:
    url = f"data:image/jpeg;base64,{base64.b64encode(image.encoded).decode()}"
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, TEXT]}]


TEXT = {"type": "text", "text": "<caption>A red car.</caption>"}


@asynccontextmanager
async def sdk(
    endpoint: RemoteEndpoint, image: PreparedImage, *, aiohttp_transport: bool
) -> AsyncIterator[Ask]:
    http_client = DefaultAioHttpClient() if aiohttp_transport else None
    asked = messages(image)
    async with AsyncOpenAI(
        base_url=endpoint.base_url, api_key="EMPTY", max_retries=0, http_client=http_client
    ) as client:
        yield lambda: client.chat.completions.create(model=endpoint.model, messages=asked, max_tokens=99)  # pyright: ignore[reportArgumentType]


@asynccontextmanager
async def bare(endpoint: RemoteEndpoint, image: PreparedImage) -> AsyncIterator[Ask]:
    asked, headers = messages(image), {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:

        async def ask() -> object:
            body = json.dumps({"model": endpoint.model, "messages": asked, "max_tokens": 99}).encode()
            url = f"{endpoint.base_url}/chat/completions"
            async with session.post(url, data=body, headers=headers) as response:
                return json.loads(await response.read())

        yield ask


@asynccontextmanager
async def ours(endpoint: RemoteEndpoint, image: PreparedImage) -> AsyncIterator[Ask]:
    client = OpenAiClient(base_url=endpoint.base_url, model=endpoint.model, api_key="", timeout_s=60)
    request = ModelRequest("", image, str(TEXT["text"]), None, 99, 0.0, {})
    yield lambda: client.complete(request)
    await client.aclose()


if __name__ == "__main__":
    main()
