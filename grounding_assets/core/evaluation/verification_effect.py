"""What leaving out the boxes that step 2 refuted would gain and lose."""

from dataclasses import asdict, dataclass
from typing import Any

from grounding_assets.core.evaluation.comparison import Comparison
from grounding_assets.core.evaluation.counts import Count
from grounding_assets.core.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class VerificationEffect:
    """Results with verdicts of step 2, judged with all boxes and without those that it refuted."""

    everything: Evaluation
    kept: Evaluation
    """The same results without the refuted boxes."""
    comparison: Comparison
    """`kept` minus `everything`."""

    @property
    def counts(self) -> dict[str, int]:
        """Boxes of judged expressions: how many there are, have a verdict, and were refuted.

        A refuted box is right if any gold box of its expression overlaps it with an IoU of 0.5.
        """
        refuted = _total(self.everything, Count.REFUTED)
        right = _total(self.everything, Count.REFUTED_RIGHT)
        return {
            "boxes": _total(self.everything, Count.BOXES),
            "verdicts": _total(self.everything, Count.VERDICTS),
            "refuted": refuted,
            "refuted_wrong": refuted - right,
            "refuted_right": right,
        }

    def to_dict(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        return self.counts | {"without_refuted": self.kept.to_dict(), "comparison": asdict(self.comparison)}


def has_verdicts(evaluation: Evaluation) -> bool:
    """Whether step 2 said yes or no to any judged box."""
    return _total(evaluation, Count.VERDICTS) > 0


def _total(evaluation: Evaluation, count: Count) -> int:
    return int(evaluation.tally.counts[:, 0, count].sum())
