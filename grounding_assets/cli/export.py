"""`auto_label export`: the annotations in a format that trainers load."""

from collections.abc import Sequence
from typing import cast, get_args

from grounding_assets.cli.whole import results_to_read
from grounding_assets.cli.words import as_overrides, split_words
from grounding_assets.core.errors import EXIT_OK, SpecError
from grounding_assets.core.exports.report import ExportReport
from grounding_assets.core.spec.export_settings import ExportFormat, ExportSpec
from resources.exporting import write_export

FORMATS = get_args(ExportFormat)


def export(spec_file: str, words: Sequence[str]) -> int:
    """Writes `results_dir/exports/<format>`, for `format=` or else for every format of the spec."""
    given, rest = split_words(words, ("format",))
    overrides = as_overrides(rest, "image_grounding.export", ExportSpec.model_fields)
    asked = [given["format"]] if "format" in given else []
    for fmt in asked:
        if fmt not in FORMATS:
            raise SpecError(f"format={fmt} is not known: choose one of {', '.join(FORMATS)}.")
    spec = results_to_read(spec_file, overrides)
    formats = asked or list(spec.image_grounding.export.formats)
    if not formats:
        raise SpecError(f"No format is named: give format=NAME, one of {', '.join(FORMATS)}.")
    for fmt in formats:
        print(_words(write_export(spec, cast(ExportFormat, fmt))))
    return EXIT_OK


def _words(report: ExportReport) -> str:
    lines = [f"{report.fmt}: {report.out_dir}"]
    for split, held in report.splits.items():
        lines.append(
            f"  {split}: {held.images:,} images, {held.samples:,} samples, "
            f"{held.expressions:,} expressions, {held.boxes:,} boxes"
        )
    lines += [f"  left out: {count:,} {what}" for what, count in sorted(report.left_out.items()) if count]
    lines += [f"  {count:,} {what}" for what, count in sorted(report.notes.items()) if count]
    lines += [f"  split {name} is empty" for name in report.empty_splits]
    if report.demo_samples:
        lines.append(f"  {report.demo_samples:,} samples are the demonstration teacher's: no training data.")
    return "\n".join(lines)
