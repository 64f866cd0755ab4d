"""Thousands of spoiled answers: each ends as a reply or as an error of that call, and nothing leaves for another host.

`make mutations` tries 5,000 of them.
"""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grounding_assets.core.annotation.calls import CallError, ModelReply
from tests.vlm.asking import KEY, asked, chat, gemini_client, generated, openai_client
from tests.vlm.raw_server import raw_server

WORDS = st.sampled_from(
    ["error", "stop", "length", "max_tokens is too large: 9 at most 3", "insufficient_quota", "temperature", "\x1b[2J",
     "response_format", "\ud800", "flagged", "loading", "context length is 8192", KEY, "", "9" * 400, "-1", "NaN"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**400), 10**400), st.floats(), WORDS, st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "type", "error", "code", "message", "loc"]) | WORDS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
STATUSES = st.sampled_from(
    [
        200,
        200,
        200,
        200,
        201,
        202,
        204,
        300,
        301,
        307,
        308,
        400,
        402,
        403,
        404,
        405,
        413,
        422,
        429,
        500,
        501,
        503,
        529,
        599,
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after-ms", "Content-Type", "Location", "Content-Encoding", "x-ratelimit-a", "Set-Cookie"]),
    st.sampled_from(["0", "-1", "1e999", "86400", "Wed, 01 Jan 2020 00:00:00 GMT", "text/html; charset=hex", "gzip", "br",
                     "OTHER/v1", "//OTHERHOST/x", "http://[::1", "/v2", "nan", KEY, "a=b"]),
    max_size=3,
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> bytes:
    """A good reply with one to three places replaced, or its bytes damaged."""
    copy = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        node = copy
        while True:
            places = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            if isinstance(node[place], (dict, list)) and node[place] and draw(st.booleans()):
                node = node[place]
                continue
            node[place] = draw(VALUES)
            break
    raw = json.dumps(copy).encode()
    match draw(st.integers(0, 5)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            at = draw(st.integers(0, len(raw)))
            return raw[:at] + draw(st.binary(max_size=8)) + raw[at:]
    return raw


_ANY: list[HealthCheck] = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(suppress_health_check=_ANY)
@given(data=st.data())
def test_no_answer_is_more_than_an_error_of_its_call(data: st.DataObject) -> None:
    other, server, answers = _SERVERS
    gemini = data.draw(st.booleans())
    good = generated() if gemini else chat()
    answers[:] = [
        (data.draw(STATUSES), data.draw(HEADERS), data.draw(mutated(good)))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    make = gemini_client if gemini else openai_client
    (found,) = asked(lambda: make(f"{server.url}/v1", timeout_s=5))
    assert isinstance(found, (ModelReply, CallError)), found
    if isinstance(found, CallError):
        assert KEY not in str(found) and str(found).isprintable()
    assert other.arrived == [], "nothing of it is for another host"


_SERVERS: tuple[Any, Any, list[Any]]


def setup_module() -> None:
    global _SERVERS
    answers: list[Any] = []

    def answer(arrived: Any, handler: Any) -> Any:
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        host = other.url.removeprefix("http://")
        told = {n: v.replace("OTHERHOST", host).replace("OTHER", other.url) for n, v in headers.items()}
        return status, told, b"" if status in (204,) else body

    _CONTEXTS.append(raw_server(lambda arrived, handler: (200, {}, json.dumps(chat()).encode())))
    other = _CONTEXTS[0].__enter__()
    _CONTEXTS.append(raw_server(answer))
    _SERVERS = (other, _CONTEXTS[1].__enter__(), answers)


_CONTEXTS: list[Any] = []


def teardown_module() -> None:
    for context in reversed(_CONTEXTS):
        context.__exit__(None, None, None)
