"""The endpoints to choose from: what each needs, and how to get one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from grounding_assets.core.spec.model_settings import GeminiSpec
from resources.credentials import ENVIRONMENT_VARIABLES

_NVIDIA = "https://integrate.api.nvidia.com/v1"
"""NVIDIA's hosted endpoints. Source: docs.api.nvidia.com."""


@dataclass(frozen=True, slots=True)
class EndpointChoice:
    """One kind of endpoint."""

    name: str
    title: str
    backend: Literal["gemini", "openai", "local"]
    needs: str
    how_to_get: str
    """What to do if there is none yet."""
    base_url: str | None = None
    """Where such an endpoint usually is; "" for the SDK's own address, None if only the user knows."""
    model: str = ""
    """Suggested model."""
    needs_key_at: str = ""
    """The host, or its parent domain, that takes no request without a key; "*": any."""

    workflow: Mapping[str, int] = field(default_factory=dict)
    """Settings of `workflow` that suit it."""

    @property
    def short_title(self) -> str:
        return self.title.partition(":")[0]

    @property
    def key_variable(self) -> str:
        """The environment variable that the key is read from."""
        return ENVIRONMENT_VARIABLES.get(self.backend, "")


CHOICES: Mapping[str, EndpointChoice] = {
    choice.name: choice
    for choice in (
        EndpointChoice(
            "gemini",
            "Gemini: Google's API",
            "gemini",
            "an API key in GOOGLE_API_KEY and a model name",
            "Make a key at aistudio.google.com.",
            base_url="",
            model=GeminiSpec().model,
            needs_key_at="*",
        ),
        EndpointChoice(
            "nim",
            "NIM: NVIDIA's models, hosted by NVIDIA or by you",
            "openai",
            "a base URL, a model name, and for NVIDIA's own address a key in OPENAI_API_KEY (nvapi-…)",
            "Make a key at build.nvidia.com, or start a NIM container and give its address, such as "
            "http://localhost:8000/v1.",
            base_url=_NVIDIA,
            needs_key_at="nvidia.com",
        ),
        EndpointChoice(
            "tao",
            "TAO: an inference microservice of NVIDIA TAO",
            "openai",
            "the base URL of the running service and the name of the model that it serves",
            "docs/tao_inference_service.md says how to start one; loading a model takes minutes.",
            base_url="http://localhost:8080/v1",
        ),
        EndpointChoice(
            "vllm",
            "vLLM: a model on your own GPU",
            "openai",
            "the base URL of the running server and the name of the model that it serves",
            "docs/vllm_server.md says how to start one; loading a model takes minutes.",
            base_url="http://localhost:8000/v1",
            # a GPU that is one's own is busy from there on; fewer leave it idle
            workflow={"max_workers": 64},
        ),
        EndpointChoice(
            "custom",
            "Custom: any other endpoint with OpenAI's chat completions",
            "openai",
            "its base URL, a model name, and a key in OPENAI_API_KEY if it wants one",
            "Start it, or ask whoever runs it for its address; docs/vllm_server.md stands one up on your own GPU.",
        ),
        EndpointChoice(
            "local",
            "Local: the embedded demonstration teacher, offline",
            "local",
            "nothing: no key, no network, no GPU",
            "It is part of the installation.",
        ),
    )
}
