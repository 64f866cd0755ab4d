"""How good a result is, measured on gold. Gold of other formats is read by `evaluation.gold`.

Imports `exports` and what lies below it.
"""

from grounding_assets.core.evaluation.bootstrap import Resampling
from grounding_assets.core.evaluation.comparison import compare, compare_in_words
from grounding_assets.core.evaluation.evaluation import Figure, evaluate, summarize
from grounding_assets.core.evaluation.tables import (
    comparison_rows,
    figure_rows,
    slice_rows,
    verification_rows,
    verification_words,
)
from grounding_assets.core.evaluation.tally import JudgeOptions

__all__ = [
    "Figure",
    "JudgeOptions",
    "Resampling",
    "compare",
    "compare_in_words",
    "comparison_rows",
    "evaluate",
    "figure_rows",
    "slice_rows",
    "summarize",
    "verification_rows",
    "verification_words",
]
