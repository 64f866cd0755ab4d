"""What `auto_label doctor` and `endpoint_check` say of endpoints, from one probe and a few calls; over real HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from grounding_assets.cli import main
from grounding_assets.core.spec.loading import load_spec, validate_spec
from grounding_assets.graph import build_defs
from grounding_assets.partitions import DataSetKeys
from resources.credentials import Credentials
from resources.vlm.doctor import Examination, Finding, examine
from resources.vlm.manners import Manners
from tests.endpoints.server import KindName, SimulatedEndpoint, running
from tests.forwarding_proxy import HOST, forwarding
from tests.init.terminal import free_port_url


def examined(folder: Path, endpoint: SimulatedEndpoint, **changed: Any) -> Examination:
    model = {"base_url": endpoint.base_url, "model_name": endpoint.model, **changed}
    vlm: dict[str, Any] = {"backend": "openai", "openai": model}
    if endpoint.kind.name == "gemini":
        model["model"] = model.pop("model_name")
        vlm = {"backend": "gemini", "gemini": model}
    spec = validate_spec({"results_dir": str(folder), "image_grounding": {"vlm": vlm}}, where="the test")
    return asyncio.run(examine(spec, Credentials(openai=endpoint.key, gemini=endpoint.key)))


def findings(
    folder: Path, kind: KindName, changed: Any = None, refuses: list[str] | None = None, **quirks: Any
) -> dict[str, Finding]:
    """By subject."""
    with running(SimulatedEndpoint(kind, cheap=True, refuses=refuses, quirks=quirks)) as endpoint:
        found = examined(folder, endpoint, **(changed or {})).findings
    return {finding.subject: finding for finding in found}


def test_a_server_without_a_readiness_route_is_not_called_ready(tmp_path: Path) -> None:
    # LM Studio answers 200 to every path, with an error in the body
    found = findings(tmp_path, "lmstudio")
    assert found["reachable"].outcome == "ok" and "readiness" not in found
    assert "readiness" not in findings(tmp_path, "vllm")


def test_a_schema_that_is_taken_is_called_accepted(tmp_path: Path) -> None:
    # hosted NIM takes a schema and does not keep to it
    assert findings(tmp_path, "nim")["structured output"].detail == "json_schema accepted"


def test_what_the_endpoint_refused_is_shown(tmp_path: Path) -> None:
    assert findings(tmp_path, "vllm")["learned"].detail == "takes every parameter as it is sent"
    found = findings(tmp_path, "custom", refuses=["response_format", "temperature", "max_tokens"])
    assert found["structured output"].detail == "plain accepted"
    assert found["learned"].detail == "max_tokens is sent as max_completion_tokens; temperature is left out"


@pytest.mark.parametrize(
    ("learned", "words"),
    [
        ({"ceiling": 8000}, ["at most 8000 tokens are asked for"]),
        ({"levels": {"boxes,found": "plain"}}, ["structured output of replies with boxes, found: plain"]),
        ({"dropped": ["seed", "a"], "ceiling": 9}, ["a is left out", "seed is left out", "at most 9 tokens are asked for"]),
    ],
)  # fmt: skip
def test_all_that_is_learned_has_words(learned: dict[str, Any], words: list[str]) -> None:
    assert list(Manners.from_learned(learned).in_words()) == words


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
def test_what_a_tao_microservice_lacks_is_told_with_what_to_do(
    tmp_path: Path, quirks: dict[str, Any], words: str
) -> None:
    found = findings(tmp_path, "tao", **quirks)["readiness"]
    assert found.outcome == "failed" and found.detail.startswith(words)


def test_gemini_is_asked_for_its_models_too(tmp_path: Path) -> None:
    found = findings(tmp_path, "gemini")
    assert found["model"].outcome == found["key"].outcome == found["images"].outcome == "ok"
    found = findings(tmp_path, "gemini", {"model_name": "gemini-0"})
    assert (
        found["model"].outcome == "failed" and "gemini-0 is not among those served" in found["model"].detail
    )


@pytest.mark.parametrize(("kind", "setting"), [("nim", "openai"), ("gemini", "gemini")])
def test_a_key_that_is_refused_is_told_with_its_setting(tmp_path: Path, kind: KindName, setting: str) -> None:
    with running(SimulatedEndpoint(kind, cheap=True)) as endpoint:
        endpoint.key = "a-wrong-key-of-nobody"
        found = {finding.subject: finding for finding in examined(tmp_path, endpoint).findings}
    assert found["key"].outcome == "failed"
    assert f"image_grounding.vlm.{setting}.api_key" in found["key"].detail
    assert endpoint.key not in str(found)


@pytest.mark.parametrize("kind", ["vllm", "lmstudio"])
def test_v1_is_found_and_named_where_the_address_lacks_a_path(tmp_path: Path, kind: KindName) -> None:
    with running(SimulatedEndpoint(kind, cheap=True)) as endpoint:
        examination = examined(tmp_path, endpoint, base_url=endpoint.url)
    found = {finding.subject: finding for finding in examination.findings}
    assert not examination.passed and endpoint.requests == []
    assert "set image_grounding.vlm.openai.base_url" in found["base_url"].detail
    assert f"{endpoint.url}/v1 does" in found["base_url"].detail


def test_a_dead_port_is_told_at_once_and_what_is_tried_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, dead = tmp_path / "spec.yaml", free_port_url()
    openai = f"{{base_url: {dead}, model_name: m}}"
    spec.write_text(
        f"results_dir: {tmp_path / 'r'}\nimage_grounding: {{vlm: {{backend: openai, openai: {openai}}}}}\n"
    )
    assert main(["doctor", "-e", str(spec)]) == 1
    shown = capsys.readouterr()
    assert f"Asking {dead}/models …" in shown.err and "calibration" not in shown.err
    assert "failed" in shown.out and "Cannot reach" in shown.out


def test_doctor_init_and_endpoint_check_work_behind_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "input.jsonl").write_text('{"image_path": "a.jpg", "caption": "a dog"}\n')
    with running(SimulatedEndpoint("vllm", cheap=True)) as endpoint, forwarding(endpoint.port) as proxy:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        flags = ["--input", "input.jsonl", "--image-root", ".", "--endpoint", "vllm"]
        # without its path: init finds that, too
        assert main(["init", *flags, "--base-url", f"http://{HOST}", "--yes"]) == 0, capsys.readouterr()
        after_init = len(proxy.asked)
        assert main(["doctor", "-e", "spec.yaml"]) == 0, capsys.readouterr()
        after_doctor = len(proxy.asked)
        spec = load_spec(Path("spec.yaml"))
        assert spec.vlm.openai.base_url == f"http://{HOST}/v1"
        with dg.DagsterInstance.ephemeral() as instance:
            job = build_defs(
                spec, Credentials.of(spec, {}), name="tested"
            ).resolve_implicit_global_asset_job_def()
            checked = job.execute_in_process(
                instance=instance, asset_selection=[DataSetKeys("tested").asset("endpoint_check")]
            )
    (event,) = checked.asset_materializations_for_node("tested__endpoint_check")
    assert event.metadata["a_run"].value == "goes on: Boxes are read right: xyxy_1000, mean IoU 1.00."
    models = f"http://{HOST}/v1/models"
    asked = (proxy.asked[:after_init], proxy.asked[after_init:after_doctor], proxy.asked[after_doctor:])
    for door in asked:
        assert models in door and f"http://{HOST}/v1/chat/completions" in door
