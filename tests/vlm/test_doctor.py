"""What `auto_label doctor` says of endpoints that are not ready, or that have no such question; over real HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from grounding_assets.core.spec.loading import validate_spec
from resources.credentials import Credentials
from resources.vlm.doctor import Finding, examine, readiness
from tests.endpoints.server import KindName, SimulatedEndpoint, running


def findings(folder: Path, kind: KindName, **quirks: Any) -> dict[str, Finding]:
    """By subject."""
    with running(SimulatedEndpoint(kind, "qwen3_vl", cheap=True, quirks=quirks)) as endpoint:
        openai = {"base_url": endpoint.base_url, "model_name": endpoint.model}
        settings = {"vlm": {"backend": "openai", "openai": openai}}
        tree = {"results_dir": str(folder), "image_grounding": settings}
        spec = validate_spec(tree, where="the test")
        found = asyncio.run(examine(spec, Credentials(openai=endpoint.key))).findings
    return {finding.subject: finding for finding in found}


def test_a_server_without_a_readiness_route_is_not_called_ready(tmp_path: Path) -> None:
    # LM Studio answers 200 to every path, with an error in the body
    found = findings(tmp_path, "lmstudio")
    assert found["reachable"].outcome == "ok" and "readiness" not in found
    assert "readiness" not in findings(tmp_path, "vllm")


def test_a_schema_that_is_taken_is_called_accepted(tmp_path: Path) -> None:
    # hosted NIM takes a schema and does not keep to it
    assert findings(tmp_path, "nim")["structured output"].detail == "json_schema accepted"


def test_a_tao_microservice_that_is_ready_says_so(tmp_path: Path) -> None:
    assert findings(tmp_path, "tao")["readiness"] == Finding("readiness", "ok", "ready")


@pytest.mark.parametrize(
    ("quirks", "words"),
    [
        ({"starting": 2}, "202 server_initializing; wait, then try again"),
        ({"starting": 2, "readiness_503": True}, "503 server_initializing; wait, then try again"),
        ({"load_error": True}, "503 model_load_error; waiting does not help: the server's log says why"),
        ({"load_error": True, "readiness_503": True}, "503 model_load_error; waiting does not help: the"),
    ],
)
def test_what_a_tao_microservice_lacks_is_told_with_what_to_do(quirks: dict[str, Any], words: str) -> None:
    async def ask(base_url: str) -> list[Finding]:
        async with aiohttp.ClientSession() as session:
            return await readiness(session, base_url)

    with running(SimulatedEndpoint("tao", "qwen3_vl", cheap=True, quirks=quirks)) as endpoint:
        (found,) = asyncio.run(ask(endpoint.base_url))
    assert found.outcome == "failed" and found.detail.startswith(words)
