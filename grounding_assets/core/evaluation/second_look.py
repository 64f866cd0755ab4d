"""What leaving out the boxes that step 2 refused would gain and lose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grounding_assets.core.evaluation.comparison import Comparison
from grounding_assets.core.evaluation.counts import Count
from grounding_assets.core.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class SecondLook:
    """Results with verdicts of step 2, judged with all boxes and without those that it refused."""

    everything: Evaluation
    kept: Evaluation
    """The same results without the refused boxes."""
    comparison: Comparison
    """`kept` minus `everything`."""

    @property
    def counts(self) -> dict[str, int]:
        """Boxes of judged expressions: how many there are, have a verdict, and were refused.

        A refused box is right where any gold box of its expression overlaps it with an IoU of 0.5.
        """
        refused = _total(self.everything, Count.REFUSED)
        right = _total(self.everything, Count.REFUSED_RIGHT)
        return {
            "boxes": _total(self.everything, Count.BOXES),
            "verdicts": _total(self.everything, Count.VERDICTS),
            "refused": refused,
            "refused_wrong": refused - right,
            "refused_right": right,
        }

    def to_dict(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        return self.counts | {"without_refused": self.kept.to_dict(), "comparison": self.comparison.to_dict()}


def has_verdicts(evaluation: Evaluation) -> bool:
    """Whether step 2 said yes or no to any judged box."""
    return _total(evaluation, Count.VERDICTS) > 0


def is_kept(instance: Mapping[str, Any]) -> bool:
    """Whether a row of `instances` stays when refused boxes are left out: no verdict is no refusal."""
    return instance.get("verified") is not False


def _total(evaluation: Evaluation, count: Count) -> int:
    return int(evaluation.tally.counts[:, 0, count].sum())
