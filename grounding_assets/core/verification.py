"""Step 2 of one sample: which questions are asked about its boxes, and what the answers make of them.

Nothing is deleted: an answer is written beside the box, and a question without an answer leaves null.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from grounding_assets.core.checkpoints import Checkpoint
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, Instance, Verification
from grounding_assets.core.replies.verdict import Verdict
from grounding_assets.core.verifier import Check, ImageT, Verifier

MAX_QUESTIONS = 100
"""Of one sample, in reading order; what lies beyond stays null. One question is one call, retries apart."""


async def verify_sample(
    verifier: Verifier[ImageT], image: ImageT, caption: str, grounding: Checkpoint
) -> Verification:
    """Asks about each box of each expression, then about the expression as a whole, one after the other.

    Raises:
        SampleFailure: the image is no longer the one that the boxes were made for.
        RunStopped: no question can be answered.
    """
    if image.image_size != grounding.image_size:
        raise SampleFailure(
            Reason.COORDINATES,
            f"The image has {image.image_size} pixels, but its boxes were made for {grounding.image_size}: "
            "run step 1 again with workflow.force_reprocess.",
        )
    questions = _Questions()
    looked_at: list[Expression] = []
    for e, expression in enumerate(grounding.expressions):
        expression_id = f"{grounding.sample_id}/e{e}"
        instances: list[Instance] = []
        for b, instance in enumerate(expression.instances):
            verdict = None
            if questions.may_ask():
                check = await verifier.verify_box(image, caption, expression.text, instance.bbox)
                verdict = questions.note(f"{expression_id}/b{b}", check)
            instances.append(replace(instance, verified=_as_flag(verdict)))
        verdict = None
        if questions.may_ask():
            boxes = [instance.bbox for instance in expression.instances]
            check = await verifier.verify_expression(image, caption, expression.text, boxes)
            verdict = questions.note(expression_id, check)
        missing = _as_flag(verdict)
        looked_at.append(
            replace(
                expression,
                instances=tuple(instances),
                looked_at=True,
                complete=None if missing is None else not missing,
            )
        )
    provenance = {**verifier.provenance, "image_sha256": image.sha256, **questions.figures()}
    return Verification(tuple(looked_at), provenance, tuple(questions.replies))


def _as_flag(verdict: Verdict | None) -> bool | None:
    return {Verdict.YES: True, Verdict.NO: False}.get(verdict) if verdict else None


class _Questions:
    """What a sample's questions came to and cost."""

    def __init__(self) -> None:
        self.replies: list[str] = []
        self._asked = 0
        self._answers = dict.fromkeys(map(str, Verdict), 0)
        self._failed: list[Mapping[str, str]] = []
        self._not_asked = 0
        self._calls = self._attempts = self._tokens_in = self._tokens_out = 0
        self._seconds = 0.0

    def may_ask(self) -> bool:
        """Counts a question; False where it is one too many, which is noted."""
        if self._asked == MAX_QUESTIONS:
            self._not_asked += 1
            return False
        self._asked += 1
        return True

    def note(self, subject: str, check: Check) -> Verdict | None:
        """Counts what came of it; `subject` is the id of the box or the expression."""
        self.replies += check.replies
        self._calls += check.calls
        self._attempts += check.attempts
        self._tokens_in += check.tokens_in
        self._tokens_out += check.tokens_out
        self._seconds += check.seconds
        if check.verdict is None:
            self._failed.append({"id": subject, "reason": str(check.reason), "message": check.message})
        else:
            self._answers[str(check.verdict)] += 1
        return check.verdict

    def figures(self) -> dict[str, Any]:
        return {
            "answers": self._answers,
            "failed_checks": self._failed,
            "not_asked": self._not_asked,
            "calls": self._calls,
            "attempts": self._attempts,
            "tokens_in": self._tokens_in,
            "tokens_out": self._tokens_out,
            "seconds": round(self._seconds, 3),
        }
