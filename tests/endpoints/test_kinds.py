"""Each kind of endpoint has the quirks of the real one, as the real SDKs meet them."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import numpy as np
import openai
import pytest
from google.genai import errors, types
from PIL import Image

from tests.endpoints.clients import (
    JSON_SCHEMA,
    SCHEMA,
    SQUARE,
    content,
    drawn,
    encoded,
    once,
    openai_client,
    varying,
)
from tests.endpoints.model import Behaviour
from tests.endpoints.server import KindName, SimulatedEndpoint, running

JSON_OBJECT = {"type": "json_object"}
NOISE = encoded(
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (500, 500, 3), np.uint8)), quality=80
)
FIRST_TEXT = [{"type": "text", "text": "Instructions before the image."}]
OPENAI_KINDS: tuple[KindName, ...] = ("nim", "tao", "vllm", "lmstudio", "custom")


def started(kind: KindName, **options: Any) -> Any:
    return running(SimulatedEndpoint(kind, options.pop("family", "qwen3_vl"), gold=(), **options))


def fetched(url: str, key: str = "") -> tuple[int, str, Any]:
    """(status, body, headers) of a plain GET."""

    async def get() -> tuple[int, str, Any]:
        headers = {"Authorization": f"Bearer {key}", "x-goog-api-key": key} if key else {}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
            return response.status, await response.text(), response.headers

    return asyncio.run(get())


@pytest.mark.parametrize("kind", OPENAI_KINDS)
def test_a_plain_request_is_served_and_recorded(kind: KindName) -> None:
    with started(kind) as endpoint:
        reply = once(endpoint, temperature=0.7, max_tokens=900)
        (record,) = endpoint.requests
    assert '"bbox_2d": [74, 56, 372, 279]' in content(reply)
    assert reply.choices[0].finish_reason == "stop" and reply.model == endpoint.model
    assert (reply.usage is None) == (kind == "tao")
    assert (record.status, record.step, record.caption, record.attempt) == (200, "1", "a red box", 1)
    assert (record.model, record.key) == (endpoint.model, endpoint.key or "EMPTY")
    assert (
        record.image_size == (1344, 896) and record.mime == "image/jpeg" and record.image_bytes == len(SQUARE)
    )
    assert record.parameters == {"temperature": 0.7, "max_tokens": 900}
    assert record.parts == ("text", "image", "text") and record.expressions[0] == "the red box"


@pytest.mark.parametrize(
    ("kind", "options", "request_", "status", "says"),
    [
        ("nim", {}, {"client": {"api_key": "wrong"}}, 401, "Authentication failed"),
        ("nim", {}, {"model": "other"}, 404, "Function 'other': Not found for account"),
        ("nim", {}, {"image": NOISE}, 413, "too large"),
        ("tao", {}, {"image": b""}, 500, "internal_error"),
        ("tao", {}, {"image": SQUARE[:50]}, 500, "cannot read the image"),
        ("tao", {"quirks": {"load_error": True}}, {}, 503, "model_load_error"),
        ("tao", {"refuses": ["response_format"]}, {"response_format": JSON_OBJECT}, 400, "response_format"),
        ("vllm", {"key": "token"}, {}, None, ""),
        ("vllm", {"key": "token"}, {"client": {"api_key": "EMPTY"}}, 401, "Unauthorized"),
        ("vllm", {}, {"model": "other"}, 404, "The model `other` does not exist."),
        ("vllm", {}, {"image": SQUARE[:50]}, 400, "cannot read the image"),
        ("vllm", {"family": "qwen2_5_vl"}, {"image": drawn({}, (27, 400))}, 500, "larger than factor:28"),
        ("vllm", {"family": "qwen2_5_vl"}, {"image": drawn({}, (28, 400))}, None, ""),
        ("vllm", {"family": "qwen2_5_vl"}, {"image": drawn({}, (30, 6030))}, 500, "aspect ratio"),
        ("vllm", {}, {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, 400, "object"),
        ("lmstudio", {}, {"response_format": JSON_OBJECT}, 400, "'response_format.type' must be 'json_schema'"),
        ("lmstudio", {}, {"response_format": JSON_SCHEMA}, None, ""),
        ("custom", {}, {"client": {"api_key": "wrong"}}, 401, "Unauthorized"),
        ("custom", {}, {"response_format": JSON_SCHEMA}, 400, "response_format"),
        ("custom", {}, {"response_format": {"type": "text"}}, None, ""),
        ("custom", {"refuses": ["max_tokens"]}, {"max_tokens": 9}, 400, "Use 'max_completion_tokens' instead"),
        ("custom", {"refuses": ["max_tokens"]}, {"max_completion_tokens": 900}, None, ""),
        ("custom", {"refuses": ["temperature"]}, {"temperature": 0.3}, 400, "'temperature' does not support 0.3"),
        ("custom", {"refuses": ["temperature"]}, {"temperature": 1}, None, ""),
        ("custom", {"refuses": ["seed"]}, {"seed": 1}, 400, "seed"),
    ],
)  # fmt: skip
def test_what_openai_kinds_refuse(
    kind: KindName, options: Any, request_: Any, status: int | None, says: str
) -> None:
    with started(kind, **options) as endpoint:
        if status is None:
            assert content(once(endpoint, **request_))
        else:
            with pytest.raises(openai.APIStatusError) as caught:
                once(endpoint, **request_)
            assert caught.value.status_code == status and says in caught.value.response.text
        assert [r.status for r in endpoint.requests] == [status or 200]


def test_nim_does_not_keep_to_json_mode() -> None:
    async def ask(endpoint: SimulatedEndpoint) -> list[str]:
        async with openai_client(endpoint) as ask:
            questions = [varying(f"a red box number {i}") for i in range(40)]
            return [content(await ask(q, response_format=JSON_OBJECT)) for q in questions]

    with started("nim", family="cosmos_reason2") as endpoint:
        replies = asyncio.run(ask(endpoint))
    assert {reply[0] for reply in replies} == {"S", "{"}
    assert all(
        "number" in json.loads(re.findall(r"\{.*\}", r, re.DOTALL)[0])["cleaned_caption"] for r in replies
    )


def test_tao_readiness_and_202() -> None:
    with started("tao", quirks={"starting": 4}) as endpoint:
        url = f"{endpoint.url}/api/v1/health/readiness"
        polls = [fetched(url) for _ in range(3)]
        accepted = once(endpoint)
        ready = fetched(url)
        served = once(endpoint)
        missing = fetched(f"{endpoint.base_url}/models")
    assert [status for status, _, _ in polls] == [202] * 3
    assert [json.loads(body)["error"]["type"] for _, body, _ in polls[1:]] == [
        "server_initializing",
        "model_loading",
    ]
    assert accepted.choices is None and accepted.error["type"] == "model_loading"
    assert ready[0] == 200 and content(served) and missing[0] == 404
    with started("tao", quirks={"starting": 1, "readiness_503": True}) as endpoint:
        status, body, _ = fetched(f"{endpoint.url}/api/v1/health/readiness")
    assert status == 503 and json.loads(body)["reason"] == "server_initializing"


def test_tao_passes_on_the_last_text_alone_and_cuts_silently() -> None:
    many = varying("boxes", [f"the red box {i}" for i in range(200)])
    with started("tao") as endpoint:
        lost = once(endpoint, before=FIRST_TEXT)
        cut = once(endpoint, many)
        whole = once(endpoint, many, max_tokens=9000, model="ignored", response_format=JSON_OBJECT)
    assert "The picture shows" in content(lost) and "Instructions" not in endpoint.requests[0].text
    assert cut.choices[0].finish_reason == "stop" and len(content(cut)) == 4 * 1024
    assert content(whole).endswith("}\n```") and whole.model == endpoint.model


def test_a_token_limit_cuts_with_finish_reason_length() -> None:
    with started("vllm", behaviour=Behaviour(thinking=True, thinking_in="reasoning_content")) as endpoint:
        whole = once(endpoint)
        cut = once(endpoint, max_tokens=whole.usage.completion_tokens - 10)
        none_left = once(endpoint, max_completion_tokens=10)
    assert cut.choices[0].finish_reason == "length"
    assert content(whole).startswith(content(cut)) and 30 < len(content(whole)) - len(content(cut)) <= 40
    assert "first guess" in cut.choices[0].message.reasoning_content and content(none_left) == ""


def test_schemas_name_the_key() -> None:
    with started("lmstudio", family="gemma") as endpoint:
        assert '"my_box": [56, 74, 279, 372], "score"' in content(once(endpoint, response_format=JSON_SCHEMA))


@pytest.mark.parametrize("kind", ["nim", "vllm", "lmstudio", "custom"])
def test_models_are_listed_for_those_with_a_key(kind: KindName) -> None:
    async def ask(endpoint: SimulatedEndpoint, key: str) -> tuple[list[str], str]:
        async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=key, max_retries=0) as client:
            listed = [model.id async for model in client.models.list()]
            return listed, (await client.models.retrieve(endpoint.model)).id

    with started(kind, key="right") as endpoint:
        assert asyncio.run(ask(endpoint, "right")) == ([endpoint.model], endpoint.model)
        with pytest.raises(openai.AuthenticationError):
            asyncio.run(ask(endpoint, "wrong"))
        status, _, headers = fetched(f"{endpoint.base_url}/models/other", "right")
    assert status == 404 and headers["x-simulated-endpoint"].startswith(f"{kind}; family=qwen3_vl")


def test_lmstudio_answers_200_where_there_is_nothing() -> None:
    with started("lmstudio") as endpoint:
        status, body, _ = fetched(f"{endpoint.url}/models")
    assert status == 200 and "Unexpected endpoint or method. (GET /models)" in body


def test_rate_limit_headers() -> None:
    async def ask(endpoint: SimulatedEndpoint) -> Any:
        url = f"{endpoint.base_url}/chat/completions"
        async with aiohttp.ClientSession() as session, session.post(url, data=b"{}") as response:
            return response.headers

    with started("custom") as custom, started("lmstudio") as lmstudio:
        assert asyncio.run(ask(custom))["x-ratelimit-limit-requests"] == "1000"
        assert "x-ratelimit-limit-requests" not in asyncio.run(ask(lmstudio))


PER_IMAGE = {
    "media_resolution": types.PartMediaResolution(level=types.PartMediaResolutionLevel.MEDIA_RESOLUTION_HIGH)
}
NO_THINKING = types.ThinkingConfig(thinking_budget=0)
MINIMAL = types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL)


@pytest.mark.parametrize(
    ("options", "request_", "status", "says"),
    [
        ({}, {"client": {"api_key": "wrong"}}, 400, "API_KEY_INVALID"),
        ({}, {"model": "gemini-other"}, 404, "models/gemini-other is not found for API version v1"),
        ({}, {"mime_type": "image/gif"}, 400, "Unsupported MIME type: image/gif"),
        ({}, {"image": SQUARE[:50]}, 400, "cannot read the image"),
        ({}, {"response_json_schema": SCHEMA}, 400, "mime type 'text/plain' is unsupported"),
        ({}, {"part": PER_IMAGE}, 400, "media_resolution"),
        ({}, {"part": PER_IMAGE, "client": {"api_version": "v1beta"}}, None, "box_2d"),
        ({}, {"thinking_config": NO_THINKING}, None, "box_2d"),
        ({}, {"thinking_config": MINIMAL, "media_resolution": "MEDIA_RESOLUTION_HIGH"}, None, "box_2d"),
        ({"model": "gemini-2.5-pro"}, {"thinking_config": NO_THINKING}, 400, "only works in thinking mode"),
        ({"model": "gemini-2.5-flash"}, {"thinking_config": MINIMAL}, 400, "not supported for this model"),
        ({"refuses": ["thinking_budget"]}, {"thinking_config": NO_THINKING}, 400, "Budget 0 is invalid"),
        ({"refuses": ["response_mime_type"]}, {"response_mime_type": "application/json"}, 400, "JSON mode"),
        ({}, {"response_mime_type": "application/json", "response_json_schema": SCHEMA}, None, '"my_box"'),
    ],
)
def test_what_gemini_refuses(options: Any, request_: Any, status: int | None, says: str) -> None:
    with started("gemini", family="gemini", **options) as endpoint:
        if status is None:
            assert says in content(once(endpoint, **request_))
        else:
            with pytest.raises(errors.ClientError) as caught:
                once(endpoint, **request_)
            assert caught.value.code == status and says in str(caught.value)


def test_gemini_records_and_counts_tokens() -> None:
    with started("gemini", family="gemini", behaviour=Behaviour(thinking=True)) as endpoint:
        reply = once(
            endpoint,
            temperature=0.3,
            media_resolution="MEDIA_RESOLUTION_HIGH",
            thinking_config={"include_thoughts": True},
        )
        used, record = reply.usage_metadata, endpoint.requests[0]
        written = used.candidates_token_count + used.thoughts_token_count
        cut, empty = once(endpoint, max_output_tokens=written - 10), once(endpoint, max_output_tokens=20)
    assert used.thoughts_token_count > 20 and used.total_token_count == sum(
        (used.prompt_token_count, used.candidates_token_count, used.thoughts_token_count)
    )
    assert reply.candidates[0].content.parts[0].thought and '"box_2d": [56, 74, 279, 372]' in content(reply)
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS and cut.text
    assert (
        empty.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
        and empty.candidates[0].content is None
    )
    assert (
        record.parameters["media_resolution"] == "MEDIA_RESOLUTION_HIGH"
        and record.parameters["temperature"] == 0.3
    )
    assert record.parts == ("text", "image", "text") and record.image_size == (1344, 896)


def test_gemini_models() -> None:
    with started("gemini", family="gemini") as endpoint:
        status, body, _ = fetched(f"{endpoint.url}/v1beta/models/{endpoint.model}", endpoint.key)
        listed = fetched(f"{endpoint.url}/v1/models", endpoint.key)
        refused = fetched(f"{endpoint.url}/v1/models")
    assert status == 200 and json.loads(body)["name"] == f"models/{endpoint.model}"
    assert len(json.loads(listed[1])["models"]) == 1 and refused[0] == 403
