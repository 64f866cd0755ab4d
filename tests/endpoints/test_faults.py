"""Faults, limits, latency, records and the life of a simulated endpoint, in a thread and in a process."""

import asyncio
import json
import re
import statistics
import threading
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import openai
import pytest
from google.genai import errors, types

from tests.endpoints.clients import content, once, openai_client, varying
from tests.endpoints.faults import GEMINI_ONLY, Fault, FaultPlan, Faults, Rule
from tests.endpoints.record import NO_RESPONSE
from tests.endpoints.server import Latency, SimulatedEndpoint, running


def failing(fault: Fault, kind: Any = "vllm", **options: Any) -> Any:
    faults = Faults(rules=(Rule(fault, at_most=1),), retry_after=options.pop("retry_after", 2.5))
    family = "gemini" if kind == "gemini" else "qwen3_vl"
    return running(SimulatedEndpoint(kind, family, gold=(), faults=faults, **options))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RATE_LIMITED, openai.RateLimitError),
        (Fault.RATE_LIMITED_SECONDS, openai.RateLimitError),
        (Fault.RATE_LIMITED_DATE, openai.RateLimitError),
        (Fault.REQUEST_TIMEOUT, openai.APIStatusError),
        (Fault.CONFLICT, openai.ConflictError),
        (Fault.SERVER_ERROR, openai.InternalServerError),
        (Fault.BAD_GATEWAY, openai.InternalServerError),
        (Fault.UNAVAILABLE, openai.InternalServerError),
        (Fault.UNAUTHORIZED, openai.AuthenticationError),
        (Fault.FORBIDDEN, openai.PermissionDeniedError),
        (Fault.RESET, openai.APIConnectionError),
        (Fault.RESET_MID_REPLY, openai.APIConnectionError),
        (Fault.HANG, openai.APITimeoutError),
        (Fault.GARBAGE_BODY, json.JSONDecodeError),
    ],
)
def test_faults_that_openai_raises(fault: Fault, error: type[Exception]) -> None:
    with failing(fault) as endpoint:
        with pytest.raises(error) as caught:
            once(endpoint, client={"timeout": 0.4 if fault is Fault.HANG else 20})
        assert content(once(endpoint))
        records = endpoint.requests
    sent = NO_RESPONSE if fault in (Fault.HANG, Fault.RESET, Fault.RESET_MID_REPLY) else 200
    status = getattr(caught.value, "status_code", sent)
    assert [(r.status, r.fault, r.attempt) for r in records] == [(status, fault, 1), (200, "", 2)]
    if fault is Fault.RATE_LIMITED_SECONDS:
        assert caught.value.response.headers["retry-after"] == "2.5"  # type: ignore[attr-defined]
    elif fault is Fault.RATE_LIMITED_DATE:
        until = parsedate_to_datetime(caught.value.response.headers["retry-after"])  # type: ignore[attr-defined]
        assert 0 < until.timestamp() - records[0].at <= 3.6 + records[0].seconds
    elif isinstance(caught.value, openai.APIStatusError):
        assert "retry-after" not in caught.value.response.headers


@pytest.mark.parametrize(
    ("fault", "finish", "text", "refusal"),
    [
        (Fault.MALFORMED, "stop", r"[^\"}\]]+", False),
        (Fault.EMPTY, "stop", "", False),
        (Fault.TRUNCATED, "length", r"```json\n\{\"expressions\".*[^}`]", False),
        (Fault.TRUNCATED_EMPTY, "length", None, False),
        (Fault.REFUSED, "stop", None, True),
        (Fault.CONTENT_FILTER, "content_filter", "", False),
        (Fault.OUT_OF_RANGE, "stop", r".*\[474, 456, 1572, 1479\].*", False),
    ],
)
def test_faults_within_an_openai_reply(fault: Fault, finish: str, text: str | None, refusal: bool) -> None:
    with failing(fault) as endpoint:
        (choice,) = once(endpoint).choices
    assert choice.finish_reason == finish and bool(choice.message.refusal) == refusal
    if text is None:
        assert choice.message.content is None
    else:
        assert re.fullmatch(text, choice.message.content, re.DOTALL)


