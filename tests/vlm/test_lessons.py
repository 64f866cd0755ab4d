"""What is learned from a refusal, by whom it is kept, and what teaches nothing; over HTTP, for both APIs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, ModelReply
from tests.vlm.asking import (
    REQUEST,
    SCHEMA,
    asked,
    chat,
    gemini_client,
    generated,
    names,
    openai_client,
    packed,
    request,
)
from tests.vlm.raw_server import Arrived, raw_server

OTHER = {"type": "object", "properties": {"answer": {"type": "string"}}}
Refuse = Callable[[dict[str, Any]], tuple[int, Any] | None]


def served(
    refuse: Refuse, *requests: Any, gemini: bool = False, **manners: Any
) -> tuple[list[Any], list[dict[str, Any]]]:
    """The outcomes, and the bodies that were sent."""

    def answer(arrived: Arrived, handler: Any) -> Any:
        refused = refuse(arrived.body)
        if refused is not None:
            return refused[0], {}, packed(refused[1])
        return 200, {}, packed(generated() if gemini else chat())

    make = gemini_client if gemini else openai_client
    with raw_server(answer) as server:
        outcomes = asked(lambda: make(server.url, **manners), *requests)
        return outcomes, [arrived.body for arrived in server.arrived]


def level(body: dict[str, Any]) -> str:
    if "generationConfig" in body:
        config = body["generationConfig"]
        return (
            "json_schema"
            if "responseJsonSchema" in config
            else "json_object"
            if "responseMimeType" in config
            else "plain"
        )
    return body.get("response_format", {}).get("type", "plain")


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


FORMAT_WORDS = [
    (400, "Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field."),
    (400, "JSON schema is not supported"),
    (400, "Invalid schema: 'minItems' is not permitted"),
    (400, "The specified schema produces a constraint that has too many states for serving."),
    (400, "x" * 1200 + " response_format"),
    (422, "no"), (405, "Method Not Allowed"), (501, "Not Implemented"), (400, "Bad Request"),
    (404, "response_format is unknown here"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "words"), FORMAT_WORDS, ids=lambda value: str(value)[:25])
@pytest.mark.parametrize("gemini", [False, True])
def test_one_step_down_the_ladder_whatever_the_words(status: int, words: str, gemini: bool) -> None:
    outcomes, bodies = served(
        lambda body: (status, error(words)) if level(body) == "json_schema" else None,
        REQUEST,
        REQUEST,
        gemini=gemini,
    )
    assert all(isinstance(outcome, ModelReply) for outcome in outcomes)
    assert [level(body) for body in bodies] == ["json_schema", "json_object", "json_object"]


def test_a_500_steps_down_only_when_it_comes_again_and_is_learned_from_the_second_time() -> None:
    outcomes, bodies = served(
        lambda body: (500, error("oops")) if level(body) != "plain" else None, *[REQUEST] * 4
    )
    assert [type(outcome) for outcome in outcomes] == [CallError, ModelReply, ModelReply, ModelReply]
    down = ["json_schema", "json_object", "plain"]
    assert [level(body) for body in bodies] == ["json_schema", *down, *down, "plain"]


def test_a_few_500s_by_chance_teach_nothing() -> None:
    """Of several samples, as a run begins; and one that two befell before it was answered."""
    chance = iter([500, 500, 500])
    one, other = request("one"), request("another")
    _, bodies = served(
        lambda body: (status, b"") if (status := next(chance, 0)) else None, one, other, one, REQUEST
    )
    assert [level(body) for body in bodies] == ["json_schema"] * 3 + ["json_object", "json_schema"]


def test_a_step_that_does_not_help_is_not_kept() -> None:
    refused = request("a torn picture")
    outcomes, bodies = served(
        lambda body: (400, error("no")) if "torn" in json.dumps(body) else None, refused, REQUEST
    )
    assert [type(outcome) for outcome in outcomes] == [CallError, ModelReply]
    assert level(bodies[-1]) == "json_schema"


def test_one_schema_that_is_too_much_does_not_speak_for_the_others() -> None:
    other = request(schema=OTHER)
    _, bodies = served(
        lambda body: (400, error("too many states")) if level(body) == "json_schema" and "boxes" in json.dumps(body["response_format"]) else None,
        other, REQUEST, other, REQUEST,
    )  # fmt: skip
    assert [level(body) for body in bodies] == ["json_schema"] * 2 + [
        "json_object",
        "json_schema",
        "json_object",
    ]


@pytest.mark.parametrize("forced", ["json_object", "plain", "json_schema"])
@pytest.mark.parametrize("gemini", [False, True])
def test_a_level_that_the_spec_forces_stays(forced: str, gemini: bool) -> None:
    outcomes, bodies = served(
        lambda body: (400, error("schema")), REQUEST, gemini=gemini, level=forced, fixed_level=True
    )
    assert isinstance(outcomes[0], CallError) and [level(body) for body in bodies] == [forced]


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("temperature", error("Unsupported value: 'temperature' does not support 0.7 with this model.", param="temperature")),
        ("temperature", error("`temperature` is deprecated for this model.")),
        ("chat_template_kwargs", error("Unrecognized request argument supplied: chat_template_kwargs")),
        ("chat_template_kwargs", {"detail": [{"type": "extra_forbidden", "loc": ["body", "chat_template_kwargs"], "msg": "Extra inputs"}]}),
        ("max_tokens", error("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", param="max_tokens")),
    ],
)  # fmt: skip
def test_a_parameter_that_is_refused_is_left_out_from_then_on(name: str, refusal: Any) -> None:
    outcomes, bodies = served(lambda body: (400, refusal) if name in body else None, REQUEST, REQUEST)
    assert all(isinstance(outcome, ModelReply) for outcome in outcomes)
    assert [name in body for body in bodies] == [True, False, False]
    others = {"temperature", "chat_template_kwargs"} - {name}
    assert all(others <= set(body) for body in bodies), "nothing else is given up"
    assert all({"max_tokens", "max_completion_tokens"} & set(body) for body in bodies), (
        "the limit is never lost"
    )


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("Developer instruction is not enabled for models/gemma-3-27b-it", "systemInstruction"),
        ("Media resolution is not enabled for models/gemma-3-27b-it", "mediaResolution"),
        ("Budget 0 is invalid. This model only works in thinking mode.", "thinkingConfig"),
        ("Thinking is not enabled for this model", "thinkingConfig"),
    ],
)
def test_gemini_learns_in_the_same_way(words: str, field: str) -> None:
    def refuse(body: dict[str, Any]) -> Any:
        return (400, error(words)) if field in {**body, **body["generationConfig"]} else None

    outcomes, bodies = served(refuse, REQUEST, REQUEST, gemini=True)
    assert all(isinstance(outcome, ModelReply) for outcome in outcomes) and len(bodies) == 3
    assert "be brief" in json.dumps(bodies[-1]), "the instructions stay, wherever they stand"


def test_gemma_through_the_gemini_api_takes_three_lessons_once() -> None:
    def refuse(body: dict[str, Any]) -> Any:
        if "systemInstruction" in body:
            return 400, error("Developer instruction is not enabled for models/gemma-3")
        if level(body) != "plain":
            return 400, error("JSON mode is not enabled for models/gemma-3")
        if "mediaResolution" in body["generationConfig"]:
            return 400, error("Media resolution is not enabled for models/gemma-3")
        return None

    outcomes, bodies = served(refuse, REQUEST, REQUEST, gemini=True)
    assert all(isinstance(outcome, ModelReply) for outcome in outcomes) and len(bodies) == 1 + 4 + 1


TOO_LARGE = [
    ("max_tokens is too large: 60000. This model supports at most 8000 completion tokens, whereas you provided 60000.", 8000),
    ("max_tokens: 60000 > 8000, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20241022", 8000),
    ("'max_tokens' or 'max_completion_tokens' is too large: 60000. This model's maximum context length is 8192 tokens and your request has 192 input tokens (60000 > 8192 - 192).", 8000),
    ("This model's maximum context length is 8192 tokens. However, you requested 60192 tokens (192 in the messages, 60000 in the completion).", 8000),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 8000]", 8000),
    ("`max_tokens` must be less than or equal to `8000`", 8000),
    ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 192 `inputs` tokens and 60000 `max_new_tokens`", 8000),
    ("Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 60192 tokens: 192 tokens from the input messages and 60000 tokens for the completion.", 8000),
    ("Requests with max_tokens > 8000 must have stream=true", 8000),
    ("too many tokens: max tokens must be less than or equal to 8000, the maximum output for this model - received 60000.", 8000),
    ("max_tokens 参数非法。取值范围 [1, 8000]", 8000),
    ("The maximum tokens you requested exceeds the model limit of 8000. Try again with a maximum tokens value that is lower", 8000),
]  # fmt: skip


@pytest.mark.parametrize(("words", "limit"), TOO_LARGE, ids=range(len(TOO_LARGE)))
def test_a_limit_that_is_too_large_is_lowered_for_that_request(words: str, limit: int) -> None:
    def refuse(body: dict[str, Any]) -> Any:
        return (400, error(words)) if body["max_tokens"] > 8000 else None

    outcomes, bodies = served(refuse, REQUEST, request(max_tokens=60000), REQUEST)
    assert all(isinstance(outcome, ModelReply) for outcome in outcomes)
    assert [body["max_tokens"] for body in bodies] == [4096, 60000, limit, 4096]
    assert len({frozenset(fields) for fields in names(bodies)}) == 1, "nobody's request changes"


def test_the_same_for_gemini() -> None:
    words = "Unable to submit request because it has a maxOutputTokens value of 60000 but the supported range is from 1 (inclusive) to 8001 (exclusive)."

    def refuse(body: dict[str, Any]) -> Any:
        return (400, error(words)) if body["generationConfig"]["maxOutputTokens"] > 8000 else None

    _, bodies = served(refuse, REQUEST, request(max_tokens=60000), REQUEST, gemini=True)
    assert [body["generationConfig"]["maxOutputTokens"] for body in bodies] == [4096, 60000, 8000, 4096]


@pytest.mark.parametrize(
    ("caption", "refusal"),
    [
        ("a guided tour at high temperature", error("cannot process 'a guided tour at high temperature'")),
        ("structured max_tokens", error("invalid text: structured max_tokens is not supported")),
        ("a thermometer", {"detail": [{"loc": ["body", "messages", 1], "msg": "Invalid image", "type": "value_error",
                                       "input": {"temperature": 0.7, "max_tokens": 4096, "response_format": SCHEMA,
                                                 "chat_template_kwargs": {}}}]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 422])
def test_nothing_is_learned_from_what_a_refusal_quotes(caption: str, refusal: Any, status: int) -> None:
    def refuse(body: dict[str, Any]) -> Any:
        return (status, refusal) if caption in json.dumps(body) else None

    outcomes, bodies = served(refuse, REQUEST, request(caption), REQUEST)
    assert [type(outcome) for outcome in outcomes] == [ModelReply, CallError, ModelReply]
    assert len(bodies) == 3 and bodies[0] == bodies[2]
