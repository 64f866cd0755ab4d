"""An export as the spec asks for it, out of its results folder."""

from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import SpecError
from grounding_assets.core.exports import ExportReport, export
from grounding_assets.core.exports.chat_model import ChatModel
from grounding_assets.core.files import read_lines
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.spec.export_settings import ExportFormat
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from resources.stored_images import ImageFolder
from resources.vlm.families import BY_NAME, FAMILIES, Family, family_of

_QWEN_MULTIPLES = (28, 32)
"""Of the sides of images that Qwen's image processor makes."""


def write_export(spec: Spec, fmt: ExportFormat) -> ExportReport:
    """Writes `results_dir/exports/<format>` from `annotations.jsonl` and `reviews.jsonl`; see `export` for the errors."""
    results_dir, data, settings = spec.results_folder, spec.data, spec.image_grounding.export
    sources = (*data.image_sources, data.image_root) if scheme_of(data.image_root) else data.image_sources
    return export(
        read_lines(results_dir / "annotations.jsonl"),
        results_dir / "exports" / fmt,
        fmt,
        settings,
        Reviews.load(results_dir),
        image_root=ImageFolder("" if data.join_image_root else data.image_root, sources),
        chat_model=chat_model(settings.target_model),
    )


def chat_model(name: str) -> ChatModel:
    """How a model that is to be trained writes boxes, by its name or its family's.

    Raises:
        SpecError: it is not known how it does, or it does not write JSON.
    """
    family = BY_NAME.get(name) or family_of(name)
    if not _is_trainable(family):
        known = ", ".join(one.name for one in FAMILIES if _is_trainable(one))
        raise SpecError(
            f"image_grounding.export.target_model={name}: it is not known which JSON this model writes for boxes. "
            f"Name a model of one of these families, or use format=ms_swift: {known}."
        )
    return ChatModel(family.name, CONVENTIONS[family.convention], family.box_key, family.image.multiple_of)


def _is_trainable(family: Family) -> bool:
    """Whether it is known to answer in JSON, in numbers that do not depend on a hosted server's resize."""
    in_known_frame = (
        CONVENTIONS[family.convention].grid is not None or family.image.multiple_of in _QWEN_MULTIPLES
    )
    in_corners = CONVENTIONS[family.convention].order != "xywh"
    return family.is_sure and not family.refusal and not family.native and in_known_frame and in_corners