def test_no_choices() -> None:
    with failing(Fault.NO_CHOICES) as openai_like, failing(Fault.NO_CHOICES, "gemini") as gemini:
        assert once(openai_like).choices == []
        assert not once(gemini).candidates


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.RATE_LIMITED, 429),
        (Fault.RATE_LIMITED_RETRY_INFO, 429),
        (Fault.SERVER_ERROR, 500),
        (Fault.UNAVAILABLE, 503),
        (Fault.FORBIDDEN, 403),
    ],
)
def test_faults_that_genai_raises(fault: Fault, code: int) -> None:
    with failing(fault, "gemini") as endpoint, pytest.raises(errors.APIError) as caught:
        once(endpoint)
    assert caught.value.code == code
    assert ("'retryDelay': '2.5s'" in str(caught.value)) == (fault is Fault.RATE_LIMITED_RETRY_INFO)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_MID_REPLY, Fault.HANG, Fault.GARBAGE_BODY])
def test_a_broken_connection_reaches_genai_as_an_error(fault: Fault) -> None:
    expected = {Fault.HANG: TimeoutError, Fault.GARBAGE_BODY: ValueError}.get(fault, aiohttp.ClientError)
    with failing(fault, "gemini") as endpoint, pytest.raises(expected):
        once(endpoint, client={"timeout": 0.4 if fault is Fault.HANG else 20})


@pytest.mark.parametrize(
    ("fault", "finish"),
    [
        (Fault.CONTENT_FILTER, "SAFETY"),
        (Fault.RECITATION, "RECITATION"),
        (Fault.SPII, "SPII"),
        (Fault.PROHIBITED_CONTENT, "PROHIBITED_CONTENT"),
        (Fault.MALFORMED_RESPONSE, "MALFORMED_RESPONSE"),
        (Fault.TRUNCATED_EMPTY, "MAX_TOKENS"),
        (Fault.EMPTY, "STOP"),
    ],
)
def test_gemini_candidates_without_content(fault: Fault, finish: str) -> None:
    with failing(fault, "gemini") as endpoint:
        reply = once(endpoint)
    assert reply.candidates[0].finish_reason.value == finish and reply.text is None


def test_gemini_blocked_prompt_and_truncated_text() -> None:
    with failing(Fault.REFUSED, "gemini") as endpoint:
        blocked = once(endpoint)
    with failing(Fault.TRUNCATED, "gemini") as endpoint:
        cut = once(endpoint)
    assert not blocked.candidates and blocked.prompt_feedback.block_reason.value == "PROHIBITED_CONTENT"
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS and cut.text


def test_only_gemini_takes_geminis_faults() -> None:
    for fault in GEMINI_ONLY:
        with pytest.raises(ValueError, match=fault):
            SimulatedEndpoint("vllm", "qwen3_vl", gold=(), faults=Faults((Rule(fault),)))


# -- which request fails ---------------------------------------------------------------------------


def chosen(faults: Faults, keys: list[str], attempts: int = 1) -> list[list[Fault | None]]:
    plan = FaultPlan(faults)
    return [[plan.choose(key, "0", key)[1] for _ in range(attempts)] for key in keys]


def test_rates_hold_and_depend_on_content_alone() -> None:
    storm = Faults(
        (
            Rule(Fault.RATE_LIMITED, 0.3),
            Rule(Fault.RESET, 0.05),
            Rule(Fault.REFUSED, 0.1, same_every_attempt=True),
        )
    )
    keys = [f"caption {i}" for i in range(4000)]
    forward, backward = chosen(storm, keys, 3), chosen(storm, keys[::-1], 3)[::-1]
    assert forward == backward != chosen(Faults(storm.rules, seed=1), keys, 3)
    refused = [row for row in forward if Fault.REFUSED in row]
    assert all(row == [Fault.REFUSED] * 3 for row in refused) and 320 < len(refused) < 480
    others = Counter(fault for row in forward if Fault.REFUSED not in row for fault in row)
    total = others.total()
    assert (
        abs(others[Fault.RATE_LIMITED] / total - 0.3) < 0.02
        and abs(others[Fault.RESET] / total - 0.05) < 0.01
    )


