"""What has been answered so far: as a spec, and as the command that gives the same answers again."""

import shlex
from dataclasses import dataclass
from typing import Any, Literal

from grounding_assets.cli.init.choices import CHOICES
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec


@dataclass
class Answers:
    """None if nothing was answered yet. As text, the way a flag takes it. Holds no key."""

    input: str | None = None
    image_root: str | None = None
    steps: str | None = None
    results_dir: str | None = None
    name: str | None = None
    reuse: Literal["resume", "afresh"] | None = None
    """What to do with results that are there."""
    endpoint: str | None = None
    base_url: str | None = None
    model: str | None = None
    spec: str | None = None

    def command(self) -> str:
        """The command that answers the same again and asks for the rest."""
        words = ["auto_label", "init"]
        for name, value in vars(self).items():
            if value is not None and name != "reuse":
                words += [f"--{name.replace('_', '-')}", value]
        if self.reuse is not None:
            words.append(f"--{self.reuse}")
        return shlex.join(words)

    def to_spec(self) -> Spec:
        """The spec of what is answered, with the defaults of what is not.

        Raises:
            SpecError: the answers contradict each other.
        """
        choice = CHOICES[self.endpoint or "local"]
        vlm: dict[str, Any] = {"backend": choice.backend}
        if choice.backend == "gemini":
            vlm["gemini"] = {"base_url": self.base_url or "", "model": self.model or choice.model}
        elif choice.backend == "openai":
            vlm["openai"] = {"base_url": self.base_url or "", "model_name": self.model or ""}
        return validate_spec(
            {
                "results_dir": self.results_dir or "results",
                "image_grounding": {
                    "vlm": vlm,
                    "workflow": {"steps": (self.steps or "0,1").split(","), **choice.workflow},
                    "data": {
                        "input_jsonl": self.input or "???",
                        "image_root": self.image_root or "",
                        "name": self.name or "",
                    },
                },
            },
            where="these answers",
        )
