"""What is made of an answer: the text where there is one, the named trouble where there is none; over HTTP."""

import json
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, Finish, ModelReply, Trouble
from grounding_assets.core.errors import Reason
from tests.vlm.asking import (
    TEXT,
    chat,
    outcome,
)


def parts(*kinds: str) -> list[Any]:
    return [{"type": kind, "text": TEXT[:5] if i == 0 else TEXT[5:]} for i, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    "message",
    [
        {"content": parts("text", "text")},
        {"content": parts("output_text", "text")},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": TEXT}]},
        {"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": TEXT}, {"type": "image_url"}]},
        {"content": [TEXT]},
        {"content": {"type": "text", "text": TEXT}},
        {"content": None, "tool_calls": [{"type": "function", "function": {"name": "reply", "arguments": TEXT}}]},
        {"content": "", "tool_calls": [{"function": {"name": "reply", "arguments": json.loads(TEXT)}}]},
        {"content": None, "function_call": {"name": "reply", "arguments": TEXT}},
        {"content": TEXT, "tool_calls": []},
    ],
)  # fmt: skip
def test_the_text_is_found_where_it_stands(message: dict[str, Any]) -> None:
    found = outcome(200, chat(**message))
    assert isinstance(found, ModelReply) and (found.text, found.finish) == (TEXT, Finish.COMPLETE)


def streamed(*texts: str, finish: str | None = "stop", head: str = "") -> bytes:
    """A chat completion in chunks."""
    deltas = [({"content": text}, None) for text in texts] + ([({}, finish)] if finish else [])
    chunks = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": how}], "usage": None}
        for delta, how in deltas
    ]
    chunks.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    return (
        head + "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    ).encode()


@pytest.mark.parametrize("head", ["", ": keep-alive\n\n", "event: message\n"])
def test_a_stream_that_nobody_asked_for_is_put_together(head: str) -> None:
    found = outcome(200, streamed(TEXT[:5], TEXT[5:], head=head), Content_Type="text/event-stream")
    assert isinstance(found, ModelReply) and (found.text, found.tokens_in, found.counted) == (TEXT, 7, True)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"delta": {"content": "a\u2028b\u0085c"}}, "a\u2028b\u0085c"),
        (
            {"delta": {"content": [{"type": "text", "text": TEXT[:5]}, {"type": "text", "text": TEXT[5:]}]}},
            TEXT,
        ),
        ({"message": {"role": "assistant", "content": TEXT}}, TEXT),
        ({"message": {"role": "assistant", "content": TEXT}, "delta": {"content": TEXT[5:]}}, TEXT),
    ],
    ids=["line ends within", "parts", "a whole message", "a whole message beside the last of it"],
)
@pytest.mark.parametrize("head", ["", "\ufeff", "\n\n: keep-alive\n\n"])
def test_a_stream_is_read_in_all_its_forms(head: str, choice: dict[str, Any], text: str) -> None:
    chunk = json.dumps({"choices": [{"index": 0, "finish_reason": "stop", **choice}]}, ensure_ascii=False)
    found = outcome(
        200, f"{head}data: {chunk}\n\ndata: [DONE]\n\n".encode(), Content_Type="text/event-stream"
    )
    assert isinstance(found, ModelReply) and found.text == text


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (streamed(TEXT, finish=None), Trouble.PASSING),
        (streamed(TEXT[:5])[:-80], Trouble.PASSING),
        (b'data: {"error": {"message": "Insufficient credits", "code": 402}}\n\n', Trouble.ACCOUNT),
    ],
    ids=["no end", "cut", "error"],
)
def test_a_stream_without_its_end_is_no_answer(body: bytes, trouble: Trouble) -> None:
    found = outcome(200, body, Content_Type="text/event-stream")
    assert isinstance(found, CallError) and found.trouble is trouble


