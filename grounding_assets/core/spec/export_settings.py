"""What exports hold and leave out: the one description of their settings, for the spec and for `core.exports`."""

import math
import re
from typing import Literal

from pydantic import Field, field_validator

from grounding_assets.core.spec.model_settings import Section

ExportFormat = Literal[
    "odvg",
    "odvg_detection",
    "mdetr",
    "coco",
    "flickr30k_entities",
    "parquet",
    "ms_swift",
    "qwen_vl",
    "llama_factory",
]
ExportTask = Literal["grounding", "detailed", "referring"]
_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ExportSpec(Section):
    """What exports hold and leave out."""

    formats: tuple[ExportFormat, ...] = ()
    """Formats that are assets of the graph."""
    min_score: float = Field(default=0, ge=0, le=1)
    """Boxes with a lower score are left out; boxes without a score of the model's own carry 0.9."""
    drop_unboxed: bool = False
    """Leave out expressions without a box, and samples that have no other."""
    max_box_share: float = Field(default=1, gt=0, le=1)
    """Scene-sized boxes, which cover more than this share of the image, are left out; 1: none is."""
    drop_refuted: bool = False
    """Leave out boxes that verification refuted, unless a reviewer accepted them."""
    only_complete: bool = False
    """Leave out expressions that verification did not find complete, unless a reviewer accepted or corrected them."""
    merge_iou: float = Field(default=0.5, gt=0, le=1)
    """coco, odvg_detection: boxes of one category that two captions of an image give are one object from this IoU on."""
    first_category_id: int = Field(default=1, ge=0, le=1)
    """coco: id of the first category; 0 for TAO's evaluation."""
    upright_copies: bool = False
    """Write upright copies of photos that EXIF turns beside the export, for loaders that do not apply EXIF."""
    embed_images: bool = False
    """parquet: a column with the images' contents, upright."""
    task: ExportTask = "grounding"
    """ms_swift, qwen_vl, llama_factory: expressions to boxes, the caption with its boxes, or boxes to an expression."""
    refusals: bool = False
    """The same, task grounding: also ask for expressions that the image does not show, and answer that it does not."""
    target_model: str = "qwen3_vl"
    """qwen_vl, llama_factory: the model to train, by its name or its family's; boxes are written in its numbers."""
    max_pixels: int = Field(default=0, ge=0)
    """The same, for models that write pixels (Qwen2.5-VL): the trainer's own max_pixels; 0: the trainer's default."""
    fractions: dict[str, float] = Field(default={"train": 1.0})
    """Splits by name and their shares of the images, such as {train: 0.9, val: 0.1}; they add up to 1."""
    seed: int = 0
    """Of the split; the same seed deals an image to the same split again."""
    allow_demo_teacher: bool = False
    """Export the embedded demonstration teacher's annotations, which are no training data."""

    @field_validator("fractions")
    @classmethod
    def _whole(cls, fractions: dict[str, float]) -> dict[str, float]:
        for name, fraction in fractions.items():
            if not _SPLIT_NAME.fullmatch(name):
                raise ValueError(f"'{name}' cannot name a split: use letters, digits, _ and -")
            if name.casefold() == "export":
                raise ValueError("'export' cannot name a split: export.json is the report of every export")
            if not 0 < fraction <= 1:
                raise ValueError(f"the fraction of split '{name}' is {fraction}: give more than 0, up to 1")
        if not math.isclose(sum(fractions.values()), 1, abs_tol=1e-9):
            raise ValueError(f"the split's fractions add up to {sum(fractions.values()):g} instead of 1")
        return fractions
