"""What the client sends and reads where a server or a gateway is unusual: over HTTP, from a server of a few lines."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, Finish, ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import SpecError
from grounding_assets.core.images.prepared_image import PreparedImage
from resources.vlm.openai_compatible import OpenAiClient

IMAGE = PreparedImage(b"AAAA", "image/jpeg", (1, 1), (1, 1), "", True)
REQUEST = ModelRequest("be brief", IMAGE, "what is it?", None, 99, 0.0, {})
KEY = "sk-0123456789"


@contextmanager
def answering(body: bytes) -> Iterator[tuple[str, list[tuple[dict[str, list[str]], Any]]]]:
    """(URL, what arrived) of a server that says 200 and this body to everything."""
    arrived: list[tuple[dict[str, list[str]], Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            headers = {name.lower(): self.headers.get_all(name) or [] for name in self.headers}
            arrived.append((headers, json.loads(self.rfile.read(length))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", arrived
    finally:
        server.shutdown()
        server.server_close()


def ask(url: str, key: str = KEY, model: str = "m") -> ModelReply:
    async def run() -> ModelReply:
        client = OpenAiClient(base_url=url, model=model, api_key=key, timeout_s=10)
        try:
            return await client.complete(REQUEST)
        finally:
            await client.aclose()

    return asyncio.run(run())


def reply(**usage: Any) -> bytes:
    choice = {"message": {"content": "a cat"}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], **usage}).encode()


@pytest.mark.parametrize(("slash", "model"), [("", "m"), ("/", "m"), ("", "sees[image]")])
def test_one_request_as_the_sdk_would_send_it(slash: str, model: str) -> None:
    with answering(reply(usage={"prompt_tokens": 7, "completion_tokens": 3})) as (url, arrived):
        assert ask(url + slash, model=model) == ModelReply("a cat", Finish.COMPLETE, 7, 3, detail="stop")
    ((headers, body),) = arrived
    assert headers["authorization"] == [f"Bearer {KEY}"]
    assert headers["content-type"] == ["application/json"] and "transfer-encoding" not in headers
    assert body["model"] == model
    assert body["messages"][1]["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,AAAA"


@pytest.mark.parametrize(
    "usage", [None, [], "many", {"prompt_tokens": "n/a"}, {"prompt_tokens": float("nan")},
              {"prompt_tokens": float("inf"), "completion_tokens": -4}, {"prompt_tokens": True}]
)  # fmt: skip
def test_a_usage_that_is_no_usage_costs_no_reply(usage: Any) -> None:
    with answering(reply(usage=usage)) as (url, _):
        assert ask(url) == ModelReply("a cat", Finish.COMPLETE, 0, 0, detail="stop", counted=False)


def test_headers_of_the_users_own_go_before_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "authorization: Basic abc\nX-Team: photos")
    with answering(reply()) as (url, arrived):
        ask(url)
    headers = arrived[0][0]
    assert headers["authorization"] == ["Basic abc"] and headers["x-team"] == ["photos"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [3]}'])
def test_a_body_without_an_answer_is_tried_again(body: bytes) -> None:
    with answering(body) as (url, _), pytest.raises(CallError) as error:
        ask(url)
    assert error.value.trouble is Trouble.PASSING and url in str(error.value)


@pytest.mark.parametrize("host", ["http://a..b", "http://" + "x" * 80, "http://127.0.0.1:1"])
def test_a_host_that_cannot_be_reached_is_named(host: str) -> None:
    with pytest.raises(CallError) as error:
        ask(f"{host}/v1")
    assert host in str(error.value) and KEY not in str(error.value)


def test_what_is_no_url_is_refused_at_once() -> None:
    with pytest.raises(SpecError, match=r"base_url=http://\[::1 is no URL"):
        ask("http://[::1")
