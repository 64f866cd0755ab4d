"""`evaluation`: the annotations, measured on gold."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation import figure_rows, verification_rows
from grounding_assets.core.evaluation.results import EVALUATION, Judgement, judge_results, write_judgement
from grounding_assets.core.evaluation.tally import NothingToJudge
from grounding_assets.partitions import DataSetKeys


def build_evaluation(keys: DataSetKeys) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        "evaluation",
        "annotations",
        group_name="report",
        kinds={"json"},
        description="evaluation.json: how good the annotations are, measured on the human boxes of data.gold_jsonl. "
        "Next: `report` shows it as plots.",
    )
    def evaluation(context: dg.AssetExecutionContext) -> Iterator[Any]:
        dataset = keys.dataset(context)
        gold = dataset.gold_file
        try:
            judgement = judge_results(gold, dataset.results_dir / "annotations.jsonl")
        except InputError as reason:
            # an evaluation of earlier results must not pass for one of these
            (dataset.results_dir / EVALUATION).unlink(missing_ok=True)
            if not isinstance(reason, NothingToJudge):
                raise
            # as after a pilot that holds no gold sample
            yield dg.MaterializeResult(metadata={"judged": 0, "reason": str(reason)})
        else:
            file = write_judgement(judgement, dataset.results_dir)
            yield dg.MaterializeResult(
                metadata={
                    "file": dg.MetadataValue.path(str(file)),
                    "judged": judgement.evaluation.tally.totals.judged,
                    "table": dg.MetadataValue.md(_markdown(figure_rows(judgement.evaluation))),
                    **_figures(judgement),
                    **_verification(judgement),
                }
            )

    return evaluation


def _figures(judgement: Judgement) -> dict[str, float]:
    """Plain numbers, so that Dagster plots them from run to run."""
    evaluation = judgement.evaluation
    values = {"coverage": evaluation.coverage} | {name: one.value for name, one in evaluation.overall.items()}
    return {name: round(value, 4) for name, value in values.items() if value is not None}


def _verification(judgement: Judgement) -> dict[str, Any]:
    """What step 2 refuted, if it has run, and what leaving that out would change."""
    effect = judgement.verification
    if effect is None:
        return {}
    counts = {f"verification_{name}": count for name, count in effect.counts.items()}
    return counts | {"verification_table": dg.MetadataValue.md(_markdown(verification_rows(effect)))}


def _markdown(table: Sequence[Sequence[str]]) -> str:
    """`table` begins with the header."""
    header, *rows = table
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
