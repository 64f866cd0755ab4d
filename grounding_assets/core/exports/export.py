"""From records to a folder that a trainer loads: check, filter, split, write, publish."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample, read_samples
from grounding_assets.core.errors import InputError, SampleFailure, SpecError
from grounding_assets.core.exports.card import CARD, render_card
from grounding_assets.core.exports.chat_model import QWEN3_VL, ChatModel
from grounding_assets.core.exports.chat_writers import LlamaFactoryWriter, MsSwiftWriter, QwenVlWriter
from grounding_assets.core.exports.coco import CocoWriter
from grounding_assets.core.exports.filters import filtered, is_verified
from grounding_assets.core.exports.flickr30k import Flickr30kWriter
from grounding_assets.core.exports.images import UPRIGHT, ExportedImages
from grounding_assets.core.exports.mdetr import MdetrWriter
from grounding_assets.core.exports.odvg import OdvgWriter
from grounding_assets.core.exports.odvg_detection import OdvgDetectionWriter
from grounding_assets.core.exports.origins import made_by_demo_teacher
from grounding_assets.core.exports.parquet import ParquetWriter
from grounding_assets.core.exports.report import ExportReport
from grounding_assets.core.exports.splits import image_identity, split_of
from grounding_assets.core.exports.staging import MANIFEST, publish, staged
from grounding_assets.core.exports.writer import ExportJob, Writer
from grounding_assets.core.files import stopping_if_unwritable, to_json
from grounding_assets.core.images.locations import ImageRoot
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.spec.export_settings import ExportFormat, ExportSpec

WRITERS: Mapping[ExportFormat, type[Writer]] = {
    "odvg": OdvgWriter,
    "odvg_detection": OdvgDetectionWriter,
    "mdetr": MdetrWriter,
    "coco": CocoWriter,
    "flickr30k_entities": Flickr30kWriter,
    "parquet": ParquetWriter,
    "ms_swift": MsSwiftWriter,
    "qwen_vl": QwenVlWriter,
    "llama_factory": LlamaFactoryWriter,
}
_NO_DEMO = (
    "These annotations come from the embedded demonstration teacher and are no training data: use "
    "another backend, or set allow_demo_teacher=true to export them anyway."
)
_NOT_VERIFIED = (
    'drop_refuted and only_complete go by verification, which has not run: add step "2" to '
    "image_grounding.workflow.steps."
)


def export(
    records: Iterable[Mapping[str, Any]],
    out_dir: Path,
    fmt: ExportFormat,
    settings: ExportSpec | None = None,
    reviews: Reviews | None = None,
    *,
    image_root: ImageRoot | None = None,
    chat_model: ChatModel = QWEN3_VL,
) -> ExportReport:
    """Writes grounded records into `out_dir` in one format, with a card and a machine-readable report.

    Records are streamed. Everything is built aside and put in place at the end, so that after an error
    or a kill an earlier export in the same folder is what it was.

    Args:
        records: lines of step 1's `annotations.jsonl`.
        out_dir: a new or empty folder, or one that holds an earlier export, which is replaced.
        settings: by default nothing is left out, and there is one split, `train`.
        reviews: what reviewers said; it comes before the filters.
        image_root: where relative image paths start; None: image files are not looked at.
        chat_model: whose numbers boxes are written in by the formats for vision-language models.

    Raises:
        SpecError: an unknown format, records of the demonstration teacher without `allow_demo_teacher`,
            a folder that holds other things, or a package that is not installed.
        InputError: a line is not a grounded record, or there is none.
        RunStopped: the folder cannot be written, such as on a full disk.
    """
    if fmt not in WRITERS:
        raise SpecError(f"format '{fmt}' is unknown: choose one of {', '.join(WRITERS)}.")
    settings = settings or ExportSpec()
    report = ExportReport(fmt, out_dir, settings, chat_model)
    with stopping_if_unwritable(out_dir), staged(out_dir) as staging:
        copies = settings.upright_copies and not (fmt == "parquet" and settings.embed_images)
        images = ExportedImages(
            image_root, staging.new / UPRIGHT if copies else None, out_dir / UPRIGHT, report.notes
        )
        job = ExportJob(staging.new, staging.scratch, images, report)
        with closing(WRITERS[fmt](job)) as writer:
            _write(_kept(records, reviews or Reviews(), report), writer, images)
            writer.finish()
        names = {entry.name for entry in staging.new.iterdir()} | {CARD, MANIFEST}
        report.files = tuple(sorted(names))
        (staging.new / CARD).write_text(render_card(report), encoding="utf-8")
        (staging.new / MANIFEST).write_bytes(to_json(report.to_dict()) + b"\n")
        publish(staging, out_dir)
    return report


def _write(samples: Iterable[AnnotatedSample], writer: Writer, images: ExportedImages) -> None:
    report, settings = writer.report, writer.settings
    for sample in samples:
        is_demo = made_by_demo_teacher(sample)
        if is_demo and not settings.allow_demo_teacher:
            raise SpecError(_NO_DEMO)
        split = split_of(image_identity(sample.image_path), settings)
        try:
            added = writer.add(images.placed(sample), split)
        except SampleFailure as failure:
            report.left_out[f"samples whose image cannot be used ({failure.reason})"] += 1
            continue
        if added:
            report.demo_samples += is_demo
            report.origins.add(sample)


def _kept(
    records: Iterable[Mapping[str, Any]], reviews: Reviews, report: ExportReport
) -> Iterator[AnnotatedSample]:
    """What reviewers and filters leave of the samples."""
    settings, number, verified = report.settings, 0, False
    for number, sample in enumerate(read_samples(records, "the annotations"), 1):
        if not sample.grounded:
            raise InputError(f"Line {number} of the annotations has no boxes yet: run step 1 first.")
        verified = verified or is_verified(sample)
        kept = reviews.apply(sample, report.left_out, report.reviewed)
        kept = kept and filtered(kept, settings, report.left_out)
        if kept:
            yield kept
    if number == 0:
        raise InputError("There are no annotations to export: run both steps first.")
    if (settings.drop_refuted or settings.only_complete) and not verified:
        raise InputError(_NOT_VERIFIED)