def test_a_body_that_is_no_json_is_quoted() -> None:
    found = outcome(200, b"<!DOCTYPE html><html><body>Sign in</body></html>", Content_Type="text/html")
    assert found.trouble is Trouble.PASSING and "it begins 'Sign in'" in str(found)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_text_that_the_reasoning_parser_took_is_said_to_be_there(field: str) -> None:
    found = outcome(200, chat("", **{field: TEXT}))
    assert found.text == "" and f"stands in {field}" in found.remark and "reasoning parser" in found.remark


@pytest.mark.parametrize(
    "word",
    [
        "max_tokens",
        "MAX_TOKENS",
        "length",
        "max_output_tokens",
        "model_length",
        "context_window_exceeded",
        "repetition_truncation",
    ],
)
def test_every_word_for_a_cut_reply_is_one(word: str) -> None:
    assert outcome(200, chat(finish=word)).finish is Finish.LENGTH


@pytest.mark.parametrize(
    "word", ["sensitive", "SAFETY", "refusal", "content_filter", "content-filter", "RECITATION"]
)
def test_every_word_for_a_refusal_is_one(word: str) -> None:
    assert outcome(200, chat("", finish=word)).finish is Finish.REFUSED


def test_a_part_that_refuses_is_a_refusal() -> None:
    found = outcome(200, chat([{"type": "refusal", "refusal": "I cannot help with that."}]))
    assert (found.finish, found.text) == (Finish.REFUSED, "I cannot help with that.")


@pytest.mark.parametrize(
    "word", ["time_limit", "deadline_exceeded", "timeout", "insufficient_system_resource"]
)
def test_a_reply_that_the_server_broke_off_is_none_whatever_it_holds(word: str) -> None:
    assert outcome(200, chat(finish=word)).trouble is Trouble.PASSING


