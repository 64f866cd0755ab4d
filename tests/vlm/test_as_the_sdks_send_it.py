"""Our requests beside those of the makers' own SDKs, at the same server: path, headers and body are the same."""

import base64
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from google import genai
from google.genai import types
from openai import OpenAI

from grounding_assets.core.annotation.calls import ModelRequest
from resources.vlm import openai_environment
from tests.vlm.asking import (
    KEY,
    REQUEST,
    SCHEMA,
    asked,
    chat,
    gemini_client,
    generated,
    openai_client,
    packed,
)
from tests.vlm.raw_server import Arrived, raw_server

PICTURE = bytes(range(256))
"""Its base64 needs the letters in which the two alphabets differ."""
_OF_THE_CONNECTION = {
    "host",
    "connection",
    "content-length",
    "accept-encoding",
    "accept",
    "user-agent",
    "x-goog-api-client",
}
"""Headers that say who sends and how, beside those that begin with x-stainless: the SDK's version and platform."""


def with_picture(schema: Mapping[str, Any] | None) -> ModelRequest:
    return replace(REQUEST, image=replace(REQUEST.image, base64=base64.b64encode(PICTURE)), schema=schema)


def telling(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name not in _OF_THE_CONNECTION and not name.startswith("x-stainless")
    }


def same(ours: Arrived, theirs: Arrived) -> None:
    assert ours.path == theirs.path
    assert telling(ours.headers) == telling(theirs.headers)
    assert any(KEY in value for value in telling(ours.headers).values())
    assert ours.body == theirs.body


@pytest.mark.parametrize("environment", [
    {}, {"OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}, {"OPENAI_CUSTOM_HEADERS": "X-Team: photos"},
])  # fmt: skip
@pytest.mark.parametrize("path", ["", "/", "/v1", "/api/openai/"])
@pytest.mark.parametrize("schema", [SCHEMA, None])
def test_openai(schema: Any, path: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    request = with_picture(schema)
    with raw_server(lambda arrived, handler: (200, {}, packed(chat()))) as server:
        asked(lambda: openai_client(server.url + path), request)
        image = f"data:image/jpeg;base64,{request.image.base64.decode()}"
        form: Any = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        }
        with OpenAI(base_url=server.url + path, api_key=KEY) as sdk:
            sdk.chat.completions.create(
                model="m",
                messages=[
                    {"role": "system", "content": request.instructions},
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": image}},
                            {"type": "text", "text": request.text},
                        ],
                    },
                ],
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                extra_body=dict(request.extra),
                **({"response_format": form} if schema else {}),
            )
    same(*server.arrived)


@pytest.mark.parametrize("variable", [None, "http://gateway.test/v1", "http://gateway.test/"])
def test_the_address_is_that_of_the_sdks_variable(
    variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    if variable is not None:
        monkeypatch.setenv("OPENAI_BASE_URL", variable)
    with OpenAI(api_key=KEY) as sdk:
        assert openai_environment.address("") == str(sdk.base_url).rstrip("/")


def test_a_client_needs_no_sdk() -> None:
    """Importing one takes as long as a hundred samples."""
    code = (
        "import sys, resources.vlm.openai_compatible, resources.vlm.gemini\n"
        "print(sorted({'openai', 'google.genai'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize(
    "model", ["gemini-2.5-flash", "gemini-3-flash-preview", "gemini-2.5-pro", "models/gemma-3-27b-it"]
)
@pytest.mark.parametrize("schema", [SCHEMA, None])
def test_gemini(schema: Any, model: str) -> None:
    request = with_picture(schema)
    thinking: Any = None
    if "2.5-flash" in model:
        thinking = types.ThinkingConfig(thinking_budget=0)
    elif "gemini-3" in model:
        thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL)
    with raw_server(lambda arrived, handler: (200, {}, packed(generated()))) as server:
        asked(lambda: gemini_client(server.url, model=model), request)
        options = types.HttpOptions(base_url=server.url, api_version="v1beta")
        with genai.Client(api_key=KEY, http_options=options) as sdk:
            sdk.models.generate_content(
                model=model,
                contents=types.Content(
                    role="user",
                    parts=[
                        types.Part.from_bytes(data=PICTURE, mime_type="image/jpeg"),
                        types.Part.from_text(text=request.text),
                    ],
                ),
                config=types.GenerateContentConfig(
                    system_instruction=types.Content(parts=[types.Part(text=request.instructions)]),
                    temperature=request.temperature,
                    max_output_tokens=request.max_tokens,
                    media_resolution=types.MediaResolution.MEDIA_RESOLUTION_HIGH,
                    thinking_config=thinking,
                    response_mime_type="application/json" if schema else None,
                    response_json_schema=schema,
                ),
            )
    ours, theirs = server.arrived
    theirs = replace(theirs, body=in_camel_case(theirs.body))
    # the SDK writes base64 for URLs, and the API reads either: ours is what the picture is kept as
    data = theirs.body["contents"][0]["parts"][0]["inlineData"]
    data["data"] = data["data"].replace("-", "+").replace("_", "/")
    same(ours, theirs)


def in_camel_case(node: Any) -> Any:
    """The API takes a field by its name in JSON and by that of its protocol buffer; the SDK mixes both."""
    if isinstance(node, list):
        return [in_camel_case(part) for part in node]
    if isinstance(node, dict):
        return {
            re.sub(r"_(\w)", lambda m: m[1].upper(), name): in_camel_case(part) for name, part in node.items()
        }
    return node
