"""To which host a request goes: the one that was named, at the path the SDK would use, and nowhere else."""

from collections.abc import Callable
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, ModelReply, Trouble
from tests.vlm.asking import KEY, PICTURE, asked, chat, gemini_client, generated, openai_client, packed
from tests.vlm.raw_server import Arrived, raw_server

CLIENTS: list[tuple[Callable[..., Any], Any]] = [(openai_client, chat()), (gemini_client, generated())]


@pytest.mark.parametrize(("given", "path"), [
    ("", "/chat/completions"), ("/", "/chat/completions"), ("/v1", "/v1/chat/completions"),
    ("/v1/", "/v1/chat/completions"), ("/api/openai", "/api/openai/chat/completions"),
])  # fmt: skip
def test_the_path_is_added_to_the_base_url(given: str, path: str) -> None:
    with raw_server(lambda arrived, handler: (200, {}, packed(chat()))) as server:
        (found,) = asked(lambda: openai_client(server.url + given))
    assert isinstance(found, ModelReply) and [arrived.path for arrived in server.arrived] == [path]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_base_url_without_path_that_finds_nothing_names_v1(slash: str) -> None:
    with raw_server(lambda arrived, handler: (404, {}, b"")) as server:
        (found,) = asked(lambda: openai_client(server.url + slash))
    assert isinstance(found, CallError) and found.trouble is Trouble.ENDPOINT
    assert f"{server.url}/v1" in str(found)


def test_a_base_url_that_holds_the_whole_path_is_told_to_leave_its_end_out() -> None:
    with raw_server(lambda arrived, handler: (404, {}, b"")) as server:
        (found,) = asked(lambda: openai_client(f"{server.url}/v1/chat/completions"))
    assert str(found).endswith(" Leave /chat/completions out: it is added.")


@pytest.mark.parametrize(("make", "good"), CLIENTS)
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_host_is_followed_with_method_and_body(
    make: Any, good: Any, status: int
) -> None:
    def answer(arrived: Arrived, handler: Any) -> Any:
        if arrived.path.startswith("/moved"):
            return 200, {}, packed(good)
        return status, {"Location": "/moved" + arrived.path}, b""

    with raw_server(answer) as server:
        (found,) = asked(lambda: make(f"{server.url}/v1"))
    assert isinstance(found, ModelReply)
    first, second = server.arrived
    assert first.body == second.body and second.path == "/moved" + first.path


@pytest.mark.parametrize(("make", "good"), CLIENTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_goes_to_another_host(
    make: Any, good: Any, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-gateway-secret: very-secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    with raw_server(lambda arrived, handler: (200, {}, packed(good))) as other:
        target = other.url.replace("127.0.0.1", "localhost") + "/v1/chat?token=x"
        with raw_server(lambda arrived, handler: (status, {"Location": target}, b"")) as server:
            (found,) = asked(lambda: make(f"{server.url}/v1"))
    assert other.arrived == []
    assert isinstance(found, CallError) and found.trouble is Trouble.ENDPOINT
    assert target.partition("?")[0] in str(found) and "base_url" in str(found) and KEY not in str(found)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_body_is_told_and_not_followed(status: int) -> None:
    with raw_server(lambda arrived, handler: (status, {"Location": "/elsewhere"}, b"")) as server:
        (found,) = asked(lambda: openai_client(f"{server.url}/v1"))
    assert len(server.arrived) == 1 and f"{server.url}/elsewhere" in str(found)


def test_redirects_in_a_circle_end() -> None:
    with raw_server(lambda arrived, handler: (308, {"Location": arrived.path}, b"")) as server:
        (found,) = asked(lambda: openai_client(f"{server.url}/v1"))
    assert isinstance(found, CallError) and found.trouble is Trouble.ENDPOINT and len(server.arrived) == 4


@pytest.mark.parametrize(
    "location", ["http://", "//", "http://[::1", "javascript:x", "\x1b[2J", "http://a b/", ":::"]
)
def test_no_location_does_harm(location: str) -> None:
    with raw_server(lambda arrived, handler: (307, {"Location": location}, b"")) as server:
        (found,) = asked(lambda: openai_client(f"{server.url}/v1"))
    assert isinstance(found, CallError) and str(found).isprintable()


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda arrived, handler: (200, {}, packed(chat()))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        (found,) = asked(lambda: openai_client("http://nowhere.invalid/v1"))
    assert isinstance(found, ModelReply)
    assert proxy.arrived[0].path == "http://nowhere.invalid/v1/chat/completions"


@pytest.mark.parametrize(("make", "good"), CLIENTS)
def test_the_picture_and_the_key_arrive(make: Any, good: Any) -> None:
    with raw_server(lambda arrived, handler: (200, {}, packed(good))) as server:
        asked(lambda: make(f"{server.url}/v1"))
    (arrived,) = server.arrived
    assert PICTURE.decode() in str(arrived.body)
    assert any(KEY in value for value in arrived.headers.values())
