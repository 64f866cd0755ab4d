"""The checks on `annotations.jsonl`: which there are, and what Dagster is told of each.

They are made by the step that writes the file, so that they are recorded even if that step then fails the run
for its failed samples. Counting is `core.dataset.audit`'s; the limits are the spec's section `checks`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import dagster as dg

from grounding_assets.core.dataset.audit import Audit, LineBalance
from grounding_assets.core.dataset.rollup import ratio
from grounding_assets.core.spec.settings import Spec
from grounding_assets.partitions import DataSetKeys

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dataclass(frozen=True, slots=True)
class _Found:
    part: int
    whole: int
    further: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    limit: str
    """Field of `ChecksSpec`; one that ends in `_share` limits `part / whole`, any other `part`."""
    severity: dg.AssetCheckSeverity
    finding: str
    """What is said of `part` out of `whole`."""
    description: str
    look: Callable[[Audit, LineBalance], _Found]


_CHECKS = (
    _Check(
        "every_line_accounted_for",
        "max_unaccounted_lines",
        _ERROR,
        "input lines are unaccounted for",
        "Each input line is annotated, failed, rejected, pending, or was left out on purpose.",
        lambda audit, lines: _Found(
            lines.unaccounted, lines.read, {**asdict(lines), "malformed": audit.malformed_lines}
        ),
    ),
    _Check(
        "spans_match",
        "max_wrong_spans",
        _ERROR,
        "expressions are not where their char_span says",
        "cleaned_caption[start:end] is the text of each expression.",
        lambda audit, lines: _Found(audit.wrong_spans, audit.expressions),
    ),
    _Check(
        "boxes_inside_image",
        "max_boxes_outside",
        _ERROR,
        "boxes are not inside their image",
        "Each bbox is whole pixels with 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height.",
        lambda audit, lines: _Found(audit.boxes_outside, audit.boxes),
    ),
    _Check(
        "boxes_out_of_range",
        "max_out_of_range_share",
        _ERROR,
        "boxes of the model lay beyond its frame",
        "Boxes that had to be clamped. Many mean that coordinates are read in the wrong convention.",
        lambda audit, lines: _Found(audit.out_of_range, audit.model_boxes),
    ),
    _Check(
        "failed_samples",
        "max_failed_share",
        _WARN,
        "tried lines have no result",
        "Lines whose sample failed; failures.jsonl says why.",
        lambda audit, lines: _Found(lines.failed, lines.failed + lines.annotated),
    ),
    _Check(
        "expressions_without_box",
        "max_without_box_share",
        _WARN,
        "expressions have no box",
        "Expressions that step 1 found nothing for.",
        lambda audit, lines: _Found(audit.without_box, audit.grounded_expressions),
    ),
    _Check(
        "duplicate_boxes",
        "max_duplicate_share",
        _WARN,
        "boxes repeat another one of their expression",
        "Boxes that overlap another of the same expression by an IoU above 0.85: those that were dropped "
        "from the model's replies, and those in the file.",
        lambda audit, lines: _Found(
            audit.repeated_boxes + audit.dropped_duplicates,
            audit.boxes + audit.dropped_duplicates,
        ),
    ),
)


def annotation_check_specs(keys: DataSetKeys) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=check.name,
            asset=keys.asset("annotations"),
            description=f"{check.description} Limit: image_grounding.checks.{check.limit}.",
        )
        for check in _CHECKS
    ]


def check_annotations(
    keys: DataSetKeys, audit: Audit, lines: LineBalance, spec: Spec
) -> Iterator[dg.AssetCheckResult]:
    """The result of every check on the file that `audit` was made of; `lines`: what became of those of the input."""
    for check in _CHECKS:
        found, limit = check.look(audit, lines), getattr(spec.image_grounding.checks, check.limit)
        metadata: dict[str, float] = {"found": found.part, "of": found.whole, "limit": limit, **found.further}
        value, shown = found.part, f"limit {limit}"
        if check.limit.endswith("_share"):
            value = metadata["share"] = ratio(found.part, found.whole)
            shown = f"{value:.1%}, limit {limit:.1%}"
        yield dg.AssetCheckResult(
            asset_key=keys.asset("annotations"),
            check_name=check.name,
            passed=value <= limit,
            severity=check.severity,
            description=f"{found.part} of {found.whole} {check.finding} ({shown}).",
            metadata=metadata,
        )
