"""Each trouble with a verifier of its own names `vlm_verifier`, and none with the same model does; over real HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.errors import RunStopped, SpecError
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.vlm.resource import build_teacher
from resources.vlm.verifier import build_verifier, check_verifier
from tests.corpus import CORPUS, coco24_gold, needs_corpus
from tests.endpoints.server import KindName, SimulatedEndpoint, running

WRONG_KEY = "a-wrong-key-of-nobody"


def spec_of(folder: Path, endpoint: SimulatedEndpoint, verifier: dict[str, Any]) -> Spec:
    openai = {"base_url": endpoint.base_url, "model_name": endpoint.model}
    settings = {
        "vlm": {"backend": "openai", "openai": openai},
        "vlm_verifier": verifier,
        "workflow": {"steps": ["0", "1", "2"]},
    }
    return validate_spec({"results_dir": str(folder), "image_grounding": settings}, where="the test")


def trouble(spec: Spec, credentials: Credentials) -> str:
    """What ends a run at its first question of step 2."""
    photo = CORPUS / "coco24" / coco24_gold()[0]["file"]

    async def ask() -> None:
        teacher = build_teacher(spec, credentials)
        verifier = build_verifier(spec, credentials, teacher, None)
        try:
            await verifier.verify_box(verifier.prepare(photo), "a cat", "a cat", (10, 10, 90, 90))
        finally:
            await verifier.aclose()
            await teacher.aclose()

    with pytest.raises(RunStopped) as stopped:
        asyncio.run(ask())
    return str(stopped.value)


@needs_corpus("coco24")
@pytest.mark.parametrize("kind", ["nim", "gemini"])
def test_a_key_that_is_refused_names_whose_it_is(tmp_path: Path, kind: KindName) -> None:
    with running(SimulatedEndpoint(kind)) as endpoint, running(SimulatedEndpoint("vllm")) as teacher:
        backend = "gemini" if kind == "gemini" else "openai"
        model = {"gemini": {"model": endpoint.model}, "openai": {"model_name": endpoint.model}}[backend]
        verifier = {"backend": backend, backend: {"base_url": endpoint.base_url, **model}}
        spec = spec_of(tmp_path, teacher, verifier)
        said = trouble(spec, Credentials(verifier_gemini=WRONG_KEY, verifier_openai=WRONG_KEY))
        assert f"image_grounding.vlm_verifier.{backend}.api_key" in said and WRONG_KEY not in said
        spec = spec_of(tmp_path, endpoint if kind == "nim" else teacher, {"backend": "same"})
        if kind == "nim":
            said = trouble(spec, Credentials(openai=WRONG_KEY))
            assert "image_grounding.vlm.openai.api_key" in said and "vlm_verifier" not in said


@needs_corpus("coco24")
def test_a_model_that_is_not_served_and_an_address_that_is_dead_name_whose_they_are(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm")) as endpoint:
        unknown = {"base_url": endpoint.base_url, "model_name": "nobody/knows-it"}
        said = trouble(spec_of(tmp_path, endpoint, {"backend": "openai", "openai": unknown}), Credentials())
        assert "image_grounding.vlm_verifier.openai.model_name" in said
        nowhere = {"base_url": "http://no-such-host.invalid/v1", "model_name": "m"}
        said = trouble(spec_of(tmp_path, endpoint, {"backend": "openai", "openai": nowhere}), Credentials())
        assert "image_grounding.vlm_verifier.openai.base_url" in said


@pytest.mark.parametrize(
    ("verifier", "words"),
    [
        ({"backend": "gemini"}, "GOOGLE_API_KEY or image_grounding.vlm_verifier.gemini.api_key"),
        ({"backend": "openai"}, "image_grounding.vlm_verifier.openai.model_name"),
        (
            {"backend": "openai", "openai": {"model_name": "m"}},
            "image_grounding.vlm_verifier.openai.base_url",
        ),
        (
            {
                "backend": "openai",
                "openai": {"model_name": "gpt-oss-20b", "base_url": "http://localhost:1/v1"},
            },
            "image_grounding.vlm_verifier.family",
        ),
    ],
)
def test_settings_that_cannot_work_name_the_section(
    tmp_path: Path, verifier: dict[str, Any], words: str
) -> None:
    spec = spec_of(tmp_path, SimulatedEndpoint("vllm", cheap=True), verifier)
    with pytest.raises(SpecError) as refused:
        check_verifier(spec, Credentials())
    assert words in str(refused.value) and "image_grounding.vlm." not in str(refused.value)