@pytest.mark.parametrize(
    "document",
    [
        {"choices": [{"error": {"code": 502, "message": "upstream sneezed"}, "message": {"content": ""}}]},
        {"choices": [{"error": {"message": "upstream sneezed"}, "finish_reason": "error", "message": {"content": "{"}}]},
        {"error": {"message": "upstream sneezed", "code": 502}},
        {"error": {"message": "upstream sneezed"}, "choices": None},
        {**chat("", finish="network_error"), "note": 1, "message": "upstream sneezed"},
        {**chat("", finish="abort"), "message": "upstream sneezed"},
        {"message": "upstream sneezed"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("gemini", [False, True])
def test_trouble_inside_a_200_passes_and_keeps_its_words(document: dict[str, Any], gemini: bool) -> None:
    found = outcome(200, document, gemini=gemini)
    assert isinstance(found, CallError) and found.trouble is Trouble.PASSING
    assert "upstream sneezed" in str(found)


FLAGGED = 'meta/m requires moderation on Provider. Your input was flagged for "violence".'
GEMINI_QUOTA = {
    "code": 429, "status": "RESOURCE_EXHAUSTED",
    "message": "You exceeded your current quota, please check your plan and billing details.",
}  # fmt: skip
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}


@pytest.mark.parametrize(
    ("status", "document", "trouble", "reason"),
    [
        # a sample that is refused
        (403, {"error": {"message": FLAGGED, "code": 403}}, Trouble.SAMPLE, Reason.REFUSED),
        (400, {"error": {"code": "content_filter", "message": "The response was filtered", "status": 400}}, Trouble.SAMPLE, Reason.REFUSED),
        (400, {"error": {"code": "data_inspection_failed", "message": "Input may contain harm"}}, Trouble.SAMPLE, Reason.REFUSED),
        (400, {"error": {"message": "Rejected by our safety system.", "code": "moderation_blocked"}}, Trouble.SAMPLE, Reason.REFUSED),
        (403, {"error": "Forbidden"}, Trouble.SAMPLE_OR_ACCOUNT, Reason.REFUSED),
        # an account without credit, quota or rights
        (402, {"error": {"message": "Insufficient credits"}}, Trouble.ACCOUNT, None),
        (402, b"", Trouble.ACCOUNT, None),
        (200, {"code": "Arrearage", "message": "Please make sure your account is in good standing."}, Trouble.ACCOUNT, None),
        (400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}}, Trouble.ACCOUNT, None),
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota, please check your plan"}}, Trouble.ACCOUNT, None),
        (400, {"error": {"message": "Budget has been exceeded! Current cost: 10.1, Max budget: 10.0"}}, Trouble.ACCOUNT, None),
        (403, {"error": {"message": "Your organization has been disabled."}}, Trouble.ACCOUNT, None),
        (401, {"error": "User not found."}, Trouble.ACCOUNT, None),
        (403, {"error": {"message": "The caller does not have permission"}}, Trouble.ACCOUNT, None),
        (400, {"error": {"message": "API key not valid. Please pass a valid API key."}}, Trouble.ACCOUNT, None),
        (429, {"error": {"message": "You have reached your specified API usage limits. You will regain access on 2026-12-01."}}, Trouble.ACCOUNT, None),
        (403, {"error": "Your newly created team doesn't have any credits yet."}, Trouble.ACCOUNT, None),
        (400, {"error": {"message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}, Trouble.ACCOUNT, None),
        (429, {"error": GEMINI_QUOTA}, Trouble.ACCOUNT, None),
        (429, {"error": {**GEMINI_QUOTA, "details": [RETRY_INFO, {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]}}, Trouble.ACCOUNT, None),
        # what passes
        (429, {"error": {**GEMINI_QUOTA, "details": [RETRY_INFO]}}, Trouble.PASSING, Reason.RATE_LIMITED),
        (429, {"error": {"message": "Rate limit reached for requests per day (RPD). Try again in 8s."}}, Trouble.PASSING, Reason.RATE_LIMITED),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Trouble.PASSING, None),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", Trouble.PASSING, None),
        *((status, b"", Trouble.PASSING, None) for status in (408, 421, 424, 498, 499)),
        (400, {"message": "Too many tokens, please wait before trying again.", "__type": "ThrottlingException"}, Trouble.PASSING, None),
        (400, {"error": "The model has crashed without additional information. (Exit code: null)"}, Trouble.PASSING, None),
        # what is loading, and what never will be
        (202, {"error": {"type": "model_loading", "message": "Model is currently loading, please wait"}}, Trouble.LOADING, None),
        (202, b"", Trouble.LOADING, None),
        (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, Trouble.LOADING, None),
        (503, {"error": "Model m is currently loading", "estimated_time": 20.0}, Trouble.LOADING, None),
        (503, {"error": {"type": "model_load_error", "message": "Model failed to load"}}, Trouble.ENDPOINT, None),
        (404, {"error": {"message": "The model `m` does not exist."}}, Trouble.ENDPOINT, None),
        (405, {"detail": "Method Not Allowed"}, Trouble.ENDPOINT, None),
        # this request
        (400, {"error": {"message": "image dimensions too small"}}, Trouble.REQUEST, None),
        (413, b"", Trouble.REQUEST, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("gemini", [False, True])
def test_each_refusal_is_the_trouble_it_is(
    status: int, document: Any, trouble: Trouble, reason: Reason | None, gemini: bool
) -> None:
    found = outcome(status, document, gemini=gemini)
    assert isinstance(found, CallError)
    assert (found.trouble, found.reason) == (trouble, reason or Reason.ENDPOINT_ERROR)


@pytest.mark.parametrize(
    ("caption", "document"),
    [
        (
            "a sign about your credit balance",
            {"error": {"message": "cannot read 'a sign about your credit balance'"}},
        ),
        ("an API key on a desk", {"error": {"message": "bad text: an API key on a desk"}}),
        (
            "a key",
            {
                "detail": [
                    {"loc": ["body", "messages"], "msg": "bad", "input": {"text": "insufficient_quota"}}
                ]
            },
        ),
    ],
)
def test_words_that_are_quoted_from_the_request_mean_nothing(caption: str, document: Any) -> None:
    assert outcome(400, document, caption=caption).trouble is Trouble.REQUEST
