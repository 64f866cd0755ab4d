"""Every request that may cost something is booked before it leaves, whoever asks, and counted as it was reported."""

import asyncio
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from grounding_assets.cli import main
from grounding_assets.core.annotation.calls import ModelReply
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.spec.loading import load_spec, validate_spec
from grounding_assets.graph import build_defs
from grounding_assets.partitions import DataSetKeys
from resources.vlm.gemini import GeminiClient
from resources.vlm.openai_compatible import OpenAiClient
from tests.endpoints.server import SimulatedEndpoint, running
from tests.vlm.asking import REQUEST, chat, generated, packed
from tests.vlm.raw_server import Arrived, raw_server

CHAT_USAGE = {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 800}}
GEMINI_USAGE = {
    "promptTokenCount": 1000,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "cachedContentTokenCount": 800,
}


def rows(results: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of calls.jsonl that are `booked` or `settled`."""
    lines = [json.loads(line) for line in (results / "calls.jsonl").read_text().splitlines()]
    return [line for line in lines if kind in line]


@pytest.mark.parametrize("gemini", [False, True], ids=["openai", "gemini"])
def test_requests_that_teach_are_booked_and_cached_tokens_counted(tmp_path: Path, gemini: bool) -> None:
    """A server that refuses the schema, then the temperature; and says what came from its cache."""
    at_arrival = []

    def answer(arrived: Arrived, handler: Any) -> Any:
        at_arrival.append(len(rows(tmp_path, "booked")))
        config = arrived.body.get("generationConfig", arrived.body)
        refused = {"responseJsonSchema": "response_schema", "response_format": "response_format"}
        named = [words for name, words in refused.items() if name in config]
        if not named and "temperature" in config:
            named = ["temperature"]
        if named or "responseMimeType" in config:
            return (
                400,
                {},
                packed({"error": {"message": f"{(named or ['response_mime_type'])[0]} is not supported"}}),
            )
        return 200, {}, packed({**generated(), "usageMetadata": GEMINI_USAGE} if gemini else chat(usage=CHAT_USAGE))  # fmt: skip

    async def ask(url: str) -> ModelReply:
        spec = validate_spec({"results_dir": str(tmp_path), "image_grounding": {}}, where="the test")
        with open_account(spec, tmp_path) as account:
            client = (
                GeminiClient(
                    model="g", api_key="k", media_resolution="", timeout_s=20, base_url=url, account=account
                )
                if gemini
                else OpenAiClient(base_url=url, model="m", api_key="k", timeout_s=20, account=account)
            )
            try:
                return await client.complete(REQUEST)
            finally:
                await client.aclose()

    with raw_server(answer) as server:
        reply = asyncio.run(ask(f"{server.url}/v1"))
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached) == (1000, 50, 800)
    sent = len(at_arrival)
    assert sent == 4 and at_arrival == [1, 2, 3, 4], "each is booked before it arrives"
    settled = rows(tmp_path, "settled")
    assert [row["calls"] for row in settled] == [1] * sent
    assert [row["tokens_in"] for row in settled] == [0] * (sent - 1) + [1000]
    assert {name: settled[-1][name] for name in ("tokens_out", "tokens_cached")} == {
        "tokens_out": 50,
        "tokens_cached": 800,
    }


@pytest.fixture
def spec_of(tmp_path: Path):
    def write(endpoint: SimulatedEndpoint, max_calls: int = 0) -> Path:
        (tmp_path / "input.jsonl").write_text('{"image_path": "a.jpg", "caption": "a dog"}\n')
        settings = {
            "vlm": {
                "backend": "openai",
                "openai": {"base_url": endpoint.base_url, "model_name": endpoint.model},
            },
            "workflow": {"max_calls": max_calls},
            "data": {"name": "booked", "input_jsonl": str(tmp_path / "input.jsonl")},
        }
        spec = tmp_path / "spec.yaml"
        spec.write_text(json.dumps({"results_dir": str(tmp_path / "results"), "image_grounding": settings}))
        return spec

    return write


def checked_by_asset(spec: Path) -> bool:
    """Whether `endpoint_check` succeeds."""
    job = build_defs(load_spec(spec), name="booked").resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            asset_selection=[DataSetKeys("booked").asset("endpoint_check")],
            raise_on_error=False,
        ).success


def checked_by_command(spec: Path) -> bool:
    return main(["doctor", "-e", str(spec)]) == 0


@pytest.mark.parametrize("check", [checked_by_command, checked_by_asset], ids=["doctor", "endpoint_check"])
def test_an_examination_is_booked_and_keeps_to_the_cap(spec_of: Any, check: Any) -> None:
    with running(SimulatedEndpoint("vllm", cheap=True, refuses=["temperature", "max_tokens"])) as endpoint:
        results = spec_of(endpoint).parent / "results"
        assert check(spec_of(endpoint))
        sent = endpoint.recorder.total
        assert sent > 3, "the cards, and two requests that taught"
        assert len(rows(results, "booked")) == sent
        assert sum(row["calls"] for row in rows(results, "settled")) == sent
        assert not check(spec_of(endpoint, max_calls=sent + 2)), "no card is left out silently"
        assert endpoint.recorder.total == sent + 2
