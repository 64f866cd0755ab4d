"""API keys: where they come from, and the only object that holds them. Never printed, never stored."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from grounding_assets.core.spec.settings import Spec

ENVIRONMENT_VARIABLES = {"gemini": "GOOGLE_API_KEY", "openai": "OPENAI_API_KEY"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key of each backend; empty if there is none."""

    gemini: str = field(default="", repr=False)
    openai: str = field(default="", repr=False)
    verifier_gemini: str = field(default="", repr=False)
    verifier_openai: str = field(default="", repr=False)

    @classmethod
    def of(cls, spec: Spec, environment: Mapping[str, str] = os.environ) -> "Credentials":
        """A key in the spec (or in an override) counts before the environment's."""
        vlm, verifier = spec.vlm, spec.image_grounding.vlm_verifier
        google, openai = environment.get("GOOGLE_API_KEY", ""), environment.get("OPENAI_API_KEY", "")
        return cls(
            gemini=vlm.gemini.api_key.get_secret_value() or google,
            openai=vlm.openai.api_key.get_secret_value() or openai,
            verifier_gemini=verifier.gemini.api_key.get_secret_value() or google,
            verifier_openai=verifier.openai.api_key.get_secret_value() or openai,
        )

    def of_verifier(self) -> "Credentials":
        """The keys of step 2's own model."""
        return Credentials(gemini=self.verifier_gemini, openai=self.verifier_openai)
