"""The steps of the pipeline, each with all that is known by its number: folder, names, prompts, what it is made from."""

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Self


class Step(StrEnum):
    """One step. As a string it is its number, `"0"`, as the spec and the output files have it; in pipeline order."""

    folder: str
    """Its folder under `results_dir`."""
    record_name: str
    """Its entry in a record's `pipeline_steps`."""
    asset: str
    """Short name of the asset with a partition for each sample."""
    prompts: tuple[str, ...]
    """Names of its prompt templates."""

    def __new__(cls, number: str, title: str, asset: str, prompts: tuple[str, ...]) -> Self:
        step = str.__new__(cls, number)
        step._value_ = number
        step.folder = f"step_{number}_{title}"
        step.record_name = f"step{number}_{title}"
        step.asset = asset
        step.prompts = prompts
        return step

    EXTRACTION = "0", "expression_extraction", "expressions", ("extract",)
    GROUNDING = "1", "grounding", "groundings", ("ground",)
    VERIFICATION = "2", "verification", "verifications", ("verify_box", "verify_expression")

    @property
    def rollup(self) -> str:
        """Short name of the asset that writes the step's `annotations.jsonl`."""
        return f"step_{self}_annotations"

    @property
    def provenance_key(self) -> str:
        """Its entry in a record's `provenance`."""
        return f"step_{self}"

    @cached_property
    def before(self) -> "Step | None":
        """The step whose result it is made from, besides the sample itself; None for the first."""
        earlier = self.earlier
        return earlier[-1] if earlier else None

    @cached_property
    def after(self) -> "Step | None":
        later = [step for step in Step if int(step) > int(self)]
        return later[0] if later else None

    @cached_property
    def earlier(self) -> "tuple[Step, ...]":
        """Every step before it, in order."""
        return tuple(step for step in Step if int(step) < int(self))

    @cached_property
    def so_far(self) -> "tuple[Step, ...]":
        """Every step up to and with this one, in order."""
        return (*self.earlier, self)

    @cached_property
    def gives_boxes(self) -> bool:
        """Whether its results hold boxes."""
        return Step.GROUNDING in self.so_far

    @property
    def asks_verifier(self) -> bool:
        """Whether it needs a verifier; the other steps need a teacher."""
        return self is Step.VERIFICATION


def in_order(steps: Iterable[str]) -> tuple[Step, ...]:
    """The steps of these numbers, each once, in pipeline order. Raises ValueError for any other text."""
    return tuple(sorted({Step(number) for number in steps}, key=int))
