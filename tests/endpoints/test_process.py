"""The endpoint in a process of its own, and its command line."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from google.genai import errors

from tests.corpus import needs_corpus
from tests.endpoints.clients import gemini_client, varying
from tests.endpoints.process import launched
from tests.endpoints.server import SimulatedEndpoint
from tests.endpoints.service import HEADER


async def posted(url: str, bodies: list[bytes]) -> list[Any]:
    async with aiohttp.ClientSession() as session:

        async def post(body: bytes) -> Any:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                return response.status, response.headers[HEADER], await response.json()

        return list(await asyncio.gather(*map(post, bodies)))


def test_a_cheap_endpoint_in_its_own_process() -> None:
    caption = 'a "red" <caption> base64, box </b>'
    question = varying(caption, ["a red box", "é"])
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + "A" * 250_000}}
    parts = [{"type": "text", "text": f"As in {varying('x')}"}, picture, {"type": "text", "text": question}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode()
    with launched("vllm", "--cheap", "--latency", "0.05", "--family", "qwen3_vl") as endpoint:
        replies = asyncio.run(posted(f"{endpoint.base_url}/chat/completions", [body] * 20))
        stats = endpoint.stats(calls=True, requests=True)
        endpoint.reset()
        endpoint.use_faults({"rules": [{"fault": "server_error", "captions": ["red"]}]})
        failed = asyncio.run(posted(f"{endpoint.base_url}/chat/completions", [body]))
        after = endpoint.stats()
        with pytest.raises(OSError, match="400"):
            endpoint.use_faults({"rules": [{"fault": "no such fault"}]})
    assert {status for status, _, _ in replies} == {200} and "not a real model" in replies[0][1]
    reply = json.loads(replies[0][2]["choices"][0]["message"]["content"])
    assert reply["expressions"] == [
        {"id": f"e{i}", "boxes": [{"bbox_2d": [250, 250, 750, 750]}]} for i in (0, 1)
    ]
    assert stats["total"] == 20 and stats["calls"] == [["1", caption, 20]]
    assert {tuple(r["expressions"]) for r in stats["requests"]} == {("a red box", "é")}
    assert failed[0][0] == 500 and after["total"] == 1 and after["by_fault"] == {"server_error": 1}


@needs_corpus("coco24")
def test_the_command_line_describes_the_same_endpoint() -> None:
    options = "--noise 0.5 --seed 3 --fault rate_limited=1:1 --fail toilet=hang --thinking --key mine"
    quirks = "--quirk refusal_status=422 --refuse response_mime_type"

    async def ask_three_times(port: int) -> tuple[int, int, Any]:
        async with gemini_client(SimulatedEndpoint("gemini", key="mine", port=port, gold=())) as ask:
            with pytest.raises(errors.ClientError) as limited:
                await ask()
            with pytest.raises(errors.ClientError) as refused:
                await ask(response_mime_type="application/json")
            return limited.value.code, refused.value.code, await ask()

    with launched("gemini", *options.split(), *quirks.split()) as endpoint:
        assert endpoint.base_url == endpoint.url and endpoint.key == "mine"
        limited, refused, served = asyncio.run(ask_three_times(int(endpoint.url.rsplit(":", 1)[1])))
    assert (limited, refused) == (429, 422) and "box_2d" in served.text
    assert served.usage_metadata.thoughts_token_count and "[56, 74, 279, 372]" not in served.text


def test_a_command_line_that_makes_no_sense_is_refused() -> None:
    with (
        pytest.raises(RuntimeError, match="no_such_fault"),
        launched("vllm", "--cheap", "--fault", "no_such_fault=1"),
    ):
        raise AssertionError("it started")
