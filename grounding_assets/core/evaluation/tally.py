"""Gold and results brought together, sample by sample."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from grounding_assets.core.dataset.annotated import AnnotatedSample, read_samples
from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.evaluation.counts import (
    SampleCounts,
    count_sample,
)
from grounding_assets.core.evaluation.spans import Partner, pair_expressions
from grounding_assets.core.exports.splits import image_identity

SampleKey = tuple[str, str]
"""(image path, caption with single spaces), which is what makes a sample."""
Steps = Literal["both", "step_1"]
Missing = Literal["left_out", "wrong"]


class NothingToJudge(InputError):
    """Gold and results are there and have no sample in common."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How results are held against gold."""

    steps: Steps = "both"
    """`step_1`: the results were grounded on gold's own expressions; only boxes are judged, and a partner
    is an expression of the same span."""
    min_span_iou: float = 0.5
    """Least overlap of the spans of two expressions that strictly count as the same, above 0, up to 1."""
    missing: Missing = "left_out"
    """What a gold sample without a result counts as. Left out, it shows in the coverage alone."""

    def __post_init__(self) -> None:
        if not 0 < self.min_span_iou <= 1:
            raise SpecError(f"min_span_iou is {self.min_span_iou}: give a number above 0, up to 1.")
        for name, known in (("steps", get_args(Steps)), ("missing", get_args(Missing))):
            if getattr(self, name) not in known:
                raise SpecError(f"{name} is '{getattr(self, name)}': choose {known[0]} or {known[1]}.")


@dataclass(frozen=True, slots=True)
class SampleTotals:
    """What was compared."""

    gold: int = 0
    judged: int = 0
    """Gold samples that count in the figures."""
    without_result: int = 0
    """Gold samples that no line of the results is about."""
    without_gold: int = 0
    """Lines of the results that no gold sample is about."""
    repeated: int = 0
    """Lines of the results about a gold sample that came before; the first counts."""
    repeated_gold: int = 0
    """Lines of gold about a sample that came before; the first counts."""
    other_size: int = 0
    """Gold samples among those without a result: there is one, but of an image of another size, so that pixels of the
    one mean nothing in the other."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of each judged sample, in gold's order."""

    options: JudgeOptions
    totals: SampleTotals
    keys: tuple[SampleKey, ...]
    counts: np.ndarray
    """Shape (samples, slices, counts)."""
    bins: np.ndarray
    """Shape (samples, bins, 3)."""
    other_size: tuple[SampleKey, ...]
    """The gold samples that `totals.other_size` counts."""

    def per_image(self) -> tuple[np.ndarray, np.ndarray]:
        """Counts and bins summed over the samples of each image, images in order of appearance."""
        identities = [image_identity(path) for path, _ in self.keys]
        numbers = {identity: number for number, identity in enumerate(dict.fromkeys(identities))}
        of_sample = [numbers[identity] for identity in identities]
        counts = np.zeros((len(numbers), *self.counts.shape[1:]))
        bins = np.zeros((len(numbers), *self.bins.shape[1:]))
        np.add.at(counts, of_sample, self.counts)
        np.add.at(bins, of_sample, self.bins)
        return counts, bins

    def only(self, keys: Iterable[SampleKey]) -> "Tally":
        """The tally of those samples, in that order; raises KeyError for one that was not judged."""
        rows = {key: row for row, key in enumerate(self.keys)}
        chosen = tuple(keys)
        index = [rows[key] for key in chosen]
        return Tally(self.options, self.totals, chosen, self.counts[index], self.bins[index], self.other_size)


def tally(
    gold: Iterable[Mapping[str, Any]],
    results: Iterable[Mapping[str, Any]],
    options: JudgeOptions,
    *,
    drop_refuted: bool = False,
) -> Tally:
    """Judges results against gold. Gold is held in memory, results are streamed.

    Args:
        gold, results: lines of the record format.
        drop_refuted: boxes that step 2 refuted are treated as if they were not there.

    Raises:
        InputError: a line breaks the record format, there is no gold, or nothing to judge.
    """
    pending: dict[SampleKey, AnnotatedSample] = {}
    repeated_gold = repeated = without_gold = 0
    other_size: dict[SampleKey, tuple[int, int]] = {}
    for sample in read_samples(gold, "gold"):
        repeated_gold += _key(sample) in pending
        pending.setdefault(_key(sample), sample)
    if not pending:
        raise InputError("There is no gold: it has no lines.")
    judged: dict[SampleKey, SampleCounts | None] = dict.fromkeys(pending)
    for result in read_samples(results, "the results"):
        key = _key(result)
        if key not in judged:
            without_gold += 1
        elif key not in pending:
            repeated += 1
        elif result.image_size != pending[key].image_size:
            other_size.setdefault(key, result.image_size)
        else:
            shown = _without_refuted(result) if drop_refuted else result
            judged[key] = _judge(pending.pop(key), shown, options)
    if options.missing == "wrong":
        judged |= {key: _judge(sample, None, options) for key, sample in pending.items()}
    counted = {key: counts for key, counts in judged.items() if counts is not None}
    other_size = {key: size for key, size in other_size.items() if key in pending}
    totals = SampleTotals(
        len(judged), len(counted), len(pending), without_gold, repeated, repeated_gold, len(other_size)
    )
    if not counted:
        raise _nothing_to_judge(pending, other_size)
    return Tally(
        options,
        totals,
        tuple(counted),
        np.array([sample.counts for sample in counted.values()]),
        np.array([sample.bins for sample in counted.values()]),
        tuple(other_size),
    )


def _nothing_to_judge(
    gold: Mapping[SampleKey, AnnotatedSample], other_size: Mapping[SampleKey, tuple[int, int]]
) -> InputError:
    if not other_size:
        return NothingToJudge(
            "No result is about a gold sample: image_path and caption must be the same in both files."
        )
    key, (width, height) = next(iter(other_size.items()))
    gold_width, gold_height = gold[key].image_size
    return InputError(
        f"Gold is about images of other sizes than the results: {key[0]} has {gold_width} x {gold_height} pixels in gold and "
        f"{width} x {height} in the results. Use the images that gold was made on, upright."
    )


def _without_refuted(sample: AnnotatedSample) -> AnnotatedSample:
    """Boxes without a verdict stay."""
    boxes = (
        [b for b, box in enumerate(one.instances) if box.verified is not False] for one in sample.expressions
    )
    return sample.keeping(list(enumerate(boxes)))


def _judge(
    gold: AnnotatedSample,
    result: AnnotatedSample | None,
    options: JudgeOptions,
) -> SampleCounts:
    if result is None:
        partners: list[Partner | None] = [None] * len(gold.expressions)
    elif options.steps == "step_1":
        partners = pair_expressions(gold, result, 1.0, by_head=False)
    else:
        partners = pair_expressions(gold, result, options.min_span_iou)
    return count_sample(
        gold,
        result,
        partners,
        judge_expressions=options.steps == "both",
    )


def sample_key(image_path: str, caption: str) -> SampleKey:
    """What says that gold and a result are about the same: white space in a caption means nothing.

    >>> sample_key("1.jpg", " A red  car.\\n")
    ('1.jpg', 'A red car.')
    """
    return image_path, " ".join(caption.split())


def _key(sample: AnnotatedSample) -> SampleKey:
    return sample_key(sample.image_path, sample.caption)