def test_rules_by_caption_step_and_number_of_hits() -> None:
    faults = Faults(
        (
            Rule(Fault.SERVER_ERROR, captions=("bad",)),
            Rule(Fault.HANG, step="1"),
            Rule(Fault.FORBIDDEN, matches=lambda step, caption: caption.endswith("!")),
            Rule(Fault.RATE_LIMITED, at_most=2),
            Rule(Fault.MALFORMED, at_most=1),
        )
    )
    first_bad, marked, plain = chosen(faults, ["a bad one", "stop!", "good"], attempts=4)
    assert first_bad == [Fault.SERVER_ERROR] * 4 and marked == [Fault.FORBIDDEN] * 4
    assert plain == [Fault.RATE_LIMITED, Fault.RATE_LIMITED, Fault.MALFORMED, None]
    assert FaultPlan(faults).choose("good", "1", "good") == (1, Fault.HANG)


async def burst(endpoint: SimulatedEndpoint, count: int) -> Counter[str]:
    async with openai_client(endpoint) as ask:
        questions = [varying(f"a red box {i}") for i in range(count)]
        replies = await asyncio.gather(*map(ask, questions), return_exceptions=True)
    return Counter(type(reply).__name__ for reply in replies)


def test_the_burst_limits() -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl", gold=(), latency=1.0)) as endpoint:
        endpoint.faults = Faults(max_in_flight=5)
        assert asyncio.run(burst(endpoint, 12)) == {"ChatCompletion": 5, "RateLimitError": 7}
        assert 6 <= endpoint.recorder.max_in_flight <= 12 and endpoint.recorder.in_flight == 0
        endpoint.recorder.reset()
        endpoint.faults = Faults(max_per_second=4, limit_fault=Fault.UNAVAILABLE)
        asyncio.run(burst(endpoint, 30))
        served = endpoint.recorder.by_status[200]
        assert 4 <= served < 30 and endpoint.recorder.by_fault == {"limit": 30 - served}
        assert endpoint.recorder.by_status[503] == 30 - served


def test_latency() -> None:
    seconds = [Latency(0.5, 2.0).seconds(i) for i in range(2000)]
    assert abs(statistics.median(seconds) - 0.5) < 0.04
    assert abs(statistics.quantiles(seconds, n=20)[-1] - 2.0) < 0.25
    with running(SimulatedEndpoint("vllm", "qwen3_vl", gold=(), latency=0.25)) as endpoint:
        asyncio.run(burst(endpoint, 4))
        assert all(0.25 <= r.seconds < 2 for r in endpoint.requests)


# -- life ------------------------------------------------------------------------------------------


def test_leaving_cuts_off_what_hangs_and_leaves_no_thread() -> None:
    before = threading.active_count()

    async def leave_hanging(endpoint: SimulatedEndpoint) -> Counter[str]:
        async with openai_client(endpoint) as ask:
            waiting = [asyncio.create_task(ask(varying(f"a box {i}"))) for i in range(5)]
            while endpoint.recorder.in_flight < 5:
                await asyncio.sleep(0.01)
            stopped.set()
            return Counter(type(r).__name__ for r in await asyncio.gather(*waiting, return_exceptions=True))

    stopped, outcome = threading.Event(), []
    faults = Faults((Rule(Fault.HANG),))
    with running(SimulatedEndpoint("vllm", "qwen3_vl", gold=(), faults=faults)) as endpoint:
        client = threading.Thread(target=lambda: outcome.append(asyncio.run(leave_hanging(endpoint))))
        client.start()
        assert stopped.wait(20)
        left = time.monotonic()
    assert time.monotonic() - left < 5
    client.join(20)
    # The SDK's aiohttp transport calls a connection that the server closed a timeout.
    assert outcome == [{"APITimeoutError": 5}]
    assert [r.status for r in endpoint.requests] == [NO_RESPONSE] * 5 and endpoint.recorder.in_flight == 0
    assert threading.active_count() == before


def test_a_port_in_use_is_an_error() -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl", gold=())) as endpoint:
        second = SimulatedEndpoint("vllm", "qwen3_vl", gold=(), port=endpoint.port)
        with pytest.raises(OSError, match="in use"):
            running(second).__enter__()
