"""How a model is asked to answer, and the mark that results get for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grounding_assets.core import prompts


@dataclass(frozen=True, slots=True)
class Sampling:
    temperature: float
    max_tokens: int


def settings_of_step(identity: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """What a result of the prompt is marked with, to tell it from one made with other settings."""
    return {**identity, "prompt_version": prompts.version(prompt)}
