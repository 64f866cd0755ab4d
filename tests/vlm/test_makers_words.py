"""Errors as makers and gateways word them, over HTTP: whose trouble each is."""

from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, Finish, Trouble
from grounding_assets.core.errors import Reason
from resources.vlm.openai_compatible import finish_of
from tests.vlm.test_troubles import outcome


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


SAMPLE = [
    (403, {"code": "The caller does not have permission to execute the specified operation", "error": "Content violates usage guidelines. "
           "API key ID: 2, Model: grok-4, Failed check: SAFETY_CHECK_TYPE_VIOLENCE"}),
    (400, error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="invalid_prompt")),
    (400, {"code": "DataInspectionFailed", "message": "Input data may contain inappropriate content."}),
    (400, error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301")),
    (400, error("The request failed because the input image may contain sensitive information.", code="InputImageSensitiveContentDetected")),
    (400, error("Output blocked by content filtering policy", type="invalid_request_error")),
    (400, error("The request was blocked by your current safety settings.", code=400, status="INVALID_ARGUMENT")),
    (400, error("The request was rejected because it was considered high risk", type="content_filter")),
    (422, error("Input may contain NSFW content")),
    (200, {"choices": None, "base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}),
    (200, error("google/gemini requires moderation.", code=403)),
]  # fmt: skip
ACCOUNT = [
    (403, error("The request failed because your account has an overdue balance.", code="AccountOverdueError")),
    (429, error("余额不足或无可用资源包,请充值。", code="1113")),
    (429, {"code": "Some resource has been exhausted", "error": "Your team has either used all available credits or reached its monthly limit."}),
    (429, error("Your account org-x is suspended, please check your plan", type="exceeded_current_quota_error")),
    (429, error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free requests", code=429)),
    (403, error("Credit limit exceeded, please navigate to billing", type="credit_limit")),
    (403, error("Out of call volume quota. Quota will be replenished in 05:12:33.", code="403")),
    (412, {"error": "Account x is suspended, possibly due to reaching the monthly spending limit."}),
    (400, {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."}),
    (200, {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
    (200, error("This request requires more credits", code=402)),
]  # fmt: skip
OTHERS = [
    # a firewall that takes a caption for an attack
    (403, b"<html><title>Access denied | x used Cloudflare to restrict access</title>Error 1020</html>", Trouble.SAMPLE_OR_ACCOUNT),
    (403, b"<h1>Sorry, you have been blocked</h1><p>You are unable to access example.com</p>", Trouble.SAMPLE_OR_ACCOUNT),
    # one picture, in words that others have for a model
    (500, error("An exception occurred while loading multimodal data: cannot identify image file"), Trouble.PASSING),
    (503, error("Error loading the image file: truncated"), Trouble.PASSING),
    (400, error("Failed to load image: cannot identify image file"), Trouble.REQUEST),
    (503, error("Server is starting up"), Trouble.LOADING),
    (500, error("The engine failed to load"), Trouble.ENDPOINT),
    (404, error("The model name is case sensitive"), Trouble.ENDPOINT),
    # trouble that passes, though it speaks of money
    (500, error("Internal error while checking the account balance"), Trouble.PASSING),
    (429, error("Rate limit reached on tokens per min. You can increase it by adding a payment method."), Trouble.PASSING),
    (200, {"error_code": 18, "error_msg": "Open api qps request limit reached"}, Trouble.PASSING),
    (200, {"object": "error", "message": "NETWORK ERROR DUE TO HIGH TRAFFIC.", "code": 50001}, Trouble.PASSING),
]  # fmt: skip


@pytest.mark.parametrize(("status", "document"), SAMPLE, ids=range(len(SAMPLE)))
def test_a_flagged_sample_is_refused(status: int, document: Any) -> None:
    found = outcome(status, document)
    assert isinstance(found, CallError) and (found.trouble, found.reason) == (Trouble.SAMPLE, Reason.REFUSED)


@pytest.mark.parametrize(("status", "document"), ACCOUNT, ids=range(len(ACCOUNT)))
def test_an_account_that_is_used_up_is_the_accounts(status: int, document: Any) -> None:
    found = outcome(status, document)
    assert isinstance(found, CallError) and found.trouble is Trouble.ACCOUNT


@pytest.mark.parametrize(("status", "document", "trouble"), OTHERS, ids=range(len(OTHERS)))
def test_words_that_only_sound_alike_are_told_apart(status: int, document: Any, trouble: Trouble) -> None:
    found = outcome(status, document)
    assert isinstance(found, CallError) and found.trouble is trouble


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        *((word, Finish.COMPLETE) for word in ("stop", "STOP", "end_turn", "eos_token", "stop_sequence", "tool_calls", "COMPLETE", "")),
        *((word, Finish.LENGTH) for word in ("max_new_tokens", "length_limit", "MAX_TOKENS", "model_context_window_exceeded", "ERROR_LIMIT")),
        *((word, Finish.REFUSED) for word in ("ContentFilter", "ERROR_TOXIC", "guardrail_intervened", "safety_stop", "censored", "blocked")),
        *((word, None) for word in ("insufficient_system_resource", "network-error", "Cancelled", "server_error", "timed_out", "abort")),
    ],
)  # fmt: skip
def test_finish_reasons_mean_the_same_whoevers_words_they_are(reason: str, finish: Finish | None) -> None:
    assert finish_of(reason) is finish
