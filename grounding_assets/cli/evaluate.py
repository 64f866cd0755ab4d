"""`auto_label evaluate`: how good results are, measured on gold; two results side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from grounding_assets.cli.terminal import print_table
from grounding_assets.cli.whole import results_to_read
from grounding_assets.cli.words import checked_choice, split_words
from grounding_assets.core.errors import EXIT_OK, SpecError, visible
from grounding_assets.core.evaluation import (
    JudgeOptions,
    compare_in_words,
    comparison_rows,
    figure_rows,
    slice_rows,
    verification_rows,
    verification_words,
)
from grounding_assets.core.evaluation.results import Judgement, judge_results, write_judgement
from grounding_assets.core.evaluation.tally import Missing, Steps
from grounding_assets.core.review.gold import write_reviewed_gold
from resources.fetched_files import local_file
from resources.vlm.sharing_measured import note_sharing

_OWN = ("gold", "other", "steps", "missing", "min_span_iou")
_REVIEWED = "reviewed"
_HEADLINES = ("r1_50", "box_recall_50", "all_box_f1")
"""What a comparison is put into words for."""
_ANNOTATIONS = "annotations.jsonl"


def evaluate(spec_file: str, words: Sequence[str]) -> int:
    """Prints the figures and writes `evaluation.json`; annotates nothing."""
    given, overrides = split_words(words, _OWN)
    spec = results_to_read(spec_file, overrides)
    results_dir = spec.results_folder
    gold = given.get("gold") or spec.data.gold_jsonl
    if not gold:
        raise SpecError(
            "No gold is named: give gold=FILE or gold=reviewed, or set image_grounding.data.gold_jsonl."
        )
    if gold == _REVIEWED:
        gold = _reviewed_gold(results_dir)
        # other expressions of a sample were not judged, and count neither for nor against step 0
        given.setdefault("steps", "step_1")
    judgement = judge_results(
        local_file(str(gold), results_dir, "gold"),
        results_dir / _ANNOTATIONS,
        _options(given),
        _other_file(given.get("other")),
    )
    file = write_judgement(judgement, results_dir)
    _print(judgement)
    if sharing := note_sharing(spec, results_dir, judgement):
        print(visible(sharing))
    print(f"Evaluation: {file}")
    return EXIT_OK


def _reviewed_gold(results_dir: Path) -> Path:
    reviewed = write_reviewed_gold(results_dir)
    if reviewed.without_box:
        print(
            f"{reviewed.without_box:,} expressions were rejected without a box that is right: they are in no figure, "
            "which flatters the results."
        )
    if reviewed.other_image:
        print(f"{reviewed.other_image:,} reviewed samples have another image by now: they are no gold.")
    return reviewed.file


def _options(given: dict[str, str]) -> JudgeOptions:
    least = given.get("min_span_iou", "0.5")
    try:
        min_span_iou = float(least)
    except ValueError:
        raise SpecError(f"min_span_iou={least} is not a number.") from None
    return JudgeOptions(
        steps=cast(Steps, checked_choice(given, "steps", get_args(Steps), "both")),
        min_span_iou=min_span_iou,
        missing=cast(Missing, checked_choice(given, "missing", get_args(Missing), "left_out")),
    )


def _other_file(other: str | None) -> Path | None:
    if other is None:
        return None
    path = Path(other).absolute()
    return path / _ANNOTATIONS if path.is_dir() else path


def _print(judgement: Judgement) -> None:
    first = _label(judgement.results)
    print_table(f"{first}, measured on {judgement.gold.name}", figure_rows(judgement.evaluation))
    slices = slice_rows(judgement.evaluation)
    if len(slices) > 1:
        print_table("By slice", slices, 2)
    if judgement.verification is not None:
        title = "If boxes that verification refuted are left out"
        print_table(title, verification_rows(judgement.verification))
        print(verification_words(judgement.verification))
    if judgement.comparison is None or judgement.other_results is None:
        return
    second = _label(judgement.other_results)
    if first == second:
        first, second = str(judgement.results.parent), str(judgement.other_results.parent)
    title = f"Side by side, {judgement.comparison.samples:,} samples that both have"
    print_table(title, comparison_rows(judgement.comparison, first, second))
    for metric in _HEADLINES:
        print(visible(compare_in_words(judgement.comparison, metric, first, second)))


def _label(results: Path) -> str:
    """What to call a result: its folder, or its file if that has an unusual name."""
    return results.parent.name if results.name == _ANNOTATIONS else results.stem
